//! Why a committee member does not vote for an order.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $final:literal, $message:literal;)*) => {
        /// Why an order is refused.
        ///
        /// The order of the variants is their precedence: of several reasons the first one is told. What costs
        /// nothing to find comes first, then whose order it is, then what it is about; the state of the account comes
        /// last, so that a refusal tells no stranger anything of it.
        ///
        /// Source: `docs/protocol/1.1.md#token-codes`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum TokenCode {
            $($(#[$doc])* $variant,)*
        }

        impl TokenCode {
            /// Every code, in the order of precedence.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The text of the code.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The one English text that goes with the code.
            pub fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)* }
            }

            /// Whether a member that refused an order for this reason will never give its first vote for it, unless
            /// f + 1 others did. The other reasons pass when certificates arrive that the member has not seen.
            pub fn is_final(self) -> bool {
                match self { $(Self::$variant => $final,)* }
            }

            /// Reads the text of a code; `None` for any other text.
            pub fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// The amount is no decimal integer from 1 to 2^127 - 1.
    AmountInvalid = "AMOUNT_INVALID", true, "amount is not valid";
    /// The signature is not that of the account's owner.
    NotOwner = "NOT_OWNER", true, "order is not signed by the owner of the account";
    /// The order belongs to another ledger or to another epoch.
    WrongEpoch = "WRONG_EPOCH", true, "order belongs to another ledger or epoch";
    /// The ledger has no such token.
    UnknownToken = "UNKNOWN_TOKEN", true, "token is not known";
    /// The transfer id was used by an applied order of the account with another content.
    DuplicateWithOtherContent = "DUPLICATE_WITH_OTHER_CONTENT", true, "transfer id was used for another order";
    /// The order has expired, and fewer than f + 1 other members have voted for it.
    Expired = "EXPIRED", true, "order has expired";
    /// The owner has signed two orders for one slot.
    AccountFrozen = "ACCOUNT_FROZEN", false, "account is frozen";
    /// The sequence is not the next one of the account.
    WrongSequence = "WRONG_SEQUENCE", false, "sequence is not the next one";
    /// The account is the issuer's, and the order would exceed the cap.
    CapExceeded = "CAP_EXCEEDED", false, "cap would be exceeded";
    /// The balance does not cover the amount.
    InsufficientFunds = "INSUFFICIENT_FUNDS", false, "balance does not cover the amount";
}

impl fmt::Display for TokenCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
