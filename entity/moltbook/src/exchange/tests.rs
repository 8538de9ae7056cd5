use std::time::Duration;

use super::*;
use crate::budget::Book;
use crate::call::{Draft, Matter, Page};
use crate::reply::Reply;
use crate::words::{PostText, Submolt, Title};

const T0: Moment = Moment(1_000_000_000_000);

fn post() -> Call {
    Call::CreatePost(Draft {
        submolt: Submolt::new("general").unwrap(),
        title: Title::new("title").unwrap(),
        matter: Matter::Text(PostText::new("text").unwrap()),
    })
}

fn read_call() -> Call {
    Call::Posts(Page::newest(5))
}

fn patience(seconds: u64) -> Patience {
    Patience { whole: Duration::from_secs(seconds), attempt: Duration::from_secs(10), seed: 7 }
}

fn status(status: u16, body: &str) -> Arrival {
    Arrival::Reply(Reply { status, body: body.as_bytes().to_vec(), ..Reply::default() })
}

/// Plays `arrivals` to the end; returns what came of it, how often it was sent, and how long it waited.
fn play(call: Call, seconds: u64, arrivals: &[Arrival]) -> (Outcome, usize, Duration) {
    let mut book = Book::new(T0);
    book.set_established();
    let (mut now, mut sent) = (T0, 0);
    let mut exchange = Exchange::new(call, patience(seconds), now);
    loop {
        match exchange.next() {
            Step::Reserve => exchange.handle_reserved(book.reserve(exchange.call(), now), now),
            Step::Send { .. } => {
                exchange.handle_arrival(arrivals[sent.min(arrivals.len() - 1)].clone(), now);
                sent += 1;
            }
            Step::Settle(settle) => {
                book.settle(*settle, now);
                exchange.handle_settled();
            }
            Step::Wait(until) => {
                now = until;
                exchange.handle_woken(now);
            }
            Step::Done => {
                return (exchange.into_outcome().unwrap(), sent, now.since(T0));
            }
        }
    }
}

const GOOD: &str = r#"{"success":true,"posts":[]}"#;

#[test]
fn a_read_is_repeated_through_trouble() {
    let trouble = [
        status(503, ""),
        Arrival::Lost(Trouble::Broken),
        Arrival::Unsent(Trouble::NoConnection),
        status(200, GOOD),
    ];
    let (outcome, sent, waited) = play(read_call(), 60, &trouble);
    assert!(outcome.is_ok());
    assert_eq!(sent, 4);
    assert!(
        (Duration::from_millis(1_750)..Duration::from_millis(3_500)).contains(&waited),
        "{waited:?}"
    );
}

#[test]
fn a_read_is_given_up_after_five_attempts_or_when_time_is_up() {
    let (outcome, sent, _) = play(read_call(), 600, &[status(500, "")]);
    assert_eq!(outcome, Err(Failure::Unavailable { status: 500, attempts: 5 }));
    assert_eq!(sent, usize::from(ATTEMPTS_MAX));
    let (outcome, sent, _) = play(read_call(), 1, &[Arrival::Unsent(Trouble::NoHost)]);
    assert_eq!(outcome, Err(Failure::Unreachable { trouble: Trouble::NoHost, attempts: 2 }));
    assert_eq!(sent, 2);
}

#[test]
fn a_write_whose_answer_is_lost_is_not_sent_again() {
    for arrival in [
        Arrival::Lost(Trouble::TimedOut),
        Arrival::TooLarge,
        status(500, ""),
        status(200, "{"),
        status(418, ""),
        status(201, r#"{"post":{"id":"p"},"verification_required":true}"#),
    ] {
        let (outcome, sent, _) = play(post(), 600, &[arrival.clone(), status(201, GOOD)]);
        assert!(matches!(outcome, Err(Failure::Unsure(_))), "{arrival:?} {outcome:?}");
        assert_eq!(sent, 1);
    }
}

#[test]
fn a_write_that_was_never_sent_is_sent_again() {
    let arrivals = [Arrival::Unsent(Trouble::Tls), status(201, r#"{"post":{"id":"p"}}"#)];
    let (outcome, sent, _) = play(post(), 60, &arrivals);
    assert!(outcome.is_ok());
    assert_eq!(sent, 2);
}

#[test]
fn a_pause_is_waited_for_within_patience_and_reported_beyond_it() {
    let arrivals =
        [status(429, r#"{"retry_after_seconds":40}"#), status(201, r#"{"post":{"id":"p"}}"#)];
    let (outcome, sent, waited) = play(post(), 60, &arrivals);
    assert!(outcome.is_ok());
    assert_eq!((sent, waited), (2, Duration::from_secs(40)));
    let (outcome, sent, waited) = play(post(), 30, &arrivals);
    let wait = Duration::from_secs(40);
    assert_eq!(outcome, Err(Failure::RateLimited { kind: Kind::Post, wait }));
    assert_eq!((sent, waited), (1, Duration::ZERO));
}

#[test]
fn what_the_service_refuses_and_where_it_sends_us_ends_the_call() {
    for (arrival, said) in [
        (
            status(401, r#"{"error":"bad\u001b[31m key"}"#),
            "the service refused (status 401): the key is not valid; it says: bad\\u{1b}[31m key",
        ),
        (status(404, ""), "the service refused (status 404): there is no such thing"),
        (
            Arrival::Reply(Reply {
                status: 302,
                location: Some("https://moltbook.com".to_owned()),
                ..Reply::default()
            }),
            "the service sends us to https://moltbook.com; no redirect is followed, because the key would go along",
        ),
        (status(200, "<html>"), "the answer cannot be read: it is no JSON object"),
        (Arrival::TooLarge, "the answer is longer than 1048576 bytes"),
    ] {
        let (outcome, sent, _) = play(read_call(), 60, &[arrival]);
        assert_eq!((outcome.unwrap_err().to_string().as_str(), sent), (said, 1));
    }
}

#[test]
fn waits_double_and_have_a_limit() {
    let mut exchange = Exchange::new(read_call(), patience(60), T0);
    for attempts in 1..=40_u8 {
        exchange.attempts = attempts;
        let whole =
            BACKOFF_FIRST.saturating_mul(1 << u32::from(attempts - 1).min(16)).min(BACKOFF_MAX);
        let wait = exchange.backoff();
        assert!(wait >= whole / 2 && wait <= whole, "{attempts}: {wait:?}");
    }
}

#[test]
fn patience_has_a_limit() {
    let endless = Patience { whole: Duration::MAX, attempt: Duration::MAX, seed: 0 };
    let mut exchange = Exchange::new(read_call(), endless, T0);
    assert_eq!(exchange.deadline, T0.plus(PATIENCE_MAX));
    let ticket = Book::new(T0).reserve(&read_call(), T0).unwrap();
    exchange.handle_reserved(Ok(ticket), T0);
    assert!(matches!(exchange.next(), Step::Send { until, .. } if until == T0.plus(ATTEMPT_MAX)));
}
