//! Compares what both sides say with each other, with the plan and with the proofs.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::{Value, json};

use super::drive::{Fate, Run};
use super::plan::{ACCOUNTS, START, Who};

/// What was found to be true.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) applied: usize,
    pub(crate) refused: usize,
    pub(crate) unknown_and_happened: usize,
    pub(crate) unknown_and_not: usize,
    pub(crate) proofs: usize,
}

/// Fails the test where anything is wrong.
pub(crate) fn judge(run: &mut Run) -> Findings {
    let accounts: Vec<String> = run.keys.values().cloned().collect();
    let histories: Vec<BTreeMap<String, BTreeMap<String, Value>>> = Who::BOTH
        .map(|who| accounts.iter().map(|key| (key.clone(), history(run, who, key))).collect())
        .into();
    assert_eq!(histories[0], histories[1], "both statements are equal");
    let findings = judge_payments(run, &histories[0]);
    judge_balances(run, &histories[0]);
    for who in Who::BOTH {
        let audit = run.call(who, "token.audit", &json!({}));
        let token = &audit["tokens"][0];
        let given = START * u64::from(ACCOUNTS) * 2;
        assert_eq!((&token["holds"], &token["sum"]), (&json!(true), &json!("1000000")), "{audit}");
        assert_eq!(token["issued"], json!(given.to_string()), "{audit}");
        assert_eq!((&audit["pending"], &audit["evidence"]), (&json!([]), &json!([])), "{audit}");
    }
    Findings { proofs: judge_proofs(run), ..findings }
}

/// What an account received and paid, by digest: two nodes may have learned of it in different orders.
fn history(run: &mut Run, who: Who, key: &str) -> BTreeMap<String, Value> {
    let (mut entries, mut after) = (BTreeMap::new(), json!(0));
    loop {
        let params = json!({"of": key, "after": after, "limit": 100});
        let answer = run.call(who, "token.history", &params);
        for entry in answer["entries"].as_array().unwrap() {
            let mut entry = entry.clone();
            entry.as_object_mut().unwrap().remove("position");
            let digest = entry["digest"].as_str().unwrap().to_owned();
            assert!(entries.insert(digest, entry).is_none(), "a digest stands twice in a history");
        }
        after = answer["next"].clone();
        if after.is_null() {
            return entries;
        }
    }
}

/// The whole statement of an account with its proofs, as `entity token statement --proof` puts it together.
fn statement(run: &mut Run, who: Who, key: &str) -> Value {
    let page = |run: &mut Run, after: &Value| {
        run.call(who, "token.statement", &json!({"of": key, "proof": true, "after": after}))
    };
    let mut whole = page(run, &json!(0));
    while !whole["next"].is_null() {
        let mut more = page(run, &whole["next"]);
        whole["entries"].as_array_mut().unwrap().append(more["entries"].as_array_mut().unwrap());
        whole["next"] = more["next"].take();
    }
    whole
}

/// Every payment once, never, or (where nobody waited for its end) one of the two.
fn judge_payments(run: &Run, histories: &BTreeMap<String, BTreeMap<String, Value>>) -> Findings {
    let mut found =
        Findings { applied: 0, refused: 0, unknown_and_happened: 0, unknown_and_not: 0, proofs: 0 };
    for payment in &run.payments {
        let (from, to) =
            (run.key(payment.by, payment.from), run.key(payment.by.other(), payment.to));
        let happened: Vec<&Value> =
            histories[&from].values().filter(|entry| entry["id"] == json!(payment.id)).collect();
        match (&run.fates[&payment.id], &happened[..]) {
            (Fate::Applied(digest), [entry]) => {
                assert_eq!(entry["digest"], json!(digest));
                found.applied += 1;
            }
            (Fate::Refused(code), []) => {
                assert!(payment.is_overdraft() || code == "INSUFFICIENT_FUNDS", "{code}");
                found.refused += 1;
            }
            (Fate::Unknown, [_]) => found.unknown_and_happened += 1,
            (Fate::Unknown, []) => found.unknown_and_not += 1,
            (fate, happened) => panic!("{payment:?} is {fate:?}, and happened as {happened:?}"),
        }
        for entry in happened {
            assert!(!payment.is_overdraft(), "nobody can afford {payment:?}");
            assert_eq!(
                (&entry["from"], &entry["to"], &entry["amount"]),
                (&json!(from), &json!(to), &json!(payment.amount.to_string()))
            );
            let digest = entry["digest"].as_str().unwrap();
            assert_eq!(histories[&to].get(digest), Some(entry), "both accounts have it");
        }
    }
    found
}

/// Balances are what the histories make of nothing, on both sides.
fn judge_balances(run: &mut Run, histories: &BTreeMap<String, BTreeMap<String, Value>>) {
    let planned: BTreeSet<_> = run.payments.iter().map(|payment| payment.id.clone()).collect();
    for ((owner, index), key) in run.keys.clone() {
        if index == ACCOUNTS {
            continue;
        }
        let mut expected = 0_i64;
        for entry in histories[&key].values() {
            let amount: i64 = entry["amount"].as_str().unwrap().parse().unwrap();
            expected += if entry["to"] == json!(key) { amount } else { -amount };
            let id = entry["id"].as_str().unwrap();
            assert!(planned.contains(id) || amount == i64::try_from(START).unwrap(), "{entry}");
        }
        for who in Who::BOTH {
            let balance = run.call(who, "token.balance", &json!({"of": key}));
            assert_eq!(
                balance["balance"],
                json!(expected.to_string()),
                "{owner:?} {index} at {who:?}"
            );
            assert_eq!(balance["pending"], json!([]));
        }
    }
}

/// The statements of both sides hold for somebody who has nothing but the file.
fn judge_proofs(run: &mut Run) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for who in Who::BOTH {
        for key in run.keys.clone().into_values() {
            let statement = statement(run, who, &key);
            let file = folder.path().join(format!("{}-{key}.json", who.name()));
            std::fs::write(&file, statement.to_string()).unwrap();
            let verified = Command::new(env!("CARGO_BIN_EXE_entity"))
                .args(["token", "verify"])
                .arg(&file)
                .arg("--json")
                .output()
                .unwrap();
            assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
            count += statement["entries"].as_array().unwrap().len();
        }
    }
    count
}
