use handfast_scenario::event::CallOutcome;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::story::Story;

const NONE: Value = Value::Null;

fn ok(result: Value) -> CallOutcome {
    CallOutcome::Ok { result }
}

/// Two roles with a ledger, of whose 1,000 tokens the account `bank` has all.
fn ledger() -> Story {
    let token = json!({ "token": "AGT", "issuer": "bank", "cap": "1000" });
    let params = json!({ "genesis": { "committee": [], "tokens": [token] } });
    let open = |story: Story, role| story.call(role, "token.open", params.clone(), ok(json!({})));
    let story = Story::new().started_with_key("a", "aa").started_with_key("b", "bb");
    open(open(story, "a"), "b")
}

fn issue(story: Story, to: &str, amount: u64) -> Story {
    let params = json!({ "to": to, "amount": amount.to_string() });
    story.call("a", "token.issue", params, ok(json!({ "state": "applied", "sequence": 1 })))
}

fn pays(amount: u64, id: &str) -> Value {
    json!({ "to": "bb", "amount": amount.to_string(), "id": id })
}

fn applied() -> CallOutcome {
    ok(json!({ "state": "applied", "sequence": 1 }))
}

fn shows(story: Story, role: &str, account: &str, balance: u64) -> Story {
    let result = json!({ "account": account, "token": "AGT", "balance": balance.to_string(), "next_sequence": 1 });
    story.call(role, "token.balance", json!({ "of": account }), ok(result))
}

/// A history that an honest ledger made: paid once, seen by the payer at once and by the payee later.
fn golden() -> Story {
    let story = issue(ledger(), "aa", 100);
    let story = story.call("a", "token.transfer", pays(30, "p"), applied());
    let story = shows(shows(story, "a", "aa", 70), "b", "aa", 100);
    let story = story.call("a", "token.transfer", pays(5, "q"), CallOutcome::TimedOut);
    shows(shows(shows(story, "a", "aa", 70), "a", "aa", 65), "b", "bb", 35)
}

#[test]
fn what_an_honest_ledger_shows_is_explained() {
    golden().passes("linearizable", NONE);
    golden().passes("linearizable", json!({ "model": "ledger", "copies": "each" }));
}

#[test]
fn a_payment_that_is_gone_again_fails() {
    shows(golden(), "a", "aa", 100).fails("linearizable", NONE, "a showed aa with 100");
}

#[test]
fn a_payment_that_was_applied_twice_fails() {
    let story = issue(ledger(), "aa", 100);
    let story = story.call("a", "token.transfer", pays(30, "p"), applied());
    shows(story, "a", "aa", 40).fails("linearizable", NONE, "the books of a");
}

#[test]
fn the_same_payment_asked_for_again_is_one() {
    let story = issue(ledger(), "aa", 100);
    let story = story.call("a", "token.transfer", pays(30, "p"), CallOutcome::Lost);
    let story = story.call("a", "token.transfer", pays(30, "p"), applied());
    shows(story, "a", "aa", 70).passes("linearizable", NONE);
}

#[test]
fn two_payments_under_one_name_fail() {
    let story = story_with_p().call("a", "token.transfer", pays(31, "p"), applied());
    story.fails("linearizable", NONE, "two payments under the name p");
}

fn story_with_p() -> Story {
    issue(ledger(), "aa", 100).call("a", "token.transfer", pays(30, "p"), applied())
}

#[test]
fn a_copy_that_comes_late_fails_only_where_there_is_one_copy() {
    let story = shows(story_with_p(), "b", "aa", 100);
    story.passes("linearizable", NONE);
    story.fails("linearizable", json!({ "copies": "one" }), "b showed aa with 100");
}

#[test]
fn what_was_refused_has_no_effect() {
    let refused = CallOutcome::Refused {
        code: Some("INSUFFICIENT_FUNDS".to_owned()),
        status: None,
        rpc_code: -32000,
        message: String::new(),
        detail: None,
    };
    let story = story_with_p().call("a", "token.transfer", pays(40, "q"), refused);
    shows(story, "a", "aa", 30).fails("linearizable", NONE, "a showed aa with 30");
}

#[test]
fn more_than_there_is_cannot_be_paid() {
    let story = issue(ledger(), "aa", 20);
    let story = story.call("a", "token.transfer", pays(30, "p"), applied());
    shows(story, "b", "bb", 0).passes("linearizable", NONE);
    let story = issue(ledger(), "aa", 20);
    let story = story.call("a", "token.transfer", pays(30, "p"), applied());
    shows(story, "a", "bb", 30).fails("linearizable", NONE, "the books of a");
}

#[test]
fn without_a_payment_or_a_look_nothing_is_shown() {
    shows(ledger(), "a", "aa", 0).fails("linearizable", NONE, "0 payments");
    issue(ledger(), "aa", 1).fails("linearizable", NONE, "0 balances");
}

fn put(story: Story, key: &str, value: &Value) -> Story {
    story.call("a", "kv.put", json!({ "key": key, "value": value }), ok(json!({})))
}

fn got(story: Story, key: &str, value: &Value) -> Story {
    story.call("b", "kv.get", json!({ "key": key }), ok(json!({ "value": value })))
}

fn register() -> Value {
    json!({
        "model": "register",
        "write": { "call": "kv.put", "key": "with.key", "value": "with.value" },
        "read": { "call": "kv.get", "key": "with.key", "value": "result.value" },
    })
}

#[test]
fn a_register_holds_what_was_written_last() {
    let story = got(put(Story::new(), "x", &json!([1])), "y", &Value::Null);
    let story = got(got(put(story, "x", &json!([2])), "x", &json!([2])), "x", &json!([2]));
    story.passes("linearizable", register());
}

#[test]
fn a_register_that_shows_what_was_before_fails() {
    let story = put(put(Story::new(), "x", &json!(1)), "x", &json!(2));
    got(story, "x", &json!(1)).fails("linearizable", register(), "b read 1 of \"x\"");
    let story = got(put(Story::new(), "x", &json!(1)), "x", &Value::Null);
    story.fails("linearizable", register(), "b read nothing of \"x\"");
}

#[test]
fn a_slip_in_the_parameters_is_no_weaker_check() {
    let asks = |params: Value| crate::judge("linearizable", &params, &[]).unwrap_err().to_string();
    assert!(asks(json!({ "model": "queue" })).contains("ledger"));
    assert!(asks(json!({ "copies": "two" })).contains("each"));
    assert!(asks(json!({ "model": "register", "write": { "call": "w" } })).contains("key"));
    assert!(asks(json!({ "model": "register", "copies": "one" })).contains("does not know"));
}

proptest! {
    /// Whatever one ledger does, one thing after the other, is explained; with one balance changed it is not.
    #[test]
    fn what_one_ledger_did_is_explained_and_a_changed_balance_is_not(
        drawn in prop::collection::vec((any::<bool>(), 1_u64..50), 1..30),
        change in 1_u64..9,
    ) {
        let mut story = issue(ledger(), "aa", 500);
        let (mut payer, mut payee) = (500, 0);
        for (index, (is_payment, amount)) in drawn.into_iter().enumerate() {
            if is_payment && amount <= payer {
                story = story.call("a", "token.transfer", pays(amount, &index.to_string()), applied());
                (payer, payee) = (payer - amount, payee + amount);
            } else {
                story = shows(shows(story, "a", "aa", payer), "a", "bb", payee);
            }
        }
        story = shows(story, "a", "aa", payer);
        story.passes("linearizable", NONE);
        shows(story, "a", "aa", payer + 500 + change).fails("linearizable", NONE, "books of a");
    }
}
