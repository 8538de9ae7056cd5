//! Requests get lost, come twice, and lose their answers. Each seed is another history; a failing one is named.

use std::time::Duration;

use entity_crypto::entropy::Entropy;
use entity_peer::config::{AutoConnect, Config};
use entity_peer::{Command, CommandResult};

use crate::handshake::config;
use crate::world::{World, message};

/// Sends messages both ways in bad weather, and returns how many were confirmed.
#[track_caller]
fn check(seed: u8) -> usize {
    let auto = |id| Config { auto_connect: AutoConnect::Connect, ..config(id) };
    let mut world = World::new([auto("a"), auto("b")]);
    world.acquaint("a", "b");
    world.weather = Some(Entropy::from_seed([seed; 32]));
    let mut sent = Vec::new();
    for number in 0..40 {
        let (from, to) = if number % 2 == 0 { ("a", "b") } else { ("b", "a") };
        let text = format!("{number}");
        let id = world.start(from, Command::Send(message(to, &text)));
        sent.push((id, to, text));
        world.advance(Duration::from_millis(700));
    }
    world.advance(Duration::from_mins(2));
    let mut confirmed = 0;
    for (id, to, text) in sent {
        let end = world.end_of(id).unwrap_or_else(|| panic!("seed {seed}: {text} has an end"));
        let arrived = world
            .received(to)
            .iter()
            .filter(|received| {
                received.body.get("text").and_then(|said| said.as_str()) == Some(text.as_str())
            })
            .count();
        assert!(arrived <= 1, "seed {seed}: {text} arrived {arrived} times");
        if matches!(end, Ok(CommandResult::Sent(_))) {
            assert_eq!(arrived, 1, "seed {seed}: {text} was confirmed");
            confirmed += 1;
        }
    }
    confirmed
}

#[test]
fn every_command_ends_and_no_message_is_handled_twice() {
    let confirmed: usize = (1..=30).map(check).sum();
    // The weather is bad, but not so bad that nothing is shown.
    assert!(confirmed > 30 * 40 / 2, "{confirmed} of {}", 30 * 40);
}
