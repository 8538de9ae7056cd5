//! A statement of an account, as a third party gets it: `docs/protocol/1.1.md#statement`.

use entity_ledger::statement::{STATEMENT_LEN_MAX, Statement};
use entity_wire::canonical;
use serde_json::{Value, json};

use crate::corpus::{self, Corpus};
use crate::law;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "statement",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 64,
        worked_per_byte: 1_024,
        len_max: Some(STATEMENT_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(statement) = Statement::from_slice(input) else { return Outcome::Refused };
    let written = canonical::object_to_vec(&statement.to_object());
    law::settles(&written, |bytes| {
        let again = Statement::from_slice(bytes)?;
        Ok::<_, entity_ledger::statement::StatementError>(canonical::object_to_vec(
            &again.to_object(),
        ))
    });
    Outcome::Taken
}

fn golden() -> Corpus {
    let vectors = corpus::json("docs/protocol/vectors/token_1_1.json");
    let found = corpus::objects_with(&vectors, &["order", "signature", "votes"]);
    let found = found.iter().filter_map(|text| serde_json::from_slice::<Value>(text).ok());
    let certificates: Vec<Value> = found
        .filter(|object| object.as_object().is_some_and(|object| object.len() == 3))
        .take(3)
        .collect();
    let (ledger, account) = (&vectors["ledger"], &vectors["alice"]["ed25519_public"]);
    let statement = |certificates: &[Value]| {
        let statement = json!({
            "account": account, "balance": "10", "certificates": certificates, "ledger": ledger,
            "token": "AGT",
        });
        statement.to_string()
    };
    Corpus::of([statement(&[]), statement(&certificates)])
}
