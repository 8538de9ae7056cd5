use std::os::unix::fs::PermissionsExt as _;

use super::*;

const KEY: &str = "moltbook_fake_KEYOFTHETEST";

fn conversation(lines: &[Value]) -> (Vec<Value>, tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(1_780_000_000).with_account(KEY, "me", 0);
    let setup = Setup {
        name: "m".to_owned(),
        port: 0,
        folder: folder.path().to_owned(),
        key: KEY.to_owned(),
        service,
    };
    let input = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let mut output = Vec::new();
    play(setup, input.as_bytes(), &mut output).unwrap();
    let said = String::from_utf8(output).unwrap();
    (said.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), folder, said)
}

fn ask(id: u32, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

#[test]
fn a_scenario_can_start_it_break_it_and_look_into_it() {
    let post = json!({ "author": "stranger", "title": "T", "content": "hello" });
    let faults =
        json!({ "faults": ["stall", { "status": 500 }, { "too_many": { "seconds": 9 } }] });
    let (answers, folder, said) = conversation(&[
        ask(1, "initialize", &json!({ "contract": "1" })),
        ask(2, "fake.account", &json!({})),
        ask(3, "fake.publish", &post),
        ask(4, "fake.break", &faults),
        ask(5, "fake.posts", &json!({})),
        ask(6, "fake.requests", &json!({})),
        ask(7, "message.inbox", &json!({ "after": 3 })),
        json!({ "jsonrpc": "2.0", "method": "$/cancel", "params": { "id": 6 } }),
        ask(8, "shutdown", &json!({})),
        ask(9, "fake.posts", &json!({})),
    ]);
    assert_eq!(answers.len(), 8, "nothing after the end: {said}");
    assert_eq!(answers[0]["result"]["name"], "m");
    let key_file = answers[1]["result"]["key_file"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(key_file).unwrap(), KEY);
    let mode = std::fs::metadata(key_file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(answers[3]["result"], json!({}));
    assert_eq!(answers[4]["result"]["posts"][0]["content"], "hello");
    assert_eq!(answers[5]["result"], json!({ "requests": [], "limited": 0 }));
    assert_eq!(answers[6]["result"], json!({ "messages": [], "next": 3 }));
    assert!(!said.contains("KEYOFTHETEST"), "the key goes by its file alone");
    drop(folder);
}

#[test]
fn a_mistake_is_answered_with_its_code() {
    let (answers, ..) = conversation(&[
        ask(1, "initialize", &json!({ "contract": "2" })),
        ask(2, "fake.nothing", &json!({})),
        ask(3, "peer.list", &json!({ "more": 1 })),
        ask(4, "fake.break", &json!({ "faults": ["unknown"] })),
        ask(5, "fake.answer", &json!({ "code": "x" })),
        json!("no request"),
    ]);
    let codes: Vec<_> = answers.iter().map(|answer| answer["error"]["code"].as_i64()).collect();
    assert_eq!(codes, [-32602, -32601, -32602, -32602, -32602, -32700].map(Some));
}
