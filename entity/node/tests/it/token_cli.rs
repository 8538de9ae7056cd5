//! `entity token`, as a person and as a program sees it.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{Run, check, command, entity, stdout};

/// Somebody who has no node here.
const OTHER: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

/// A treasury that is its own committee and issuer, with 1,000 in its account number 1.
struct Treasury {
    home: tempfile::TempDir,
    _run: Run,
    key: String,
}

impl Treasury {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path();
        check(&entity(data, &["wallet", "create", "t", "--unprotected"]), 0, "");
        let run = Run::start(data, &["--protocol", "1.1"]);
        let key = json_of(data, &["wallet", "show"])["public_key"].as_str().unwrap().to_owned();
        let tokens = [json!({"token": "AGT", "issuer": key, "cap": "1000000"})];
        let genesis = json!({"committee": [key], "tokens": tokens}).to_string();
        std::fs::write(data.join("genesis.json"), genesis).unwrap();
        let none = entity(data, &["token", "transfer", OTHER, "1"]);
        check(&none, 1, "entity token open genesis.json");
        check(&entity(data, &["token", "open", "genesis.json"]), 0, "");
        check(&entity(data, &["token", "accounts", "1"]), 0, "");
        check(&entity(data, &["token", "issue", "me#1", "1000"]), 0, "");
        Self { home, _run: run, key }
    }

    fn data(&self) -> &Path {
        self.home.path()
    }

    fn token(&self, arguments: &[&str]) -> std::process::Output {
        entity(self.data(), &[&["token"], arguments].concat())
    }

    fn lines(&self, arguments: &[&str]) -> Vec<String> {
        let output = self.token(arguments);
        check(&output, 0, "");
        stdout(&output).lines().map(str::to_owned).collect()
    }
}

fn json_of(data: &Path, arguments: &[&str]) -> Value {
    let output = entity(data, &[arguments, &["--json"]].concat());
    check(&output, 0, "");
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn a_payment_is_seen_in_tables_and_as_json() {
    let treasury = Treasury::start();
    let paid = treasury.lines(&["transfer", OTHER, "250", "--from", "me#1", "--memo", "rent\u{7}"]);
    assert_eq!(paid[0], format!("paid 250 to {OTHER}, certified"));
    let statement = treasury.lines(&["statement", "me#1"]);
    let (account, balance) = (&statement[1], &statement[2]);
    assert!(account.starts_with("account  ") && account.ends_with(" (me#1)"), "{account}");
    assert_eq!(balance, "balance  750 AGT");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&statement[4]), ["#", "who", "amount", "balance", "certificate", "memo"]);
    assert_eq!(words(&statement[5])[..5], ["1", "from", "me", "+1,000", "1,000"]);
    let second = words(&statement[6]);
    assert_eq!(second[..5], ["2", "to", "d75a980182b1…", "-250", "750"]);
    assert_eq!(second[6], "rent\u{fffd}", "a memo cannot ring the bell");
    assert_eq!(statement[8], "received 1,000 and paid 250 in 2 payments");
    let audit = treasury.lines(&["audit"]);
    let titles = "token        cap  issued  burned  circulating  issuer has  all balances";
    assert_eq!(audit[3], titles);
    assert_eq!(
        audit[4],
        "AGT    1,000,000   1,000       0        1,000     999,000     1,000,000  holds"
    );
    let audit = json_of(treasury.data(), &["token", "audit"]);
    let token = json!({
        "token": "AGT", "cap": "1000000", "issued": "1000", "burned": "0", "issuer_balance": "999000", "sum": "1000000",
        "accounts": 3, "holds": true,
    });
    assert_eq!((&audit["tokens"][0], &audit["is_member"]), (&token, &json!(true)));
    let history = json_of(treasury.data(), &["token", "history", "me#1"]);
    assert_eq!(history["entries"][1]["memo"], "rent\u{7}");
    let balance = json_of(treasury.data(), &["token", "balance", "me#1"]);
    assert_eq!((&balance["balance"], &balance["next_sequence"]), (&json!("750"), &json!(2)));
    let nothing =
        "nothing is pending: every payment is certified and known to everybody it concerns";
    assert_eq!(treasury.lines(&["pending"]), [nothing]);
}

#[test]
fn receipts_and_statements_are_verified_without_a_node_and_forged_ones_are_not() {
    let treasury = Treasury::start();
    let pay = ["transfer", OTHER, "250", "--from", "me#1", "--receipt", "receipt.json"];
    check(&treasury.token(&pay), 0, "");
    check(&treasury.token(&["statement", "me#1", "--proof", "--output", "statement.json"]), 0, "");
    let elsewhere = tempfile::tempdir().unwrap();
    let verify = |file: &str, more: &[&str]| {
        let path = treasury.data().join(file);
        let arguments = [&["token", "verify", path.to_str().unwrap()], more].concat();
        command(elsewhere.path(), &arguments).output().unwrap()
    };
    let receipt = verify("receipt.json", &[]);
    check(&receipt, 0, "");
    assert!(stdout(&receipt).starts_with("the certificate holds\n"), "{}", stdout(&receipt));
    let statement = verify("statement.json", &["--json"]);
    check(&statement, 0, "");
    let verdict: Value = serde_json::from_str(&stdout(&statement)).unwrap();
    assert_eq!((&verdict["valid"], &verdict["kind"]), (&json!(true), &json!("statement")));
    // The right file about the wrong ledger.
    check(&verify("receipt.json", &["--ledger", &"0".repeat(64)]), 1, "trust the ledger");
    let forge = |from: &str, to: &str, (old, new): (&str, &str)| {
        let text = std::fs::read_to_string(treasury.data().join(from)).unwrap();
        assert!(text.contains(old), "{old} stands in {from}");
        std::fs::write(treasury.data().join(to), text.replacen(old, new, 1)).unwrap();
    };
    let forgeries = [
        ("receipt.json", ("\"250\"", "\"950\""), "not signed by the owner"),
        ("receipt.json", ("\"cap\":\"1000000\"", "\"cap\":\"2000000\""), "another ledger"),
        ("statement.json", ("\"balance\":\"750\"", "\"balance\":\"751\""), "a balance of 750"),
        (
            "statement.json",
            ("\"amount\":\"250\"", "\"amount\":\"2\""),
            "something else than its certificate",
        ),
        ("statement.json", ("\"certificate\":", "\"certificat\":"), "--proof"),
        ("statement.json", ("{", "["), "file that"),
    ];
    for (from, change, reason) in forgeries {
        forge(from, "forged.json", change);
        check(&verify("forged.json", &[]), 1, reason);
    }
    // One vote for another order, whoever made it.
    let text = std::fs::read_to_string(treasury.data().join("receipt.json")).unwrap();
    let mut forged: Value = serde_json::from_str(&text).unwrap();
    forged["certificate"]["votes"][0]["signature"] = forged["certificate"]["signature"].clone();
    std::fs::write(treasury.data().join("forged.json"), forged.to_string()).unwrap();
    check(&verify("forged.json", &[]), 1, "signature does not hold");
    check(&verify("nothing.json", &[]), 2, "name an existing file");
}

#[test]
fn mistakes_with_tokens_say_what_to_do() {
    let treasury = Treasury::start();
    check(
        &treasury.token(&["transfer", OTHER, "1001", "--from", "me#1"]),
        1,
        "entity token balance",
    );
    check(&treasury.token(&["transfer", OTHER, "1.5"]), 1, "whole base units");
    check(&treasury.token(&["transfer", "nobody", "1"]), 2, "entity token accounts");
    check(&treasury.token(&["transfer", "me", "1"]), 1, "from itself");
    check(&treasury.token(&["transfer", OTHER, "1", "--from", OTHER]), 1, "NOT_OWNER");
    check(&treasury.token(&["balance", "--token", "XYZ"]), 1, "entity token audit");
    check(&treasury.token(&["issue", OTHER, "999001"]), 1, "CAP_EXCEEDED");
    let other = json!({"committee": [OTHER], "tokens": [{"token": "AGT", "issuer": treasury.key, "cap": "1"}]});
    std::fs::write(treasury.data().join("other.json"), other.to_string()).unwrap();
    check(&treasury.token(&["open", "other.json"]), 1, "INVALID_STATE");
    check(&treasury.token(&["open", "genesis.json"]), 0, "");
    check(&treasury.token(&["certificate", OTHER]), 1, "find a certificate");
    let id = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
    check(&treasury.token(&["transfer", OTHER, "1", "--id", id]), 0, "");
    check(&treasury.token(&["transfer", OTHER, "2", "--id", id]), 1, "pay anew");
}
