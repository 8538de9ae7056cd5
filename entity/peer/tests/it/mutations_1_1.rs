//! Random changes of a conversation in 1.1.

use entity_crypto::entropy::Entropy;

use crate::v1_1::{send, texts, world};
use crate::world::open;

#[test]
fn ten_thousand_mutations_of_a_conversation_are_refused_without_harm() {
    let mut world = world();
    open(&mut world, "a", "b");
    for text in ["one", "two"] {
        send(&mut world, "a", "b", text);
    }
    let conversation: Vec<_> = world.passed.iter().map(|passed| passed.body.clone()).collect();
    let mut dice = Entropy::from_seed([42; 32]);
    let mut below =
        |bound: usize| usize::try_from(u32::from_be_bytes(dice.bytes())).unwrap() % bound;
    let handled = world.handled("b");
    for _ in 0..10_000 {
        let original = &conversation[below(conversation.len())];
        let mut mutated = original.to_vec();
        for _ in 0..=below(3) {
            let at = below(mutated.len());
            match below(4) {
                0 => mutated[at] ^= 1 << below(8),
                1 => drop(mutated.remove(at)),
                2 => mutated.insert(at, u8::try_from(below(256)).unwrap()),
                _ => mutated.truncate(at.max(1)),
            }
        }
        let accepted = world.inject("b", &mutated).status == 200;
        let step = parsed(&mutated).is_some_and(|message| parsed(original) == Some(message));
        assert!(!accepted || step, "only another spelling of a known step is taken: {mutated:?}");
    }
    assert_eq!(world.handled("b"), handled, "nothing reached a handler");
    send(&mut world, "a", "b", "three");
    assert_eq!(texts(&world, "b"), ["one", "two", "three"]);
}

fn parsed(body: &[u8]) -> Option<Vec<u8>> {
    let value = entity_wire::json::parse(body, &entity_wire::json::RULES_1_1).ok()?;
    Some(entity_wire::canonical::to_vec(&value))
}

#[test]
fn a_fresh_peer_survives_the_same_mutations() {
    // Without a session most of them fail earlier, and handshake steps go further.
    let mut source = world();
    open(&mut source, "a", "b");
    let steps: Vec<_> = source.passed.iter().map(|passed| passed.body.clone()).collect();
    let mut dice = Entropy::from_seed([43; 32]);
    let mut world = world();
    for _ in 0..2_000 {
        let mut mutated = steps[usize::from(dice.bytes::<1>()[0]) % steps.len()].to_vec();
        let at = usize::from(u16::from_be_bytes(dice.bytes())) % mutated.len();
        mutated[at] = dice.bytes::<1>()[0];
        let reply = world.inject("b", &mutated);
        let same = steps.iter().any(|step| parsed(step) == parsed(&mutated));
        assert!(reply.status != 200 || same, "{mutated:?}");
    }
    assert_eq!(world.handled("b"), 0);
}
