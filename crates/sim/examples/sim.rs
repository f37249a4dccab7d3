use ripcord_sim::simulation::*;
fn main() {
    let a: Vec<u64> = std::env::args().skip(1).map(|x| x.parse().unwrap()).collect();
    let stage = Stage::new().unwrap();
    let t = std::time::Instant::now();
    let mut n = 0; let mut bad = 0;
    for seed in a[0]..a[1] {
        match simulate(&stage, Options { seed, steps: a[2] as u32, crash_every: 200, crash_at: None, planted: None }) {
            Ok(t) => { n += 1; if seed % 16 == 0 { println!("{seed} {t:?}"); } }
            Err(e) => { bad += 1; println!("{e} {}", { use std::error::Error; e.source().map(|s| s.to_string()).unwrap_or_default() }); }
        }
    }
    println!("{n} ok {bad} bad {:?}", t.elapsed());
}
