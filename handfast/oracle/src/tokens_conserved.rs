//! `tokens-conserved`: at every audit that was asked for, no token came from nowhere and none was lost, and in the
//! end every peer that keeps a ledger was audited.

use std::collections::BTreeSet;

use handfast_scenario::event::CallOutcome;
use serde_json::Value;

use crate::history::History;
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&[])?;
    Ok(judge(history))
}

fn judge(history: &History<'_>) -> Finding {
    let opened: BTreeSet<&str> = history.calls("token.open").map(|call| call.role).collect();
    let mut audited = BTreeSet::new();
    for call in history.calls("token.audit") {
        let Some(CallOutcome::Ok { result }) = call.outcome else { continue };
        let tokens = result["tokens"].as_array().map(Vec::as_slice).unwrap_or_default();
        for token in tokens {
            balanced(token).map_err(|reason| {
                format!("the audit of {} does not add up: {reason}", call.role)
            })?;
            audited.insert(call.role);
        }
    }
    if audited.is_empty() {
        return Err("no ledger was audited, so that nothing was lost shows nothing".to_owned());
    }
    match opened.difference(&audited).next() {
        Some(role) => Err(format!("the ledger of {role} was opened and never audited")),
        None => Ok(()),
    }
}

/// Adds up what the peer says, and does not take its `holds` for it.
fn balanced(token: &Value) -> Finding {
    let name = &token["token"];
    let amount = |field: &str| {
        let text = token[field].as_str().ok_or(format!("{name} has no {field}"))?;
        text.parse::<i128>().map_err(|_| format!("{field} of {name} is no amount: {text}"))
    };
    let (cap, sum) = (amount("cap")?, amount("sum")?);
    let (issued, burned, left) = (amount("issued")?, amount("burned")?, amount("issuer_balance")?);
    if sum != cap {
        return Err(format!("all balances of {name} sum to {sum}, the cap is {cap}"));
    }
    let (out, missing) = (issued.checked_sub(burned), cap.checked_sub(left));
    if out.is_none() || out != missing {
        return Err(format!(
            "{issued} of {name} issued less {burned} burned is not the cap {cap} less the issuer's {left}"
        ));
    }
    if token["holds"] == false {
        return Err(format!("the peer itself says that {name} does not hold"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::story::Story;

    fn audit(story: Story, role: &str, token: &Value) -> Story {
        let result = json!({ "ledger": "00", "tokens": [token] });
        story.call(role, "token.audit", json!({}), CallOutcome::Ok { result })
    }

    fn token(sum: &str, issued: &str, burned: &str) -> Value {
        json!({
            "token": "AGT", "cap": "100", "sum": sum, "issued": issued, "burned": burned,
            "issuer_balance": "70", "holds": true,
        })
    }

    #[test]
    fn books_that_add_up_pass() {
        audit(Story::new(), "a", &token("100", "40", "10")).passes("tokens-conserved", Value::Null);
    }

    #[test]
    fn a_token_from_nowhere_or_lost_fails() {
        let fails = |token: &Value, part| {
            audit(Story::new(), "a", token).fails("tokens-conserved", Value::Null, part);
        };
        fails(&token("101", "40", "10"), "sum to 101");
        fails(&token("100", "40", "9"), "is not the cap");
        fails(&token("all", "40", "10"), "no amount");
        fails(&json!({ "token": "AGT" }), "has no cap");
        let mut lying = token("100", "40", "10");
        lying["holds"] = json!(false);
        fails(&lying, "the peer itself");
    }

    #[test]
    fn one_bad_audit_among_good_ones_fails() {
        let story = audit(Story::new(), "a", &token("99", "40", "10"));
        let story = audit(story, "a", &token("100", "40", "10"));
        story.fails("tokens-conserved", Value::Null, "sum to 99");
    }

    #[test]
    fn a_ledger_that_nobody_audited_fails() {
        Story::new().fails("tokens-conserved", Value::Null, "no ledger was audited");
        let result = json!({ "ledger": "00" });
        let story = Story::new().call("b", "token.open", json!({}), CallOutcome::Ok { result });
        let story = audit(story, "a", &token("100", "40", "10"));
        story.fails("tokens-conserved", Value::Null, "of b was opened and never audited");
    }
}
