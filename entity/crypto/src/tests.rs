//! What holds for every secret of the crate.

use crate::agreement::{EphemeralSecret, SharedSecret};
use crate::derivation::Prk;
use crate::entropy::Entropy;
use crate::legacy::StaticKey;
use crate::sealing::SealingKey;
use crate::signing::SigningKey;

/// Compiles only when the type does not implement the trait: with both implementations below
/// applying, the compiler could not choose one.
macro_rules! assert_lacks {
    ($($secret:ty),* : $($forbidden:path),*) => {
        assert_lacks!(@each [$($secret),*] $($forbidden)*);
    };
    (@each $secrets:tt $($forbidden:path)*) => { $(assert_lacks!(@one $secrets $forbidden);)* };
    (@one [$($secret:ty),*] $forbidden:path) => { $({
        trait Ambiguous<Choice> {
            fn lacks() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        impl<T: ?Sized + $forbidden> Ambiguous<u8> for T {}
        <$secret as Ambiguous<_>>::lacks();
    })* };
}

#[test]
fn secrets_cannot_be_displayed_copied_or_compared() {
    assert_lacks!(
        SigningKey, EphemeralSecret, SharedSecret, Prk, SealingKey, StaticKey, Entropy:
        std::fmt::Display, std::fmt::LowerHex, Clone, PartialEq
    );
}
