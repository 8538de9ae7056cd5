//! Channels against a Slack that keeps the rules and has bad weather.

mod bot;
mod incoming;
mod secrecy;
mod webhook;

use std::path::Path;
use std::time::Duration;

use handfast_fakeslack::workspace::Limits;
use handfast_fakeslack::{FakeSlack, Settings as Workspace, Weather};

use super::message::sample;
use super::open::open_patient;
use super::settings::{SecretFrom, Service, Settings};
use super::{Channel, OpenError};
use crate::letter::{Key, Kind, Letter, Reference};
use crate::outcome::Outcome;

const HERE: &str = "C0FAKE001";
const TOKEN: &str = "xoxb-fake-token";

/// A workspace that is never in the way.
fn generous() -> Workspace {
    let limits = Limits { pace: Duration::ZERO, tier3_a_minute: 10_000, ..Limits::default() };
    Workspace { limits, ..Workspace::default() }
}

fn slack(workspace: Workspace) -> FakeSlack {
    FakeSlack::start(workspace, Weather::default()).unwrap()
}

fn open(service: Service, secret: &str) -> Result<Box<dyn Channel>, OpenError> {
    open_waiting(service, secret, PATIENCE)
}

fn open_waiting(
    service: Service,
    secret: &str,
    patience: Duration,
) -> Result<Box<dyn Channel>, OpenError> {
    let secret = secret.to_owned();
    let settings = Settings {
        name: "team".to_owned(),
        service,
        secret: SecretFrom::Environment("SECRET".to_owned()),
    };
    let environment = move |name: &str| (name == "SECRET").then(|| secret.clone());
    let opened = open_patient(&settings, &environment, Path::new("."), patience)?;
    Ok(opened.channel)
}

fn bot(slack: &FakeSlack) -> Box<dyn Channel> {
    bot_in(slack, HERE, TOKEN)
}

/// A bot that does not wait long: for what is never answered, and where it does not matter if an answer is missed.
fn hasty(slack: &FakeSlack) -> Box<dyn Channel> {
    let service = Service::SlackBot { channel: HERE.to_owned(), api: Some(slack.api()) };
    open_waiting(service, TOKEN, IMPATIENCE).unwrap()
}

fn bot_in(slack: &FakeSlack, channel: &str, token: &str) -> Box<dyn Channel> {
    let service = Service::SlackBot { channel: channel.to_owned(), api: Some(slack.api()) };
    open(service, token).unwrap()
}

fn letter(key: &str, kind: Kind) -> Letter {
    let mut letter = sample::letter(kind);
    letter.key = Key::new(key).unwrap();
    // Nothing that the fake has is older.
    letter.incident.opened_unix_us = 1_000_000;
    letter
}

fn told(outcome: Outcome) -> Option<Reference> {
    let Outcome::Told { reference } = outcome else { panic!("{outcome:?}") };
    reference
}

/// Delivers as an outbox does, without waiting: again until it is told.
fn deliver(channel: &dyn Channel, mut letter: Letter) -> (Option<Reference>, usize) {
    for attempt in 1..=50 {
        match channel.deliver(&letter) {
            Outcome::Told { reference } => return (reference, attempt),
            Outcome::Later { .. } => {}
            Outcome::Unsure { .. } => letter.unsure = true,
            never @ Outcome::Never { .. } => panic!("{never:?}"),
        }
    }
    panic!("{} was not told in 50 attempts", letter.key);
}

/// How long the tests wait for what is answered: longer than any machine is busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the tests wait for what is never answered.
const IMPATIENCE: Duration = Duration::from_millis(300);
