//! Durations as policies write them: `90s`, `10m`, `6h`, `30d`, `2 blocks`.

/// A duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Time.
    Millis(u64),
    /// Blocks.
    Blocks(u32),
}

impl Span {
    /// As time, on a chain with blocks of that length; saturates.
    #[must_use]
    pub const fn as_millis(self, block_ms: u64) -> u64 {
        match self {
            Self::Millis(ms) => ms,
            Self::Blocks(n) => block_ms.saturating_mul(n as u64),
        }
    }

    /// As blocks, rounded up.
    #[must_use]
    pub fn as_blocks(self, block_ms: u64) -> u32 {
        match self {
            Self::Millis(ms) => u32::try_from(ms.div_ceil(block_ms.max(1))).unwrap_or(u32::MAX),
            Self::Blocks(n) => n,
        }
    }
}

/// Reads a duration; `None` when it is none.
#[must_use]
pub fn parse(text: &str) -> Option<Span> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(split)?;
    let number: u64 = digits.parse().ok()?;
    let ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        " block" | " blocks" => return u32::try_from(number).ok().map(Span::Blocks),
        _other => return None,
    };
    number.checked_mul(ms).map(Span::Millis)
}
