//! Certified token transfers, as pure state.
//!
//! An owner signs an *order*; members of a committee *vote* for it, each once for a slot; a quorum of votes makes it a
//! *certificate*; and whoever is shown a certificate applies it. Nobody can spend twice or make tokens from nothing while at
//! most f members lie, and no two nodes have to agree on an order of events.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ledger`] | [`Ledger`], the machine: everything that goes in and comes out |
//! | [`output`] | [`TransferRequest`], [`Output`], [`Event`], [`Keys`] |
//! | [`check`] | the three stages of a message: look up, check signatures, handle |
//! | [`rules`], [`committee`] | what the genesis fixes: tokens, members, quorum |
//! | [`certificate`] | signatures, checked here and only here; [`Verified`] |
//! | [`apply`] | [`State`]: the only place where balances move |
//! | [`issuance`] | issued and burned |
//! | [`audit`](mod@audit), [`statement`] | whether the books balance; what anybody can check offline |
//! | [`record`] | what is kept, and in which form |
//! | `member`, `owner`, `presenting`, `hold`, `timers`, `account`, `voters` | the parts of the machine |
//!
//! Pure: no clock, no key, no file. Source: `docs/protocol/1.1.md#tokens`; why it is so: `docs/design/ledger.md`.

pub mod ledger;
pub mod output;

pub mod check;

mod member;
mod owner;
mod presenting;
mod timers;

pub mod apply;
pub mod certificate;
pub mod committee;
pub mod issuance;
pub mod rules;

mod account;
mod hold;
mod payers;
mod voters;

pub mod audit;
pub mod statement;

pub mod record;

pub use apply::{Outcome, State};
pub use audit::{Audit, PendingOrder, TokenAudit};
pub use certificate::{InvalidCertificate, Verified};
pub use check::{Check, Checked};
pub use hold::{HELD_MAX, HELD_OF_ACCOUNT_MAX};
pub use ledger::{AccountView, Ledger, Stage, UnderWay};
pub use output::{Event, Keys, Movement, Output, Submitted, TransferError, TransferRequest};
pub use owner::{QUERY_PATIENCE, RECENT_MAX};
pub use presenting::{PRESENTED_MAX, WINDOW};
pub use record::RestoreError;
pub use rules::Rules;
pub use statement::{
    HistoryEntry, STATEMENT_LEN_MAX, Statement, StatementCheck, StatementError, verify_statement,
};
pub use timers::{REPEAT_FIRST, REPEAT_MAX};
