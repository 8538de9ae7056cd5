//! `handfast notify test`

use handfast_notify::letter::{
    Class, Counts, Failure, Incident, Key, Kind, Letter, Mention, State,
};
use handfast_notify::{Outcome, clock, wiring};
use handfast_scenario::ExitCode;
use handfast_scenario::notify::ChannelSettings;

use super::Told;
use crate::console::Stream;
use crate::error::CommandError;

/// Send a message that says that it is a test
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only to this channel
    #[arg(value_name = "NAME")]
    channel: Option<String>,
}

pub(super) fn run(args: &Args, project: &Told) -> Result<ExitCode, CommandError> {
    let mut is_well = true;
    for settings in chosen(args, project)? {
        let name = &settings.name;
        Stream::Error.print(&format!("trying {name} ..\n"));
        let opened = wiring::open(&project.root, settings);
        for warning in &opened.warnings {
            Stream::Error.print(&format!("{name}: {warning}\n"));
        }
        // What is wrong is said best by a call that tells nobody; then the message itself.
        let tried = opened.channel.check().map(|_| letter(project));
        let outcome = match tried {
            Ok(letter) => opened.channel.deliver(&letter?),
            Err(outcome) => outcome,
        };
        let (good, said) = match outcome {
            Outcome::Told { .. } => (true, "told".to_owned()),
            Outcome::Later { after: Some(after), why } => {
                (false, format!("not now: {why}; it asks to wait {} s", after.as_secs()))
            }
            Outcome::Later { after: None, why } => (false, format!("not now: {why}")),
            Outcome::Unsure { why } => (false, format!("perhaps: {why}; look whether it is there")),
            Outcome::Never { why, fix } => (false, format!("no: {why}\n  {fix}")),
        };
        is_well &= good;
        Stream::Out.print(&format!("{name}: {said}\n"));
    }
    Ok(if is_well { ExitCode::Passed } else { ExitCode::Infrastructure })
}

fn chosen<'a>(args: &Args, project: &'a Told) -> Result<Vec<&'a ChannelSettings>, CommandError> {
    let all = &project.config.settings.channels;
    let Some(asked) = &args.channel else { return Ok(all.iter().collect()) };
    let found: Vec<_> = all.iter().filter(|channel| &channel.name == asked).collect();
    if found.is_empty() {
        let known: Vec<&str> = all.iter().map(|channel| channel.name.as_str()).collect();
        let error = format!("handfast.toml has no channel {asked:?}");
        return Err(CommandError::usage_text(error, format!("it has {}", known.join(", "))));
    }
    Ok(found)
}

/// A letter that is like no other, about an incident that never was.
fn letter(project: &Told) -> Result<Letter, CommandError> {
    let random = getrandom::u64()
        .map_err(|error| CommandError::infra(&error, "the system gives no random number"))?;
    let key = Key::new(format!("test:{random:016x}")).unwrap_or_else(|| unreachable!("plain"));
    let now = clock::unix_us();
    let failure = Failure {
        unit: "example/nothing".to_owned(),
        category: "integration".to_owned(),
        peers: vec!["a".to_owned(), "b".to_owned()],
        reason: "nothing failed: somebody tries this channel".to_owned(),
        owner: None,
    };
    let incident = Incident {
        project: project.config.project.clone(),
        subject: "test".to_owned(),
        class: Class::Product,
        state: State::Open,
        opened_unix_us: now,
        seen_unix_us: now,
        runs: 1,
        run: "test".to_owned(),
        over: true,
        exit_code: Some(ExitCode::ProductFailure.number()),
        command: ["handfast", "notify", "test"].map(str::to_owned).to_vec(),
        counts: Counts::default(),
        failures: vec![failure],
        failures_more: 0,
        link: None,
        record: ".handfast/runs".to_owned(),
        died: None,
    };
    let (kind, mention) = (Kind::Test, Mention::Quiet);
    Ok(Letter { key, kind, incident, mention, reference: None, unsure: false })
}
