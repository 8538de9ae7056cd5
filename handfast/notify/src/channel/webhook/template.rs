//! From a letter to JSON.
//!
//! Within a template every `{{ … }}` becomes a JSON value (a text with its quotes), so that no name can break the message. The result is
//! parsed before it is sent. A template is tried with every kind of letter when its channel is opened, so that a mistake is seen then.

use std::io;
use std::path::Path;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value};

use super::facts::{Facts, markdown};
use crate::channel::message::text::plain;
use crate::channel::open::Refused;
use crate::letter::{
    Class, Counts, Death, Failure, Incident, Key, Kind, Letter, Mention, Note, Owner, State,
};

/// A template that renders.
#[derive(Debug)]
pub(super) struct Template {
    environment: Environment<'static>,
    /// Its file, or the name of a built-in one.
    name: String,
}

impl Template {
    /// Takes a built-in template by its name, or reads a file relative to the project, and tries it.
    pub(super) fn load(name: &str, folder: &Path) -> Result<Self, Refused> {
        let source = match BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            Some((_, source)) => (*source).to_owned(),
            None => read(name, folder)?,
        };
        let template = Self::new(name, source)?;
        for letter in trials() {
            template.render(&letter)?;
        }
        Ok(template)
    }

    fn new(name: &str, source: String) -> Result<Self, Refused> {
        let mut environment = Environment::empty();
        environment.set_auto_escape_callback(|_| AutoEscape::Json);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.add_filter("cut", |text: String, max: usize| plain_cut(&text, max));
        environment.add_filter("lines", |text: String| {
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        });
        environment.add_filter("markdown", |text: String| markdown(&text));
        environment.add_filter("join", |parts: Vec<String>, with: String| parts.join(&with));
        environment.add_filter("length", |value: Value| value.len());
        environment
            .add_template_owned(name.to_owned(), source)
            .map_err(|error| wrong(name, &error))?;
        Ok(Self { environment, name: name.to_owned() })
    }

    /// Renders a letter; `None`: nothing is to be sent.
    pub(super) fn render(&self, letter: &Letter) -> Result<Option<String>, Refused> {
        let template =
            self.environment.get_template(&self.name).map_err(|error| wrong(&self.name, &error))?;
        let mut output = Bounded::default();
        let rendered =
            template.render_captured_to(Value::from(Serde(Facts::of(letter))), &mut output);
        if output.full {
            let why = format!("{}: it makes more than {RENDERED_MAX} bytes", self.name);
            return Err(Refused::new(why, "let it say less, for example {{ text | cut(2000) }}"));
        }
        rendered.map_err(|error| wrong(&self.name, &error))?;
        // The parts that were written are whole texts each.
        let text = String::from_utf8_lossy(&output.bytes).into_owned();
        if text.trim().is_empty() {
            return Ok(None);
        }
        match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
            Ok(_) => Ok(Some(text)),
            Err(error) => Err(self.no_json(&text, &error)),
        }
    }

    fn no_json(&self, text: &str, error: &serde_json::Error) -> Refused {
        let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
        let why = format!(
            "{}: what it makes is no JSON: {error}; that line is: {}",
            self.name,
            plain(line.trim(), LINE_MAX)
        );
        Refused::new(
            why,
            "write {{ name }} without quotes around it (it brings its own), and look for a comma too many or too few",
        )
    }
}

fn read(name: &str, folder: &Path) -> Result<String, Refused> {
    let known: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    let fix = || {
        format!(
            "name a file relative to handfast.toml, at most {SOURCE_MAX} bytes long, or one of {}",
            known.join(", ")
        )
    };
    let path = folder.join(name);
    let refused = |why: String| Refused::new(format!("its template {name:?} {why}"), fix());
    let len = std::fs::metadata(&path)
        .map_err(|error| refused(format!("cannot be read: {error}")))?
        .len();
    if len > SOURCE_MAX {
        return Err(refused("is too long".to_owned()));
    }
    std::fs::read_to_string(&path).map_err(|error| refused(format!("cannot be read: {error}")))
}

/// Says where in the template the mistake is.
#[expect(clippy::wildcard_enum_match_arm, reason = "not our enum, and it may grow")]
fn wrong(name: &str, error: &Error) -> Refused {
    let line = error.line().map_or_else(String::new, |line| format!(":{line}"));
    let detail = error
        .detail()
        .map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    let fix = match error.kind() {
        minijinja::ErrorKind::UndefinedError => {
            "it speaks of something that is not there: docs/guide/notify.md lists the names"
        }
        minijinja::ErrorKind::UnknownFilter => {
            "the filters are cut, lines, markdown, join and length"
        }
        minijinja::ErrorKind::OutOfFuel => "it loops too long: let it list less",
        _ => "docs/guide/notify.md shows how templates are written",
    };
    Refused::new(format!("{name}{line}: {}", plain(&detail, LINE_MAX)), fix)
}

fn plain_cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(max.saturating_sub(1)).collect();
    // Half an escape would swallow what follows.
    let escapes = cut.chars().rev().take_while(|&c| c == '\\').count();
    if escapes % 2 == 1 {
        cut.pop();
    }
    cut.push('…');
    cut
}

/// Takes so many bytes and no more.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > RENDERED_MAX {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One letter of every kind, in every class and state, with texts that break what is not escaped.
fn trials() -> Vec<Letter> {
    let nasty = "\"'\\ {{ }} <>&\u{7}";
    let owner = Owner { who: Some(nasty.to_owned()), slack: None };
    let failure = Failure {
        unit: nasty.to_owned(),
        category: nasty.to_owned(),
        peers: vec![nasty.to_owned()],
        reason: nasty.to_owned(),
        owner: Some(owner),
    };
    let incident = Incident {
        project: nasty.to_owned(),
        subject: nasty.to_owned(),
        class: Class::Product,
        state: State::Open,
        opened_unix_us: 0,
        seen_unix_us: 0,
        runs: 1,
        run: nasty.to_owned(),
        over: true,
        exit_code: Some(1),
        command: vec![nasty.to_owned()],
        counts: Counts::default(),
        failures: vec![failure],
        failures_more: 0,
        link: None,
        record: nasty.to_owned(),
        died: None,
    };
    let full = Incident {
        class: Class::Infra,
        state: State::Recovered,
        failures_more: 1,
        link: Some("https://example.com/".to_owned()),
        died: Some(Death { noticed_unix_us: 0, unit: None }),
        ..incident.clone()
    };
    let bare = Incident { failures: Vec::new(), command: Vec::new(), ..incident.clone() };
    let kinds = [
        Kind::Post,
        Kind::Edit,
        Kind::Test,
        Kind::Reply(Note::RedAgain),
        Kind::Reply(Note::Recovered),
        Kind::Reply(Note::Died),
    ];
    let mut letters = Vec::new();
    for incident in [incident, full, bare] {
        for kind in kinds {
            if let Some(key) = Key::new("trial") {
                let incident = incident.clone();
                letters.push(Letter {
                    key,
                    kind,
                    incident,
                    mention: Mention::Quiet,
                    reference: None,
                    unsure: false,
                });
            }
        }
    }
    letters
}

/// The templates that need no file.
const BUILT_IN: [(&str, &str); 4] = [
    ("json", include_str!("templates/json.json.j2")),
    ("teams", include_str!("templates/teams.json.j2")),
    ("discord", include_str!("templates/discord.json.j2")),
    ("mattermost", include_str!("templates/mattermost.json.j2")),
];

/// Longest template, bytes.
const SOURCE_MAX: u64 = 64 * 1024;

/// Longest message, bytes; most services take far less.
const RENDERED_MAX: usize = 256 * 1024;

/// Most steps of a template: a few thousand times what the built-in ones need.
const FUEL: u64 = 200_000;

/// Longest line of a template or a message that is repeated to people, characters.
const LINE_MAX: usize = 160;
