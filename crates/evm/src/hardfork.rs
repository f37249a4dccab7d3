//! Which rules of execution apply to a block.

pub use revm::primitives::hardfork::SpecId;

/// The fork schedule of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hardforks {
    /// Ethereum mainnet from genesis to Osaka.
    Mainnet,
    /// One set of rules for every block: devnets and single-transaction cases.
    Fixed(SpecId),
}

/// Mainnet forks that were activated by height: first block, rules.
const MAINNET_BY_NUMBER: [(u64, SpecId); 10] = [
    (15_537_394, SpecId::MERGE),
    (12_965_000, SpecId::LONDON),
    (12_244_000, SpecId::BERLIN),
    (9_069_000, SpecId::ISTANBUL),
    (7_280_000, SpecId::PETERSBURG),
    (4_370_000, SpecId::BYZANTIUM),
    (2_675_000, SpecId::SPURIOUS_DRAGON),
    (2_463_000, SpecId::TANGERINE),
    (1_150_000, SpecId::HOMESTEAD),
    (0, SpecId::FRONTIER),
];

/// Mainnet forks that were activated by time: first timestamp, rules.
const MAINNET_BY_TIME: [(u64, SpecId); 4] = [
    (1_764_798_551, SpecId::OSAKA),
    (1_746_612_311, SpecId::PRAGUE),
    (1_710_338_135, SpecId::CANCUN),
    (1_681_338_455, SpecId::SHANGHAI),
];

impl Hardforks {
    /// The rules for a block of this height and timestamp (seconds).
    #[must_use]
    pub fn spec(self, number: u64, timestamp: u64) -> SpecId {
        match self {
            Self::Fixed(spec) => spec,
            Self::Mainnet => MAINNET_BY_TIME
                .iter()
                .find(|(from, _)| timestamp >= *from)
                .or_else(|| MAINNET_BY_NUMBER.iter().find(|(from, _)| number >= *from))
                .map_or(SpecId::FRONTIER, |(_, spec)| *spec),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mainnet_forks_start_at_their_first_block() {
        let spec = |number, timestamp| Hardforks::Mainnet.spec(number, timestamp);
        assert_eq!(spec(1_149_999, 1_457_981_342), SpecId::FRONTIER);
        assert_eq!(spec(1_150_000, 1_457_981_393), SpecId::HOMESTEAD);
        assert_eq!(spec(12_964_999, 1_628_166_812), SpecId::BERLIN);
        assert_eq!(spec(15_537_393, 1_663_224_162), SpecId::LONDON);
        assert_eq!(spec(15_537_394, 1_663_224_179), SpecId::MERGE);
        assert_eq!(spec(17_034_870, 1_681_338_455), SpecId::SHANGHAI);
        assert_eq!(spec(22_431_084, 1_746_612_311), SpecId::PRAGUE);
    }
}
