use super::*;
use alloy_primitives::Address;

fn flow(window: Window) -> Flow {
    Flow { direction: Direction::Out, token: None, account: Address::ZERO, other: None, window, decimals: 0 }
}

fn windows(secs: u64) -> Windows {
    Windows::new(std::iter::once((0, flow(Window::Secs(secs)))))
}

fn pay(windows: &mut Windows, block: u64, amount: u64, timestamp: u64) {
    let hash = B256::from(U256::from(block));
    windows.open_block(hash, block);
    let (_, _, open) = windows.flows.get_mut(&0).unwrap();
    open.add(&Sums { outward: U256::from(amount), ..Sums::default() });
    windows.close(hash, block, timestamp);
}

fn sum(windows: &Windows, now: u64) -> U256 {
    let value = windows.value(0, Asked::Block(now)).unwrap();
    let (Value::Qty(q) | Value::AtLeast(q, _)) = value else { panic!("{value:?}") };
    q.mag()
}

/// At the bound sums stay at least the truth, and buckets still leave the window.
#[test]
fn coarse_buckets_are_never_too_small() {
    let secs = 20_000;
    let mut windows = windows(secs);
    let mut paid = Vec::new();
    for block in 0..30_000u64 {
        pay(&mut windows, block, block % 7, block);
        paid.push(block % 7);
        if block % 1_000 == 0 {
            let start = usize::try_from((block + 1).saturating_sub(secs)).unwrap();
            let truth: u64 = paid[start..].iter().sum();
            let seen = sum(&windows, block);
            assert!(seen >= U256::from(truth) && seen <= U256::from(truth + truth / 4 + 100), "{seen} {truth}");
        }
    }
    assert!(windows.flows[&0].1.len() <= BUCKETS_MAX);
    assert_eq!(sum(&windows, 60_000), U256::ZERO);
}

#[test]
fn a_dropped_block_is_taken_out() {
    let mut windows = windows(100);
    pay(&mut windows, 1, 5, 10);
    pay(&mut windows, 2, 7, 20);
    assert_eq!(sum(&windows, 20), U256::from(12));
    windows.retract(B256::from(U256::from(2)));
    assert_eq!(sum(&windows, 20), U256::from(5));
}
