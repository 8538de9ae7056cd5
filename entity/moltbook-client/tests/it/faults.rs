//! A service that breaks.

use entity_moltbook::Call;
use entity_moltbook::call::Page;
use entity_moltbook::exchange::Failure;
use entity_moltbook::inbound::Sort;
use entity_moltbook::reply::{Trouble, read};
use entity_moltbook_client::{CallError, Cancel, Client, Trust};
use entity_moltbook_fake::{Asking, Fault};

use crate::support::{KEY, Place, draft};

fn failed(client: &Client, call: Call) -> Failure {
    match client.call(call) {
        Err(CallError::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_read_comes_through_broken_connections_and_cut_answers() {
    let place = Place::new();
    place.server.fake().faults.script([Fault::Reset, Fault::Truncate, Fault::ResetAfter]);
    place.client().call(Call::Status).unwrap();
    assert_eq!(place.server.fake().seen().len(), 4);
}

#[test]
fn a_write_through_a_broken_connection_is_made_at_most_once_and_said_to_be_unsure() {
    for (fault, made) in [
        (Fault::Reset, 0),
        (Fault::ResetAfter, 1),
        (Fault::Truncate, 1),
        (Fault::Oversize, 1),
        (Fault::NoJson, 1),
    ] {
        let place = Place::new();
        place.server.fake().faults.script([fault.clone()]);
        let failure = failed(&place.client(), draft("T", "text"));
        assert!(matches!(failure, Failure::Unsure(_)), "{fault:?}: {failure}");
        assert_eq!(place.server.fake().service.posts().len(), made, "{fault:?}");
        assert_eq!(place.server.fake().seen().len(), 1, "{fault:?}");
    }
}

#[test]
fn an_answer_without_end_and_one_of_another_form_are_named() {
    let place = Place::new();
    let client = place.client();
    place.server.fake().faults.script([Fault::Oversize, Fault::NoJson, Fault::ChangedTypes]);
    assert_eq!(failed(&client, Call::Status), Failure::TooLarge);
    assert!(matches!(failed(&client, Call::Status), Failure::Incompatible(_)));
    let changed = client.call(Call::Status).unwrap();
    assert!(
        read::claim(&changed)
            .unwrap_err()
            .to_string()
            .contains("status should be a text and is a number")
    );
}

#[test]
fn a_service_that_cannot_show_who_it_is_gets_nothing() {
    let (place, other) = (Place::new(), Place::new());
    let mut settings = place.settings(KEY, 2);
    settings.trust = Trust::File(other.folder.path().join("fake.pem"));
    let client = Client::open(settings, Cancel::default()).unwrap();
    let failure = failed(&client, Call::Status);
    assert!(matches!(failure, Failure::Unreachable { trouble: Trouble::Tls, .. }), "{failure}");
    assert!(place.server.fake().seen().is_empty());
}

#[test]
fn a_challenge_is_shown_answered_by_somebody_and_remembered_until_then() {
    let place = Place::new();
    place.server.fake().service.ask(Asking::Always);
    let client = place.client();
    let created = read::created(&client.call(draft("T", "text")).unwrap()).unwrap();
    let challenge = created.challenge.unwrap();
    assert_eq!(place.server.fake().seen().len(), 1, "nobody has answered for us");
    let (book, _) = place.client().look().unwrap();
    let open = &book.challenges().open()[0];
    assert_eq!(
        (&open.code, &open.text),
        (&challenge.code, &challenge.text),
        "another program sees it"
    );
    assert_eq!(open.about.as_deref(), Some(created.id.as_str()));

    let answer = place.server.fake().service.answer_to(&challenge.code).unwrap();
    let verify = |answer: &str| {
        let code = entity_moltbook::words::Code::new(&challenge.code).unwrap();
        let answer = entity_moltbook::words::Answer::new(answer).unwrap();
        Call::Verify(entity_moltbook::call::Solution { code, answer })
    };
    client.call(verify(&answer)).unwrap();
    assert!(client.look().unwrap().0.challenges().open().is_empty());
    let list = read::list(&client.call(Call::Posts(Page::newest(1))).unwrap(), Sort::Post).unwrap();
    assert_eq!(list.items[0].id, created.id, "now others see it");
    assert!(matches!(failed(&client, verify(&answer)), Failure::Refused(_)));
    assert_eq!(
        client.look().unwrap().0.challenges().failures(),
        1,
        "counted as the service may count it"
    );
}

#[test]
fn a_wait_is_broken_off() {
    let place = Place::new();
    place.server.fake().faults.script([Fault::TooMany { seconds: 300 }]);
    let cancel = Cancel::default();
    let client = Client::open(place.settings(KEY, 600), cancel.clone()).unwrap();
    let waiting = std::thread::spawn(move || client.call(Call::Status));
    while place.server.fake().seen().is_empty() {
        std::thread::yield_now();
    }
    cancel.cancel();
    let outcome = waiting.join().unwrap();
    assert!(outcome.is_err(), "{outcome:?}");
}
