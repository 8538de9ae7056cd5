//! Amounts and balances: integers in base units of a token, as decimal text.

use std::fmt;
use std::str::FromStr;

/// How much an order moves.
///
/// Shape: an integer from 1 to 2^127 - 1 in base units; its text is `[1-9][0-9]{0,38}`.
///
/// Source: `docs/protocol/1.1.md#token-amounts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

impl Amount {
    /// The largest amount, 2^127 - 1.
    pub const MAX: Self = Self(i128::MAX);

    /// The amount `units`; `None` for 0 and from 2^127.
    pub fn new(units: u128) -> Option<Self> {
        i128::try_from(units).ok().filter(|units| *units > 0).map(Self)
    }

    /// The number of base units, always positive.
    pub fn units(self) -> i128 {
        self.0
    }
}

impl FromStr for Amount {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, InvalidAmount> {
        let digits = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        let units = digits.then(|| text.parse().ok()).flatten();
        units.and_then(Self::new).ok_or(InvalidAmount)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What an account holds.
///
/// Shape: a signed integer of 128 bits in base units; its text is `0` or `-?[1-9][0-9]{0,38}`. It is negative only
/// while a certificate that spends has come before the one that provides.
///
/// Source: `docs/protocol/1.1.md#applying-certificates`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Balance(i128);

impl Balance {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The balance of `units` base units.
    pub fn new(units: i128) -> Self {
        Self(units)
    }

    /// The number of base units.
    pub fn units(self) -> i128 {
        self.0
    }

    /// Whether an amount can be taken without going below zero.
    pub fn covers(self, amount: Amount) -> bool {
        self.0 >= amount.0
    }

    /// This balance and an amount more; `None` beyond 128 bits.
    #[must_use]
    pub fn plus(self, amount: Amount) -> Option<Self> {
        self.0.checked_add(amount.0).map(Self)
    }

    /// This balance and an amount less; `None` beyond 128 bits.
    #[must_use]
    pub fn minus(self, amount: Amount) -> Option<Self> {
        self.0.checked_sub(amount.0).map(Self)
    }
}

impl From<Amount> for Balance {
    fn from(amount: Amount) -> Self {
        Self(amount.0)
    }
}

impl FromStr for Balance {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, InvalidAmount> {
        let units = text.parse::<i128>().map_err(|_| InvalidAmount)?;
        // One text for each balance: no `+1`, `01` or `-0`.
        if units.to_string() == text { Ok(Self(units)) } else { Err(InvalidAmount) }
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A text that is no amount or balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal integer in the range of its kind")]
pub struct InvalidAmount;
