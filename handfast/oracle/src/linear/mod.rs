//! `linearizable`: what calls answered is what one object would have answered that does one thing after the other, each between the
//! begin of its call and its end.
//!
//! Without parameters, or with `model = "ledger"`, the object is a ledger: payments and the balances that were looked at. Every role keeps its
//! own copy of the books, into which payments of others come when they come; each copy is judged for itself, unless
//! `copies = "one"` says that there is only one. With `model = "register"` the object is whatever `write` and `read` say, each with the
//! name of the call and where in `{role, with, result}` the name of the register and its value stand.
//!
//! A call without an answer may have had its effect at any time since, or none. A search that reaches its limits is no pass.

mod ledger;
mod register;
mod search;

use self::search::{Decision, Limits, Model, Operation, explain};
use crate::books::Books;
use crate::calls;
use crate::history::History;
use crate::params::Params;
use crate::{Finding, OracleError};

/// How many copies of the books there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copies {
    /// One, of which every role shows the same.
    One,
    /// One a role.
    Each,
}

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["model", "copies", "write", "read"])?;
    match params.text("model")?.unwrap_or("ledger") {
        "ledger" => {
            params.only(&["model", "copies"])?;
            let copies = match params.text("copies")?.unwrap_or("each") {
                "each" => Copies::Each,
                "one" => Copies::One,
                _ => return Err(params.problem("needs copies = \"each\" or \"one\"")),
            };
            Ok(Books::read(history).and_then(|books| of_ledger(&books, copies)))
        }
        "register" => {
            params.only(&["model", "write", "read"])?;
            let meant = register::Calls::read(params)?;
            Ok(of_registers(&meant, history))
        }
        _ => Err(params.problem("needs model = \"ledger\" or \"register\"")),
    }
}

fn of_ledger(books: &Books, copies: Copies) -> Finding {
    for part in ledger::parts(books, copies)? {
        judge(&part.title, &part.accounts, part.operations)?;
    }
    Ok(())
}

fn of_registers(meant: &register::Calls, history: &History<'_>) -> Finding {
    for (name, operations) in meant.registers(&calls::all(history))? {
        judge(&format!("the register {name}"), &register::Register, operations)?;
    }
    Ok(())
}

fn judge<M: Model>(title: &str, model: &M, operations: Vec<Operation<M::Action>>) -> Finding {
    match explain(model, operations, Limits::OURS) {
        Decision::Explained => Ok(()),
        Decision::Unexplained { placed, of, stuck } => Err(format!(
            "no order of operations explains {title}: {placed} of {of} can be placed, then one of these has to be next and none can: {}",
            stuck.join("; ")
        )),
        Decision::Undecided { limit } => {
            Err(format!("undecided whether an order explains {title}: the search reached {limit}"))
        }
    }
}

#[cfg(test)]
mod tests;
