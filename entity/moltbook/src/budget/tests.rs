use std::time::Duration;

use super::limits::Span;
use super::*;
use crate::Moment;
use crate::call::{Call, Draft, Matter, Page, Remark, Solution};
use crate::challenge::{ANSWER_WITHIN, Challenge, FAILURES_MAX, OPEN_MAX, Verdict};
use crate::inbound::Untrusted;
use crate::words::{Answer, Code, CommentText, Id, PostText, Submolt, Title};

const T0: Moment = Moment(1_000_000_000_000);
const MINUTE: Duration = Duration::from_mins(1);

fn post() -> Call {
    Call::CreatePost(Draft {
        submolt: Submolt::new("general").unwrap(),
        title: Title::new("title").unwrap(),
        matter: Matter::Text(PostText::new("text").unwrap()),
    })
}

fn comment() -> Call {
    let text = CommentText::new("text").unwrap();
    Call::Comment(Remark { post: Id::new("p").unwrap(), parent: None, text })
}

fn read() -> Call {
    Call::Posts(Page::newest(5))
}

fn verify() -> Call {
    let code = Code::new("c").unwrap();
    Call::Verify(Solution { code, answer: Answer::new("1").unwrap() })
}

fn settle(ticket: Ticket, settlement: Settlement) -> Settle {
    Settle { ticket, settlement, sent: T0, date: None, pause: None, challenge: None, verdict: None }
}

fn challenge(code: &str) -> Challenge {
    let text = Untrusted::new("one and one?", 100);
    Challenge { code: code.to_owned(), text, instructions: None, about: Some("p".to_owned()) }
}

fn old() -> Book {
    let mut book = Book::new(T0);
    book.set_established();
    book
}

/// Reserves and settles, with `took` in between.
fn spend(book: &mut Book, call: &Call, now: Moment, took: Duration) {
    let ticket = book.reserve(call, now).unwrap();
    book.settle(settle(ticket, Settlement::Used), now.plus(took));
}

#[test]
fn a_window_begins_when_the_answer_came() {
    let mut book = old();
    spend(&mut book, &post(), T0, MINUTE);
    let half_hour = 30 * MINUTE;
    let early = book.reserve(&post(), T0.plus(half_hour)).unwrap_err();
    let until = T0.plus(MINUTE + half_hour + Duration::from_secs(2));
    assert_eq!(early.until(), Some(until));
    assert_eq!(early.to_string(), "the budget of 1 post in 30 min is used up for another 62 s");
    assert!(book.reserve(&post(), until.minus(Duration::from_micros(1))).is_err());
    assert!(book.reserve(&post(), until).is_ok());
}

#[test]
fn what_is_in_flight_is_in_the_way_for_a_whole_window_from_now() {
    let mut book = old();
    book.reserve(&post(), T0).unwrap();
    let now = T0.plus(29 * MINUTE);
    let denied = book.reserve(&post(), now).unwrap_err();
    assert_eq!(denied.until(), Some(now.plus(30 * MINUTE + Duration::from_secs(2))));
}

#[test]
fn what_was_certainly_not_done_is_given_back_and_its_request_is_not() {
    let mut book = old();
    let ticket = book.reserve(&post(), T0).unwrap();
    book.settle(settle(ticket, Settlement::NotDone), T0);
    assert!(book.reserve(&post(), T0).is_ok());
    assert_eq!(book.rooms(T0)[0].used, 2);
}

#[test]
fn a_new_account_has_the_limits_of_the_first_day() {
    let mut book = Book::new(T0);
    assert_eq!(book.standing(T0), Standing::New);
    spend(&mut book, &post(), T0, Duration::ZERO);
    assert!(book.reserve(&post(), T0.plus(119 * MINUTE)).is_err());
    let day = T0.plus(limits::NEW_FOR + 2 * MINUTE);
    assert_eq!(book.standing(day), Standing::Established);
}

#[test]
fn each_limit_is_reached_and_holds() {
    for standing in [Standing::New, Standing::Established] {
        for limit in standing.limits() {
            let mut book = Book::new(T0);
            book.established = standing == Standing::Established;
            let call = match limit.kind {
                Kind::Request => read(),
                Kind::Post => post(),
                Kind::Comment => comment(),
                Kind::Answer => verify(),
            };
            // As fast as the shorter limits of the kind allow.
            let step = standing
                .limits()
                .iter()
                .filter(|other| other.kind == limit.kind && other.window < limit.window);
            let step = step.map(Limit::occupies).max().unwrap_or_default();
            let mut now = T0;
            for _ in 0..limit.count {
                spend(&mut book, &call, now, Duration::ZERO);
                now = now.plus(step);
            }
            let denied = book.reserve(&call, now).unwrap_err();
            assert_eq!(denied.until(), Some(T0.plus(limit.occupies())), "{limit}");
        }
    }
}

#[test]
fn a_pause_is_kept_and_has_an_end() {
    let mut book = old();
    let ticket = book.reserve(&comment(), T0).unwrap();
    let pause = Some((Kind::Comment, Duration::MAX));
    book.settle(Settle { pause, ..settle(ticket, Settlement::NotDone) }, T0);
    let denied = book.reserve(&comment(), T0.plus(MINUTE)).unwrap_err();
    assert_eq!(denied.until(), Some(T0.plus(book::PAUSE_MAX)), "a week at most");
    assert!(book.reserve(&post(), T0).is_ok(), "of comments only");
    assert!(book.reserve(&comment(), T0.plus(book::PAUSE_MAX)).is_ok());
}

#[test]
fn a_shorter_pause_does_not_end_a_longer_one() {
    let mut book = old();
    for length in [10 * MINUTE, MINUTE] {
        let ticket = Ticket(0);
        let pause = Some((Kind::Request, length));
        book.settle(Settle { pause, ..settle(ticket, Settlement::Used) }, T0);
    }
    assert_eq!(book.reserve(&read(), T0).unwrap_err().until(), Some(T0.plus(10 * MINUTE)));
}

#[test]
fn nothing_is_written_while_too_many_challenges_fail_or_wait() {
    let mut book = old();
    for nth in 0..FAILURES_MAX {
        assert!(book.challenges.gate().is_ok());
        book.challenges.issue(challenge(&nth.to_string()), T0);
    }
    let denied = book.reserve(&post(), T0).unwrap_err();
    assert_eq!(denied.until(), None, "waiting does not help");
    assert!(book.reserve(&comment(), T0).is_err());
    assert!(book.reserve(&read(), T0).is_ok());
    assert!(book.reserve(&verify(), T0).is_ok());
    let late = T0.plus(ANSWER_WITHIN);
    assert!(book.reserve(&post(), late).is_err(), "what nobody answered has failed");
    assert_eq!(book.challenges().failures(), 5);
    book.challenges.issue(challenge("x"), late);
    book.challenges.judge("x", Verdict::Right);
    assert_eq!(book.challenges().failures(), 0);
    assert!(book.reserve(&post(), late).is_ok());
}

#[test]
fn the_oldest_of_too_many_open_challenges_counts_as_failed() {
    let mut book = old();
    for nth in 0..=OPEN_MAX {
        book.challenges.issue(challenge(&nth.to_string()), T0);
        book.challenges.issue(challenge(&nth.to_string()), T0);
    }
    assert_eq!(book.challenges().open().len(), OPEN_MAX);
    assert_eq!(book.challenges().failures(), 1);
}

fn boot() -> Boot {
    Boot::known("5f9e7c51-6f5f-4ed1-8c2f-6bb6b7ff6f0a")
}

#[test]
fn a_book_has_this_form_for_ever() {
    let mut book = old();
    let ticket = book.reserve(&post(), T0).unwrap();
    let settled = Settle {
        date: Some(1_780_000_000),
        pause: Some((Kind::Comment, MINUTE)),
        challenge: Some(challenge("code")),
        ..settle(ticket, Settlement::Used)
    };
    book.settle(settled, T0.plus(Duration::from_secs(1)));
    let bytes = book.to_bytes(&boot(), T0.plus(Duration::from_secs(2)));
    assert_eq!(
        String::from_utf8(bytes.clone()).unwrap(),
        concat!(
            r#"{"format":"moltbook.budget","version":1,"boot":"5f9e7c51-6f5f-4ed1-8c2f-6bb6b7ff6f0a","saved_us":1000002000000,"#,
            r#""began_us":1000000000000,"established":true,"tickets":1,"#,
            r#""spends":[{"ticket":1,"kind":"request","at_us":1000001000000,"open":false},{"ticket":1,"kind":"post","at_us":1000001000000,"open":false}],"#,
            r#""pauses":[{"kind":"comment","made_us":1000001000000,"until_us":1000061000000}],"#,
            r#""challenges":{"failures":0,"open":[{"code":"code","text":{"text":"one and one?"},"about":"p","issued_us":1000001000000,"until_us":1000301000000}]},"#,
            r#""clock":{"anchor":{"service_s":1780000000,"at":1000000000000}}}"#,
            "\n"
        )
    );
    assert_eq!(Book::from_bytes(&bytes, &boot(), T0.plus(Duration::from_secs(3))).unwrap(), book);
}

#[test]
fn a_book_that_was_changed_or_cut_is_never_taken_for_an_empty_one() {
    let mut book = old();
    spend(&mut book, &post(), T0, Duration::ZERO);
    let bytes = book.to_bytes(&boot(), T0);
    for end in 0..bytes.len() - 1 {
        assert!(Book::from_bytes(&bytes[..end], &boot(), T0).is_err(), "cut at {end}");
    }
    let text = String::from_utf8(bytes).unwrap();
    for (from, to) in [
        (r#""version":1"#, r#""version":2"#),
        ("moltbook.budget", "moltbook.other"),
        (r#""tickets":1"#, r#""tickets":0"#),
        (r#""at_us":1000000000000"#, r#""at_us":1000000000001"#),
        (r#""began_us":1000000000000"#, r#""began_us":1000000000001"#),
        (r#""established""#, r#""unheard":1,"established""#),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        assert!(Book::from_bytes(changed.as_bytes(), &boot(), T0).is_err(), "{to}");
    }
    let long = format!("{text}{}", " ".repeat(file::BOOK_MAX));
    assert!(matches!(Book::from_bytes(long.as_bytes(), &boot(), T0), Err(file::Damaged::Long)));
}

#[test]
fn nothing_local_is_believed_over_a_restart_of_the_system() {
    let mut book = old();
    spend(&mut book, &post(), T0, Duration::ZERO);
    let bytes = book.to_bytes(&boot(), T0);
    let half_hour = 30 * MINUTE + Duration::from_secs(2);
    for (boot, now) in [
        (Boot::known("another"), T0.plus(Duration::from_hours(2160))),
        (Boot::known("another"), Moment(5)),
        (Boot::unknown(), T0.plus(half_hour * 2)),
        (boot(), T0.minus(MINUTE)),
    ] {
        let book = Book::from_bytes(&bytes, &boot, now).unwrap();
        let room = book.rooms(now)[1];
        assert_eq!(room.next, now.plus(half_hour).minus(Duration::from_micros(1)), "{boot:?}");
    }
    let later = T0.plus(half_hour);
    let book = Book::from_bytes(&bytes, &boot(), later).unwrap();
    assert_eq!(book.rooms(later)[1].next, later, "but the clock since the start is");
}

#[test]
fn the_services_dates_give_back_what_really_passed() {
    let mut book = old();
    let ticket = book.reserve(&post(), T0).unwrap();
    let date = Some(1_780_000_000);
    book.settle(Settle { date, ..settle(ticket, Settlement::Used) }, T0);
    let bytes = book.to_bytes(&boot(), T0);

    for (passed, room) in [(20 * 60, false), (29 * 60, false), (31 * 60, true)] {
        let now = Moment(7_000_000);
        let mut book = Book::from_bytes(&bytes, &Boot::known("next"), now).unwrap();
        assert!(book.is_adrift());
        assert!(book.reserve(&post(), now).is_err());
        let ticket = book.reserve(&read(), now).unwrap();
        let date = Some(1_780_000_000 + passed);
        book.settle(Settle { date, sent: now, ..settle(ticket, Settlement::Used) }, now);
        assert!(!book.is_adrift());
        assert_eq!(book.reserve(&post(), now).is_ok(), room, "after {passed} s");
    }
}

#[test]
fn what_is_spent_while_adrift_is_not_moved_back() {
    let mut book = old();
    let ticket = book.reserve(&read(), T0).unwrap();
    book.settle(Settle { date: Some(1_000), ..settle(ticket, Settlement::Used) }, T0);
    let now = Moment(0);
    let mut book =
        Book::from_bytes(&book.to_bytes(&boot(), T0), &Boot::known("next"), now).unwrap();
    spend(&mut book, &post(), now, Duration::ZERO);
    let ticket = book.reserve(&read(), now).unwrap();
    book.settle(Settle { date: Some(100_000), ..settle(ticket, Settlement::Used) }, now);
    assert!(book.reserve(&post(), now.plus(MINUTE)).is_err());
}

#[test]
fn a_book_kept_while_adrift_gives_nothing_back() {
    let mut book = old();
    let ticket = book.reserve(&post(), T0).unwrap();
    book.settle(Settle { date: Some(1_000), ..settle(ticket, Settlement::Used) }, T0);
    let mut bytes = book.to_bytes(&boot(), T0);
    for id in ["second", "third"] {
        let book = Book::from_bytes(&bytes, &Boot::known(id), Moment(0)).unwrap();
        bytes = book.to_bytes(&Boot::known(id), Moment(0));
    }
    let book = Book::from_bytes(&bytes, &Boot::known("third"), Moment(0)).unwrap();
    assert!(!book.is_adrift());
    assert!(book.rooms(Moment(0))[1].next > Moment(0));
}

#[test]
fn a_book_never_grows_beyond_what_the_limits_allow() {
    let mut book = old();
    let mut now = T0;
    for _ in 0..5_000 {
        for call in [read(), comment(), verify(), post()] {
            if let Ok(ticket) = book.reserve(&call, now) {
                book.settle(settle(ticket, Settlement::Used), now);
            }
        }
        now = now.plus(Duration::from_secs(7));
        assert!(book.spends.len() < book::SPENDS_MAX);
    }
    assert!(book.to_bytes(&boot(), now).len() < file::BOOK_MAX);
}

#[test]
fn times_are_said_as_people_say_them() {
    for (seconds, said) in [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (121, "3 min"),
        (7_200, "2 h"),
        (7_202, "121 min"),
        (36_001, "11 h"),
    ] {
        assert_eq!(Span(Duration::from_secs(seconds)).to_string(), said);
    }
    assert_eq!(Span(Duration::from_millis(1)).to_string(), "1 s");
}
