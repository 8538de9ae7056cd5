//! Every target over its corpus and a fixed number of inputs from one seed.

use fuzz::{Outcome, Plan, Tally, check, run, targets};

/// Unoptimised a small part of them, as one test among all; optimised, in the suite `optimised`, all of them.
const INPUTS: u64 = if cfg!(debug_assertions) { 500 } else { 20_000 };

const SEED: u64 = 20_261_122;

/// Runs the target of that name; a part of its inputs is taken, and a part refused, or nothing would have been shown.
#[track_caller]
fn holds(name: &str) {
    let target = targets::named(name).unwrap();
    let corpus = (target.corpus)();
    assert!(!corpus.entries().is_empty(), "without a corpus nothing is tried");
    for entry in corpus.entries() {
        let outcome = check(&target, entry).map(|(outcome, _)| outcome);
        assert_eq!(outcome, Ok(Outcome::Taken), "{}", fuzz::law::show(entry));
    }
    let plan = Plan { seed: SEED, from: 0, inputs: INPUTS };
    let tally = run(&target, plan).unwrap_or_else(|finding| panic!("{finding}"));
    let Tally { taken, refused, .. } = tally;
    assert!(taken + refused >= INPUTS);
    assert!(taken >= INPUTS / 200, "{name}: of {INPUTS} inputs only {taken} were taken");
    assert!(refused >= INPUTS / 50, "{name}: of {INPUTS} inputs only {refused} were refused");
}

macro_rules! targets_hold {
    ($($name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                holds(stringify!($name));
            }
        )*

        #[test]
        fn every_target_has_its_test_here() {
            let here: Vec<_> = vec![$(stringify!($name)),*];
            let all: Vec<_> = targets::ALL.iter().map(|target| target.name).collect();
            assert_eq!(here, all);
        }
    };
}

targets_hold! {
    chunk,
    chunk_1_0,
    contract_line,
    conversation,
    dht_message,
    dht_record,
    envelope_1_0,
    envelope_1_0_compat,
    envelope_1_1,
    expected,
    foreign_key,
    frame,
    frame_batch,
    frame_chunk,
    frame_message,
    handover,
    json,
    jwt,
    jwt_claims,
    key_file,
    names,
    node_config,
    node_line,
    payload_1_0,
    payload_1_1,
    plaintext,
    project,
    record,
    relay,
    relay_control,
    reply,
    scenario,
    schedule,
    shard_plan,
    socket,
    statement,
    token,
    workflow,
}

#[test]
fn a_seed_gives_the_same_inputs_again_and_another_gives_others() {
    let target = targets::named("envelope_1_1").unwrap();
    let corpus = (target.corpus)();
    let inputs =
        |seed| (0..50).map(|index| fuzz::input(&target, &corpus, seed, index)).collect::<Vec<_>>();
    assert_eq!(inputs(1), inputs(1));
    assert_ne!(inputs(1), inputs(2));
}

#[test]
fn inputs_are_many_kinds_of_wrong_and_few_are_alike() {
    let target = targets::named("envelope_1_1").unwrap();
    let corpus = (target.corpus)();
    let inputs: std::collections::BTreeSet<_> =
        (0..1_000).map(|index| fuzz::input(&target, &corpus, SEED, index)).collect();
    assert!(inputs.len() > 900, "{} different ones", inputs.len());
    assert!(inputs.iter().any(|input| std::str::from_utf8(input).is_err()));
    assert!(inputs.iter().any(|input| input.len() > 10_000));
    assert!(inputs.iter().any(|input| input.len() < 100));
}
