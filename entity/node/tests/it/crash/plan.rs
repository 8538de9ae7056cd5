//! What is to be paid, from a seed.

use entity_crypto::entropy::Entropy;

/// Accounts of each side.
pub(crate) const ACCOUNTS: u32 = 3;

/// What each account is given at the beginning.
pub(crate) const START: u64 = 2_500;

/// Which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    A,
    B,
}

impl Who {
    pub(crate) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(crate) fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// One payment between the sides.
#[derive(Debug, Clone)]
pub(crate) struct Payment {
    pub(crate) id: String,
    pub(crate) by: Who,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) amount: u64,
}

impl Payment {
    /// More than all accounts together have: it must be refused.
    pub(crate) const OVERDRAFT: u64 = 1_000_000;

    pub(crate) fn is_overdraft(&self) -> bool {
        self.amount == Self::OVERDRAFT
    }
}

/// Random numbers below a bound.
pub(crate) struct Dice(Entropy);

impl Dice {
    pub(crate) fn of(seed: u64, purpose: u8) -> Self {
        let mut bytes = [purpose; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        Self(Entropy::from_seed(bytes))
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        u64::from_be_bytes(self.0.bytes()) % bound
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn uuid(&mut self) -> String {
        let digits = entity_crypto::encoding::hex_encode(&self.0.uuid_v4());
        let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        parts.join("-")
    }
}

/// `count` payments, now and then one that nobody can afford.
pub(crate) fn payments(seed: u64, count: usize) -> Vec<Payment> {
    let mut dice = Dice::of(seed, 1);
    let payment = |_| Payment {
        id: dice.uuid(),
        by: if dice.one_in(2) { Who::A } else { Who::B },
        from: u32::try_from(dice.below(u64::from(ACCOUNTS))).unwrap(),
        to: u32::try_from(dice.below(u64::from(ACCOUNTS))).unwrap(),
        amount: if dice.one_in(50) { Payment::OVERDRAFT } else { 1 + dice.below(20) },
    };
    (0..count).map(payment).collect()
}
