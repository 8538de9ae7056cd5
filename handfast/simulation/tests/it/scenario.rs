//! Scenario files on whole peers in virtual time.
#![expect(clippy::unwrap_used, reason = "the helpers of the tests are tests, too")]

use handfast_scenario::event::{Half, WireTaken};
use handfast_scenario::scenario::Vocabulary;
use handfast_scenario::{RunEvent, Scenario, Verdict};
use handfast_simulation::scenario::{Played, play, unplayable};

/// A file of `scenarios/`, as it is.
fn file(path: &str) -> Vec<Scenario> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/");
    let text = std::fs::read_to_string(format!("{root}{path}")).unwrap();
    Scenario::parse(path, &text, &Vocabulary::default()).unwrap()
}

fn scenario(text: &str) -> Scenario {
    Scenario::parse("test_e2e_x.toml", text, &Vocabulary::default()).unwrap().remove(0)
}

#[track_caller]
fn passes(scenario: &Scenario, seed: u64) -> Played {
    let played = play(scenario, seed);
    assert_eq!(played.verdict, Verdict::Passed, "{} with seed {seed}", scenario.id);
    played
}

#[track_caller]
fn fails(scenario: &Scenario, seed: u64, part: &str) {
    let verdict = play(scenario, seed).verdict;
    let Verdict::Failed { reason } = &verdict else {
        panic!("expected a failure with {part:?}, got {verdict:?}")
    };
    assert!(reason.contains(part), "{reason}");
}

/// Each variant of each file can be played, and passes with three seeds.
#[track_caller]
fn all_pass(files: &[&str]) {
    for path in files {
        for scenario in file(path) {
            assert_eq!(unplayable(&scenario), [""; 0], "{path}");
            for seed in 0..3 {
                passes(&scenario, seed);
            }
        }
    }
}

/// The same files that processes play.
#[test]
fn the_scenarios_of_processes_pass_with_every_seed() {
    all_pass(&[
        "token/test_e2e_a_pays_b_across_a_crash.toml",
        "session/test_e2e_a_session_outlives_both_its_ends.toml",
        "delivery/test_e2e_a_cut_of_ten_seconds_costs_nothing.toml",
        "delivery/test_e2e_an_absent_peer_is_noticed_and_gets_everything_when_it_returns.toml",
        "task/test_e2e_a_task_is_done_and_paid.toml",
        "meeting/test_e2e_two_peers_connect_by_themselves.toml",
        "peer_service/test_integration_one_peer_serves_three_at_once.toml",
        "runner/test_e2e_peers_that_are_paused_killed_and_crash_again_come_back.toml",
    ]);
}

#[test]
fn the_same_seed_has_the_same_history_and_another_seed_another() {
    let scenario = &file("token/test_e2e_a_pays_b_across_a_crash.toml")[0];
    let (first, again) = (passes(scenario, 7), passes(scenario, 7));
    assert_eq!((first.history, first.events.len()), (again.history, again.events.len()));
    assert_eq!(first.events, again.events);
    assert_ne!(passes(scenario, 8).history, first.history);
}

#[test]
fn what_a_run_says_is_what_a_run_on_processes_says() {
    let played = passes(&file("token/test_e2e_a_pays_b_across_a_crash.toml")[0], 1);
    let events: Vec<&RunEvent> = played.events.iter().map(|recorded| &recorded.event).collect();
    let has = |is: fn(&RunEvent) -> bool| events.iter().any(|event| is(event));
    assert!(has(|event| matches!(event, RunEvent::PeerStarted { key: Some(_), .. })));
    assert!(has(|event| matches!(event, RunEvent::PeerExited { expected: true, .. })));
    assert!(has(
        |event| matches!(event, RunEvent::PeerEvent { event, .. } if event.as_str() == "token.vote_requested")
    ));
    assert!(has(
        |event| matches!(event, RunEvent::WireMessage { message_type: Some(kind), response: Some(_), .. } if kind == "token_receipt")
    ));
    let times: Vec<u64> = played.events.iter().map(|recorded| recorded.at_us).collect();
    assert!(times.is_sorted());
}

#[test]
fn what_cannot_be_played_is_named_with_its_line() {
    let text = "name = 'x'\n[roles.a]\nenv = { ENTITY_WS = 'only' }\n[roles.b]\npeer = 'python'\n\
                [[step]]\nrole = 'a'\ncall = 'wire.send_raw'\n[[step]]\nwire = { from = 'a', to = 'b', nth = 'next', duplicate = true }\n\
                [[step]]\nrepeat = { count = 2 }\n  [[step.do]]\n  measure = ['a']\n";
    let found = unplayable(&scenario(text));
    let expected = [
        "line 2: ENTITY_WS = \"only\" of role a is not simulated",
        "line 4: role b is played by python, and only entity peers are simulated",
        "line 6: wire.send_raw is not simulated",
        "line 9: a second copy of a message is not simulated",
        "line 13: measuring processes is not simulated",
    ];
    assert_eq!(found, expected);
    assert!(matches!(play(&scenario(text), 1).verdict, Verdict::Infra { .. }));
}

const OPENED: &str = "name = 'x'\n[roles.a]\nprotocol = '1.1'\n[roles.b]\nprotocol = '1.1'\n\
                      [[step]]\nrole = 'a'\ncall = 'session.open'\nwith = { to = '${b.name}' }\nsave = { session = 'id' }\n";

#[test]
fn an_expectation_that_does_not_hold_fails_with_its_line() {
    let text = format!(
        "{OPENED}[[step]]\nexpect = 'session.list'\non = ['b']\neventually = '2s'\nhas = {{ state = 'gone' }}\n"
    );
    fails(&scenario(&text), 1, "line 11: ");
    let text = format!("{OPENED}[[step]]\nevent = 'task.done'\non = 'a'\nwithin = '2s'\n");
    fails(&scenario(&text), 1, "expected task.done from a, it never came");
    let text =
        format!("{OPENED}[[step]]\nnever = 'session.ready'\non = ['b']\nfor = 'until-next-step'\n");
    fails(&scenario(&text), 1, "expected no session.ready from b");
    let text = format!("{OPENED}[[step]]\ncheck = ['tokens-conserved']\n");
    fails(&scenario(&text), 1, "no ledger was audited");
}

#[test]
fn a_fault_whose_moment_does_not_come_is_no_pass() {
    let text = format!(
        "{OPENED}[[step]]\nfault = {{ kill = 'b', when = {{ event = 'task.received', role = 'b' }} }}\n"
    );
    let verdict = play(&scenario(&text), 1).verdict;
    let Verdict::Infra { reason } = &verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("its moment did not come"), "{reason}");
}

/// A ledger of two, a payment, and what disturbs them meanwhile.
fn disturbed(disturbances: &str) -> Scenario {
    let genesis = "with.genesis = { committee = ['${a.key}', '${b.key}'], tokens = [{ token = 'AGT', issuer = '${a.key}', cap = '1000' }] }";
    let open = |role: &str| format!("[[step]]\nrole = '{role}'\ncall = 'token.open'\n{genesis}\n");
    let pay = "[[step]]\nrepeat = { count = 5 }\n  [[step.do]]\n  role = 'a'\n  call = 'token.transfer'\n  with = { to = '${b.key}', amount = '10' }\n  within = '1s'\n  outcome = 'unknown'\n";
    let see = "[[step]]\nexpect = 'token.balance'\non = ['a', 'b']\nwith = { of = '${b.key}' }\neventually = '60s'\nfield = 'pending'\ncount = 0\n\
               [[step]]\nexpect = 'token.pending'\non = ['a']\nfield = 'pending'\neventually = '60s'\ncount = 0\n\
               [[step]]\nexpect = 'token.audit'\non = ['a', 'b']\nfield = 'tokens'\ncount = 1\n\
               [[step]]\ncheck = ['tokens-conserved', 'linearizable']\n";
    let head = "name = 'x'\nconnect = true\nnetwork = { delay = '20ms', jitter = '5ms', loss = 0.05 }\n[roles.a]\nprotocol = '1.1'\n[roles.b]\nprotocol = '1.1'\n";
    let calm = "[[step]]\ncalm = '30s'\n[[step]]\nrole = 'a'\ncall = 'token.transfer'\nwith = { to = '${b.key}', amount = '1' }\nwithin = '90s'\nreturns = { state = 'applied' }\n";
    scenario(&format!("{head}{disturbances}{}{}{pay}{calm}{see}", open("a"), open("b")))
}

#[test]
fn disturbances_come_and_go_in_virtual_time() {
    let disturbances = [
        "at = '100ms'\nfor = '3s'\nnetwork = { between = ['a', 'b'], loss = 0.5 }\n",
        "at = '100ms'\nfor = '4s'\ncut = { between = ['a', 'b'], how = 'silent' }\n",
        "at = '100ms'\nfor = '2s'\ncut = { from = 'a', to = 'b', how = 'reset' }\n",
        "when = { event = 'token.vote_requested', role = 'b' }\nfor = '2s'\nkill = 'b'\n",
        "when = { event = 'token.vote_requested', role = 'b' }\nfor = '2s'\npause = 'b'\n",
        "at = '50ms'\ncrash-loop = { role = 'b', times = 3, every = '500ms' }\n",
        "at = '50ms'\nfor = '2s'\nclock = { role = 'b', offset = '-90s' }\n",
    ];
    for text in disturbances {
        let scenario = disturbed(&format!("[[disturbance]]\n{text}"));
        assert_eq!(unplayable(&scenario), [""; 0], "{text}");
        for seed in 0..3 {
            let played = play(&scenario, seed);
            assert_eq!(played.verdict, Verdict::Passed, "{text} with seed {seed}");
            let states = played
                .events
                .iter()
                .filter(|recorded| matches!(recorded.event, RunEvent::Disturbance { .. }));
            assert!(states.count() >= 1, "{text}");
        }
    }
}

#[test]
fn a_disturbance_that_never_comes_is_no_pass() {
    let scenario =
        disturbed("[[disturbance]]\nwhen = { event = 'task.done', role = 'b' }\npause = 'b'\n");
    let verdict = play(&scenario, 1).verdict;
    let Verdict::Infra { reason } = &verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("b never told of task.done"), "{reason}");
}

/// As on a link on which an answer gets lost: everything else is done before the sender knows that its message arrived.
#[test]
fn a_message_that_is_under_way_when_it_is_to_be_calm_still_begins_what_waits_for_it() {
    let disturbance = "[[disturbance]]\nwhen = { from = 'a', to = 'b', type = 'message', nth = 1 }\nfor = '1s'\npause = 'b'\n";
    let steps = "[[step]]\nrole = 'a'\ncall = 'message.send'\nwith = { to = '${b.name}', durable = true, body = { x = 1 } }\nreturns = { queued = true }\n\
                 [[step]]\ncalm = '30s'\n";
    let text = OPENED.replace("name = 'x'\n", &format!("name = 'x'\n{disturbance}"));
    for seed in 0..5 {
        let played = passes(&scenario(&format!("{text}{steps}")), seed);
        assert!(played.length >= std::time::Duration::from_secs(1), "{:?}", played.length);
    }
}

/// What is under way is waited for only where something waits for it.
#[test]
fn a_message_that_nobody_waits_for_keeps_nothing_from_being_calm() {
    let steps = "[[step]]\nrole = 'a'\ncall = 'message.send'\nwith = { to = '${b.name}', durable = true, body = { x = 1 } }\n\
                 [[step]]\nfault = { pause = 'b' }\n[[step]]\ncalm = '30s'\n";
    let played = passes(&scenario(&format!("{OPENED}{steps}")), 1);
    assert!(played.length < std::time::Duration::from_secs(1), "{:?}", played.length);
}

/// What the record says of the messages of this type, in their order.
fn taken(played: &Played, kind: &str) -> Vec<WireTaken> {
    let action = |event: &RunEvent| {
        let RunEvent::WireMessage { message_type: Some(of), action, .. } = event else {
            return None;
        };
        (of == kind).then(|| action.clone())
    };
    played.events.iter().filter_map(|recorded| action(&recorded.event)).collect()
}

const DURABLE: &str = "[[step]]\nrole = 'a'\ncall = 'message.send'\nwith = { to = '${b.name}', durable = true, body = { x = 1 } }\n";
const ARRIVED: &str = "[[step]]\nexpect = 'outbox.list'\non = 'a'\neventually = '30s'\ncount = 0\n\
                       [[step]]\nexpect = 'message.inbox'\non = 'b'\ncount = 1\n[[step]]\ncheck = ['exactly-once']\n";

/// Lays a rule on the next message and sends one, which arrives once in the end, whatever the rule did to the first attempt.
#[track_caller]
fn rule_on_a_message(rule: &str, expected: &WireTaken) {
    let wire = format!(
        "[[step]]\nwire = {{ from = 'a', to = 'b', type = 'message', nth = 'next', {rule} }}\n"
    );
    for seed in 0..3 {
        let played = passes(&scenario(&format!("{OPENED}{wire}{DURABLE}{ARRIVED}")), seed);
        assert_eq!(taken(&played, "message").first(), Some(expected), "{rule}");
    }
}

#[test]
fn rules_on_the_wire_do_what_the_proxy_does() {
    let (request, response) = (Half::Request, Half::Response);
    rule_on_a_message("cut = true", &WireTaken::Cut { half: request });
    rule_on_a_message("drop = true", &WireTaken::Dropped { half: request });
    rule_on_a_message("on = 'response', cut = true", &WireTaken::Cut { half: response });
    rule_on_a_message("respond = { status = 503 }", &WireTaken::Responded { half: request });
    rule_on_a_message(
        "on = 'response', respond = { status = 503 }",
        &WireTaken::Responded { half: response },
    );
}

#[test]
fn a_message_that_is_held_goes_on_when_it_is_released() {
    let wire =
        "[[step]]\nwire = { from = 'a', to = 'b', type = 'message', nth = 'next', hold = true }\n";
    let release = "[[step]]\nwire = { from = 'a', to = 'b', release = 'first' }\n";
    let played = passes(&scenario(&format!("{OPENED}{wire}{DURABLE}{release}{ARRIVED}")), 1);
    let taken = taken(&played, "message");
    assert!(matches!(taken[..], [WireTaken::Held { .. }]), "{taken:?}");
}

#[test]
fn a_rule_that_meets_nothing_is_no_pass() {
    let text = format!(
        "{OPENED}[[step]]\nwire = {{ from = 'a', to = 'b', type = 'task_delegate', nth = 'next', cut = true }}\n"
    );
    let verdict = play(&scenario(&text), 1).verdict;
    let Verdict::Infra { reason } = &verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("line 11: ") && reason.contains("no message matched"), "{reason}");
}

#[test]
fn scenarios_with_rules_on_the_wire_and_transfers_pass_in_virtual_time() {
    all_pass(&[
        "chaos/test_e2e_files_arrive_whatever_happens.toml",
        "chaos/test_e2e_a_lost_acknowledgement_doubles_nothing.toml",
        "chaos/test_e2e_a_payment_is_made_once_whatever_gets_lost.toml",
        "chaos/test_e2e_a_sender_waits_longer_each_time_and_comes_back.toml",
        "chaos/test_e2e_two_resumptions_at_once_agree.toml",
    ]);
}

#[test]
fn a_file_that_would_have_to_be_on_a_disk_is_named_with_its_line() {
    let text = format!(
        "{OPENED}[[step]]\nrole = 'a'\ncall = 'transfer.send'\nwith = {{ to = '${{b.name}}', path = 'x' }}\n"
    );
    assert_eq!(unplayable(&scenario(&text)), ["line 11: transfer.send of a file is not simulated"]);
}

#[test]
fn a_limit_of_the_machine_is_named_with_its_line() {
    let found =
        unplayable(&disturbed("[[disturbance]]\nat = '1s'\nlimit = { role = 'b', cpu = '20%' }\n"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("limit of b") && found[0].starts_with("line 8: "), "{found:?}");
}
