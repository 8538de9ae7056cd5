//! `bank`: whenever anybody looked at all accounts together, also while tokens were on their way, their sum was the same and no account
//! was below nothing.
//!
//! After the test of that name in Jepsen: reads of all accounts go on beside payments, so that one that is half done shows as a sum that
//! is too small or too large. Without parameters the looks are `token.audit`, and the sum has to be the cap. Of other peers,
//! `read = { call = "..", balances = "result.accounts", total = "100" }` says where the balances stand (a table or a list of amounts) and what
//! they sum to, and `write = ".."` is the call that moves something. A look beside which nothing moved shows nothing, so
//! there has to be one that overlaps such a call.

use handfast_scenario::template::Path;
use serde_json::Value;

use crate::books::PAYMENTS;
use crate::calls::{self, Asked};
use crate::history::History;
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["read", "write"])?;
    let bank = Bank::read(params)?;
    Ok(bank.judge(&calls::all(history)))
}

/// What is looked at, and what moves something meanwhile.
struct Bank<'a> {
    read: Read<'a>,
    writes: Vec<&'a str>,
}

enum Read<'a> {
    Audits,
    Balances { call: &'a str, balances: Path, total: i128 },
}

impl<'a> Bank<'a> {
    fn read(params: &Params<'a>) -> Result<Self, OracleError> {
        let wrong = || {
            params.problem(
                "needs both read = { call = \"..\", balances = \"..\", total = \"..\" } and write = \"..\", or neither",
            )
        };
        match (params.optional_table("read")?, params.text("write")?) {
            (None, None) => Ok(Self { read: Read::Audits, writes: PAYMENTS.to_vec() }),
            (Some(read), Some(write)) => {
                let text = |key: &str| read[key].as_str().ok_or_else(wrong);
                let total = text("total")?.parse().map_err(|_| wrong())?;
                let balances = Path::new(text("balances")?);
                let read = Read::Balances { call: text("call")?, balances, total };
                Ok(Self { read, writes: vec![write] })
            }
            (Some(_), None) | (None, Some(_)) => Err(wrong()),
        }
    }

    fn judge(&self, calls: &[Asked<'_>]) -> Finding {
        let (call, what) = match &self.read {
            Read::Audits => ("token.audit", "the cap"),
            Read::Balances { call, .. } => (*call, "the total"),
        };
        let looks = calls.iter().filter(|look| look.method == call);
        let answered: Vec<(&Asked<'_>, usize, &Value)> =
            looks.filter_map(|look| look.done().map(|(at, result)| (look, at, result))).collect();
        for (look, _, result) in &answered {
            let at_ms = look.began_us / 1_000;
            let title = format!("{call} of {} at {at_ms} ms", look.role);
            self.adds_up(look, result, what).map_err(|reason| format!("{title}: {reason}"))?;
        }
        // A call without an answer goes on until the end.
        let moves = |(look, ended, _): &(&Asked<'_>, usize, &Value)| {
            calls.iter().filter(|call| self.writes.contains(&call.method)).any(|write| {
                let is_over = write.ended.is_some_and(|(at, _)| at < look.began);
                write.began < *ended && !is_over && !write.had_no_effect()
            })
        };
        if answered.iter().any(moves) {
            return Ok(());
        }
        Err(format!(
            "none of {} answers to {call} was given while {} was under way, so that all add up shows little",
            answered.len(),
            self.writes.join(" or ")
        ))
    }

    fn adds_up(&self, look: &Asked<'_>, result: &Value, what: &str) -> Finding {
        match &self.read {
            Read::Audits => {
                let tokens = result["tokens"].as_array().map(Vec::as_slice).unwrap_or_default();
                if tokens.is_empty() {
                    return Err("it shows no token".to_owned());
                }
                for token in tokens {
                    let (sum, cap) = (amount(&token["sum"])?, amount(&token["cap"])?);
                    not_below(&token["issuer_balance"])?;
                    equal(sum, cap, what)?;
                }
                Ok(())
            }
            Read::Balances { balances, total, .. } => {
                let whole = look.whole();
                let shown = balances.find(&whole);
                let shown: Vec<&Value> = match shown {
                    Some(Value::Object(fields)) => fields.values().collect(),
                    Some(Value::Array(items)) => items.iter().collect(),
                    _ => return Err(format!("it has no balances under {balances}")),
                };
                let mut sum = 0_i128;
                for balance in shown {
                    let balance = not_below(balance)?;
                    sum = sum.checked_add(balance).ok_or("the sum is beyond all amounts")?;
                }
                equal(sum, *total, what)
            }
        }
    }
}

fn equal(sum: i128, expected: i128, what: &str) -> Finding {
    if sum == expected {
        Ok(())
    } else {
        Err(format!("all accounts sum to {sum}, {what} is {expected}"))
    }
}

fn not_below(value: &Value) -> Result<i128, String> {
    let amount = amount(value)?;
    if amount < 0 { Err(format!("an account has {amount}")) } else { Ok(amount) }
}

/// An amount: digits in a text, or a whole number.
fn amount(value: &Value) -> Result<i128, String> {
    let text = value.as_str().and_then(|text| text.parse().ok());
    let number = value.as_i64().map(i128::from);
    text.or(number).ok_or_else(|| format!("{value} is no amount"))
}

#[cfg(test)]
mod tests {
    use handfast_scenario::event::CallOutcome;
    use serde_json::{Value, json};

    use crate::story::Story;

    const NONE: Value = Value::Null;

    fn ok(result: Value) -> CallOutcome {
        CallOutcome::Ok { result }
    }

    fn audit(sum: &str, issuer: &str) -> CallOutcome {
        ok(
            json!({ "tokens": [{ "token": "AGT", "cap": "100", "sum": sum, "issuer_balance": issuer }] }),
        )
    }

    /// An audit while a payment is under way.
    fn beside_a_payment(sum: &str, issuer: &str) -> Story {
        let story = Story::new().begins("a", "token.transfer", json!({}));
        let story = story.call("b", "token.audit", json!({}), audit(sum, issuer));
        story.ends(ok(json!({ "state": "applied" })))
    }

    #[test]
    fn sums_that_stay_while_tokens_move_pass() {
        beside_a_payment("100", "60").passes("bank", NONE);
    }

    #[test]
    fn a_sum_that_is_off_while_tokens_move_fails() {
        beside_a_payment("95", "60").fails("bank", NONE, "sum to 95, the cap is 100");
        beside_a_payment("105", "60").fails("bank", NONE, "token.audit of b at 2 ms");
    }

    #[test]
    fn an_account_below_nothing_fails() {
        beside_a_payment("100", "-5").fails("bank", NONE, "an account has -5");
        beside_a_payment("100", "much").fails("bank", NONE, "is no amount");
    }

    #[test]
    fn looks_beside_which_nothing_moved_show_nothing() {
        let pay = |story: Story| story.call("a", "token.transfer", json!({}), ok(json!({})));
        let look = |story: Story| story.call("a", "token.audit", json!({}), audit("100", "60"));
        pay(look(pay(Story::new()))).fails("bank", NONE, "none of 1 answers");
    }

    #[test]
    fn a_payment_without_an_answer_may_still_move_something() {
        let story = Story::new().call("a", "token.transfer", json!({}), CallOutcome::TimedOut);
        let story = story.call("a", "token.audit", json!({}), audit("100", "60"));
        story.fails("bank", NONE, "none of 1 answers");
        let story = Story::new().begins("a", "token.transfer", json!({}));
        story.call("a", "token.audit", json!({}), audit("100", "60")).passes("bank", NONE);
    }

    #[test]
    fn any_bank_can_be_asked() {
        let read = json!({ "call": "bank.read", "balances": "result.accounts", "total": "30" });
        let params = json!({ "read": read, "write": "bank.pay" });
        let story = |accounts: Value| {
            let story = Story::new().begins("a", "bank.pay", json!({}));
            story.call("b", "bank.read", json!({}), ok(json!({ "accounts": accounts })))
        };
        story(json!({ "x": 10, "y": "20" })).passes("bank", params.clone());
        story(json!([10, 20])).passes("bank", params.clone());
        story(json!([10, 10])).fails("bank", params.clone(), "sum to 20, the total is 30");
        story(json!([40, -10])).fails("bank", params.clone(), "an account has -10");
        story(json!("none")).fails("bank", params, "no balances under result.accounts");
        let asks = |params: Value| crate::judge("bank", &params, &[]).unwrap_err().to_string();
        assert!(asks(json!({ "write": "bank.pay" })).contains("or neither"));
    }
}
