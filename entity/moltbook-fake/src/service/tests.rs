use super::*;

const KEY: &str = "moltbook_sk_of_the_test";
const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;

fn service() -> Service {
    Service::new(1_780_000_000).with_account(KEY, "me", 48 * HOUR)
}

fn ask(method: &str, path: &str, body: Value) -> Ask {
    Ask {
        method: method.to_owned(),
        target: format!("/api/v1{path}"),
        authorization: Some(format!("Bearer {KEY}")),
        body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
    }
}

fn post(title: &str) -> Ask {
    ask("POST", "/posts", json!({ "submolt": "general", "title": title, "content": "text" }))
}

#[test]
fn only_a_known_key_is_let_in() {
    let mut service = service();
    for (header, status) in [
        (Some(format!("Bearer {KEY}")), 200),
        (Some("Bearer other".to_owned()), 401),
        (Some(KEY.to_owned()), 401),
        (None, 401),
    ] {
        let asked = Ask { authorization: header, ..ask("GET", "/agents/status", Value::Null) };
        assert_eq!(service.handle(&asked, 0).status, status);
    }
    assert_eq!(
        service.handle(&ask("GET", "/agents/status", Value::Null), 0).body["status"],
        "claimed"
    );
}

#[test]
fn posts_come_thirty_minutes_apart_and_two_hours_on_the_first_day() {
    for (age, apart) in [(48 * HOUR, HOUR / 2), (0, 2 * HOUR)] {
        let mut service = Service::new(0).with_account(KEY, "me", age);
        assert_eq!(service.handle(&post("1"), 0).status, 201);
        let early = service.handle(&post("2"), apart - 1);
        assert_eq!(early.status, 429);
        assert_eq!(early.body["retry_after_minutes"], 1);
        assert_eq!(service.handle(&post("3"), apart).status, 201);
        assert_eq!(service.account(KEY).unwrap().limited, 1);
    }
}

#[test]
fn comments_come_twenty_seconds_apart_and_fifty_a_day() {
    let mut service = service();
    let id = service.publish("other", "T", "text", 0);
    let comment = ask("POST", &format!("/posts/{id}/comments"), json!({ "content": "yes" }));
    for nth in 0..50 {
        assert_eq!(service.handle(&comment, nth * 20 * SECOND).status, 201);
    }
    let more = service.handle(&comment, 51 * 20 * SECOND);
    assert_eq!((more.status, &more.body["daily_remaining"]), (429, &json!(0)));
    assert_eq!(service.handle(&comment, 24 * HOUR).status, 201);
}

#[test]
fn a_hundred_requests_a_minute_are_let_in() {
    let mut service = service();
    let home = ask("GET", "/home", Value::Null);
    let statuses: Vec<u16> = (0..101).map(|at| service.handle(&home, at).status).collect();
    assert!(statuses[..100].iter().all(|&status| status == 200));
    assert_eq!(statuses[100], 429);
    assert_eq!(service.handle(&home, 60 * SECOND).status, 200);
}

#[test]
fn a_post_is_hidden_until_its_challenge_is_answered() {
    let mut service = service();
    service.ask(Asking::Always);
    let made = service.handle(&post("1"), 0);
    assert_eq!(made.body["verification_required"], true);
    let code = made.body["post"]["verification"]["verification_code"].as_str().unwrap().to_owned();
    let answer = service.answer_to(&code).unwrap();
    let verify = |answer: Value| {
        ask("POST", "/verify", json!({ "verification_code": code, "answer": answer }))
    };
    assert_eq!(service.handle(&verify(json!(7)), 0).status, 400, "the answer is a text");
    assert!(
        service.handle(&ask("GET", "/posts?sort=new", Value::Null), 0).body["posts"][0].is_null()
    );
    assert_eq!(service.handle(&verify(answer.clone().into()), 0).status, 200);
    assert!(
        service.handle(&ask("GET", "/posts?sort=new", Value::Null), 0).body["posts"][0].is_object()
    );
    assert_eq!(service.handle(&verify(answer.into()), 0).status, 409, "used");
    let unknown = ask("POST", "/verify", json!({ "verification_code": "x", "answer": "1" }));
    assert_eq!(service.handle(&unknown, 0).status, 404);
}

#[test]
fn ten_failures_in_a_row_suspend_and_silence_is_one() {
    let mut service = service();
    service.ask(Asking::Always);
    for nth in 0..10 {
        assert_eq!(service.handle(&post("1"), nth * HOUR).status, 201);
    }
    let late = 9 * HOUR + content::ANSWER_WITHIN;
    let code = |nth: u64| format!("moltbook_verify_{nth:032x}");
    let verify = |code| ask("POST", "/verify", json!({ "verification_code": code, "answer": "1" }));
    assert_eq!(service.handle(&verify(code(9)), late - 1).status, 410, "nobody answered the ninth");
    assert_eq!(service.account(KEY).unwrap().failed_in_a_row(), 9, "and it counts once");
    assert_eq!(service.handle(&verify(code(10)), late).status, 403, "nor the tenth");
    assert!(service.account(KEY).unwrap().suspended);
}

#[test]
fn what_is_not_there_and_what_is_not_right_is_said() {
    let mut service = service();
    assert_eq!(service.handle(&ask("GET", "/posts/none", Value::Null), 0).status, 404);
    assert_eq!(service.handle(&ask("GET", "/posts/none/comments", Value::Null), 0).status, 404);
    assert_eq!(
        service.handle(&ask("GET", "/agents/profile?name=none", Value::Null), 0).status,
        404
    );
    assert_eq!(service.handle(&ask("GET", "/what", Value::Null), 0).status, 404);
    assert_eq!(service.handle(&ask("GET", "/search?q=", Value::Null), 0).status, 400);
    for body in [json!({}), json!({ "submolt": "general", "title": "t" })] {
        assert_eq!(service.handle(&ask("POST", "/posts", body), 0).status, 400);
    }
}

#[test]
fn a_list_goes_on_where_it_ended() {
    let mut service = service();
    for nth in 0..5 {
        service.publish("other", &nth.to_string(), "text", 0);
    }
    let first = service.handle(&ask("GET", "/posts?sort=new&limit=3", Value::Null), 0).body;
    assert_eq!(first["posts"].as_array().unwrap().len(), 3);
    let next = format!("/posts?limit=3&cursor={}", first["next_cursor"].as_str().unwrap());
    let second = service.handle(&ask("GET", &next, Value::Null), 0).body;
    assert_eq!(
        (second["posts"].as_array().unwrap().len(), &second["has_more"]),
        (2, &json!(false))
    );
}

#[test]
fn every_answer_has_the_services_date() {
    let answer = service().handle(&ask("GET", "/home", Value::Null), 61 * SECOND);
    assert!(
        answer.headers.contains(&("Date".to_owned(), "Thu, 28 May 2026 20:27:41 GMT".to_owned()))
    );
}
