//! `handfast.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use handfast_faults::kinds::KINDS;

use super::Sink;
use super::fields::{Fields, count, list, name, named, one_of, resources, table, text, texts};
use super::{ci, flaws, notify, perf, schedule};
use crate::document::{Node, NodeValue};
use crate::name::{CategoryName, PeerName, SuiteName};
use crate::project::{
    Category, Command, Exercise, MatrixSettings, Pattern, PeerProgram, Project, Simulator, Suite,
    SuiteKind,
};
use crate::span::Span;

/// Most peers of a matrix: its cells grow with their square.
const MATRIX_PEERS_MAX: usize = 16;

/// Most units of one category at the same time.
const PARALLEL_MAX: usize = 256;

/// Name, pattern, budget in minutes and parallelism where a project does not say.
const CATEGORIES: [(&str, &str, u64, usize); 3] = [
    ("unit", "test_unit_*", 2, 4),
    ("integration", "test_integration_*", 5, 2),
    ("e2e", "test_e2e_*", 10, 1),
];

pub(super) fn read(node: &Node, sink: &mut Sink) -> Option<Project> {
    let known = [
        "project",
        "peers",
        "scenarios",
        "categories",
        "resources",
        "suites",
        "matrix",
        "simulator",
        "exercise",
        "selftest",
        "perf",
        "notify",
        "ci",
        "schedule",
    ];
    let fields = Fields::open(node, "handfast.toml", &known, sink)?;
    let name = fields.required("project", "{ name = \"..\" }", sink).and_then(|node| {
        let fields = Fields::open(node, "[project]", &["name"], sink)?;
        fields.required_text("name", "\"..\"", sink).map(str::to_owned)
    });
    let peers = peers(&fields, sink);
    let scenario_folders = folders(&fields, sink);
    let categories = categories(&fields, sink);
    let resources = resources(&fields, "resources", sink);
    let suites = suites(&fields, &categories, sink);
    let matrix = fields.node("matrix").and_then(|node| matrix(node, &peers, sink));
    let simulator = fields.node("simulator").and_then(|node| simulator(node, sink));
    let exercise = fields.node("exercise").and_then(|node| exercise(node, sink));
    let selftest = flaws::selftest(&fields, sink);
    let perf = fields.node("perf").and_then(|node| perf::perf(node, &peers, sink));
    let notify = notify::read(&fields, sink);
    let ci = fields.node("ci").and_then(|node| ci::ci(node, notify.is_some(), sink));
    let name = name?;
    Some(Project {
        name,
        peers,
        scenario_folders,
        categories,
        resources,
        suites,
        matrix,
        simulator,
        exercise: exercise.unwrap_or_default(),
        selftest,
        perf: perf.unwrap_or_default(),
        notify,
        ci,
        schedule: schedule::schedule(&fields, sink),
    })
}

fn exercise(node: &Node, sink: &mut Sink) -> Option<Exercise> {
    let fields = Fields::open(node, "[exercise]", &["messages", "faults"], sink)?;
    let mut faults = BTreeSet::new();
    for (written, span) in fields.texts("faults", sink) {
        if KINDS.contains(&written) {
            faults.insert(written.to_owned());
        } else {
            one_of(written, span, "faults", &KINDS, sink);
        }
    }
    let messages = fields.texts("messages", sink).into_iter();
    Some(Exercise { messages: messages.map(|(text, _)| text.to_owned()).collect(), faults })
}

fn simulator(node: &Node, sink: &mut Sink) -> Option<Simulator> {
    let fields = Fields::open(node, "[simulator]", &["build", "start"], sink)?;
    let build = match fields.node("build") {
        None => None,
        Some(node) => Some(command(node, "build", sink)?),
    };
    let start = fields.required("start", "[\"program\", \"argument\"]", sink);
    let start = start.and_then(|node| command(node, "start", sink));
    Some(Simulator { build, start: start? })
}

fn matrix(node: &Node, peers: &[PeerProgram], sink: &mut Sink) -> Option<MatrixSettings> {
    let fields = Fields::open(node, "[matrix]", &["peers", "expected", "budget"], sink)?;
    fields.required("peers", "[\"..\"]", sink)?;
    let mut chosen: Vec<PeerName> = Vec::new();
    for (written, span) in fields.texts("peers", sink) {
        let known: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
        match peers.iter().find(|peer| peer.name.as_str() == written) {
            None => one_of(written, span, "peers", &known, sink),
            Some(peer) if chosen.contains(&peer.name) => {
                let message = format!("the peer {written:?} is there twice");
                sink.note(span, message, "the same again", "leave one out".to_owned());
            }
            Some(peer) => chosen.push(peer.name.clone()),
        }
    }
    if chosen.is_empty() || chosen.len() > MATRIX_PEERS_MAX {
        let message = format!("a matrix has 1 to {MATRIX_PEERS_MAX} peers, not {}", chosen.len());
        sink.note(node.span, message, "here", "write `peers = [\"a\", \"b\"]`".to_owned());
    }
    Some(MatrixSettings {
        peers: chosen,
        expected: fields.text("expected", sink).map(str::to_owned),
        budget: fields.duration("budget", sink).unwrap_or(MatrixSettings::BUDGET),
    })
}

fn peers(fields: &Fields<'_>, sink: &mut Sink) -> Vec<PeerProgram> {
    let Some(node) = fields.node("peers") else { return Vec::new() };
    let Some(entries) = table(node, "peers", sink) else { return Vec::new() };
    let mut peers = Vec::new();
    for entry in entries {
        let name = named(&entry.key, entry.key_span, "peers", PeerName::new, sink);
        let peer = peer(name, &entry.node, sink);
        peers.extend(peer.map(|peer| PeerProgram { span: entry.key_span, ..peer }));
    }
    let stubs: Vec<PeerProgram> = peers.iter().filter_map(stub_of).collect();
    peers.extend(stubs);
    peers
}

/// The peer that is played in the place of another: `NAME-stub`, by this very program.
fn stub_of(peer: &PeerProgram) -> Option<PeerProgram> {
    if peer.stub.is_empty() {
        return None;
    }
    let words = ["${handfast}", "stub", peer.name.as_str()].map(str::to_owned);
    Some(PeerProgram {
        name: PeerName::new(format!("{}-stub", peer.name)).ok()?,
        build: None,
        start: Command::new(words.to_vec())?,
        env: BTreeMap::new(),
        versions: Vec::new(),
        needs: Vec::new(),
        inputs: peer.stub.clone(),
        stub: Vec::new(),
        flaws: None,
        contract: peer.contract.clone(),
        span: peer.span,
    })
}

fn peer(name: Option<PeerName>, node: &Node, sink: &mut Sink) -> Option<PeerProgram> {
    let known =
        ["build", "start", "env", "versions", "needs", "inputs", "stub", "contract", "flaws"];
    let fields = Fields::open(node, "a peer", &known, sink)?;
    let start = fields.required("start", "[\"program\", \"argument\"]", sink);
    let start = start.and_then(|node| command(node, "start", sink));
    let build = match fields.node("build") {
        None => None,
        Some(node) => Some(command(node, "build", sink)?),
    };
    let contract = fields.text("contract", sink).unwrap_or("1");
    if contract != "1" {
        let span = fields.node("contract").map_or(fields.span, |node| node.span);
        one_of(contract, span, "contract", &["1"], sink);
    }
    let versions = fields.texts("versions", sink);
    Some(PeerProgram {
        name: name?,
        build,
        start: start?,
        env: fields.text_table("env", sink),
        versions: versions.into_iter().map(|(version, _)| version.to_owned()).collect(),
        stub: fields.texts("stub", sink).into_iter().map(|(file, _)| file.to_owned()).collect(),
        needs: owned(fields.texts("needs", sink)),
        inputs: owned(fields.texts("inputs", sink)),
        flaws: fields.node("flaws").and_then(|node| flaws::flawed(node, sink)),
        contract: contract.to_owned(),
        span: node.span,
    })
}

fn owned(texts: Vec<(&str, Span)>) -> Vec<String> {
    texts.into_iter().map(|(text, _)| text.to_owned()).collect()
}

/// A list of words, or a text that is split at blanks.
pub(super) fn command(node: &Node, what: &str, sink: &mut Sink) -> Option<Command> {
    let words: Vec<String> = match &node.value {
        NodeValue::Text(text) => {
            if let Some(mark) = text.chars().find(|mark| "\"'\\|&;<>$`*(){}".contains(*mark)) {
                let message =
                    format!("`{what}` is started without a shell, {mark:?} means nothing");
                let help = format!("write `{what} = [\"program\", \"argument\"]`");
                sink.note(node.span, message, "a shell line", help);
                return None;
            }
            text.split_whitespace().map(str::to_owned).collect()
        }
        NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_)
        | NodeValue::List(_)
        | NodeValue::Table(_) => {
            texts(node, what, sink).into_iter().map(|(word, _)| word.to_owned()).collect()
        }
    };
    let command = Command::new(words);
    if command.is_none() {
        let message = format!("`{what}` does not name a program");
        let help = format!("write `{what} = [\"program\", \"argument\"]`");
        sink.note(node.span, message, "nothing to start", help);
    }
    command
}

fn folders(fields: &Fields<'_>, sink: &mut Sink) -> Vec<String> {
    let Some(node) = fields.node("scenarios") else { return vec!["scenarios".to_owned()] };
    let Some(fields) = Fields::open(node, "[scenarios]", &["folders"], sink) else {
        return Vec::new();
    };
    let folders = fields.texts("folders", sink);
    let mut read: Vec<String> = Vec::new();
    for (folder, span) in folders {
        if read.iter().any(|other| other == folder) {
            let message = format!("the folder {folder:?} is there twice");
            sink.note(span, message, "the same again", "leave one out".to_owned());
        }
        read.push(folder.to_owned());
    }
    read
}

fn categories(fields: &Fields<'_>, sink: &mut Sink) -> Vec<Category> {
    let written = fields.node("categories").and_then(|node| table(node, "categories", sink));
    let written = written.unwrap_or_default();
    let mut read = Vec::new();
    for (name, pattern, minutes, parallel) in CATEGORIES {
        let node = written.iter().find(|entry| entry.key == name).map(|entry| &entry.node);
        let default = Category {
            name: CategoryName::new(name).expect("a word"),
            patterns: vec![Pattern::new(pattern).expect("a pattern that a test has read")],
            budget: Duration::from_secs(minutes * 60),
            timeout: Duration::from_secs(minutes * 60),
            parallel,
        };
        read.push(node.and_then(|node| category(node, &default, sink)).unwrap_or(default));
    }
    for entry in written {
        if CATEGORIES.iter().any(|(name, ..)| *name == entry.key) {
            continue;
        }
        let words = CATEGORIES.map(|(name, ..)| name);
        let message = format!("there is no category {:?}", entry.key);
        let help = match crate::suggestion::nearest(&entry.key, words) {
            Some(near) => format!("did you mean [categories.{near}]?"),
            None => format!("the categories are {}", words.join(", ")),
        };
        sink.note(entry.key_span, message, "unknown category", help);
    }
    read
}

fn category(node: &Node, default: &Category, sink: &mut Sink) -> Option<Category> {
    let known = ["patterns", "budget", "timeout", "parallel"];
    let fields = Fields::open(node, "a category", &known, sink)?;
    let patterns = match fields.node("patterns") {
        None => default.patterns.clone(),
        Some(node) => patterns(node, sink),
    };
    let parallel = fields.node("parallel");
    let budget = fields.duration("budget", sink).unwrap_or(default.budget);
    let timeout = fields.duration("timeout", sink);
    if let Some(longer) = timeout.filter(|timeout| *timeout > budget) {
        let span = fields.node("timeout").map_or(fields.span, |node| node.span);
        let message = format!(
            "`timeout` is {}, longer than the budget of the category, {}",
            crate::duration::display(longer),
            crate::duration::display(budget)
        );
        sink.note(span, message, "never reached", "make it shorter, or leave it out".to_owned());
    }
    Some(Category {
        name: default.name.clone(),
        patterns,
        budget,
        timeout: timeout.unwrap_or(budget),
        parallel: parallel
            .and_then(|node| count(node, "parallel", PARALLEL_MAX, sink))
            .unwrap_or(default.parallel),
    })
}

fn patterns(node: &Node, sink: &mut Sink) -> Vec<Pattern> {
    let mut read = Vec::new();
    for (written, span) in texts(node, "patterns", sink) {
        match Pattern::new(written) {
            Ok(pattern) => read.push(pattern),
            Err(error) => {
                let message = format!("{written:?} is no pattern: {}", error.kind());
                let help = "`*` is any text, `?` any letter".to_owned();
                sink.note(span, message, "not a pattern", help);
            }
        }
    }
    read
}

fn suites(fields: &Fields<'_>, categories: &[Category], sink: &mut Sink) -> Vec<Suite> {
    let Some(node) = fields.node("suites") else { return Vec::new() };
    let Some(items) = list(node, "suites", sink) else { return Vec::new() };
    let mut read: Vec<Suite> = Vec::new();
    for item in items {
        let Some(suite) = suite(item, categories, sink) else { continue };
        if read.iter().any(|other| other.name == suite.name) {
            let message = format!("two suites have the name {}", suite.name);
            sink.note(item.span, message, "the second", "give it another name".to_owned());
        }
        read.push(suite);
    }
    read
}

fn suite(node: &Node, categories: &[Category], sink: &mut Sink) -> Option<Suite> {
    let known =
        ["name", "kind", "category", "args", "packages", "command", "report", "folder", "env"];
    let fields = Fields::open(node, "a suite", &known, sink)?;
    let suite_name = fields.required("name", "\"cargo\"", sink);
    let suite_name = suite_name.and_then(|node| name(node, "name", SuiteName::new, sink));
    let category = fields.required("category", "\"unit\"", sink);
    let category = category.and_then(|node| suite_category(node, categories, sink));
    let kind = suite_kind(&fields, sink);
    let mut args: Vec<String> = Vec::new();
    for (package, _) in fields.texts("packages", sink) {
        args.extend(["--package".to_owned(), package.to_owned()]);
    }
    args.extend(fields.texts("args", sink).into_iter().map(|(arg, _)| arg.to_owned()));
    let folder = fields.text("folder", sink).unwrap_or(".").to_owned();
    let env = fields.text_table("env", sink);
    Some(Suite {
        name: suite_name?,
        kind: kind?,
        category: category?,
        args,
        folder,
        env,
        span: node.span,
    })
}

fn suite_category(node: &Node, categories: &[Category], sink: &mut Sink) -> Option<CategoryName> {
    let written = text(node, "category", sink)?;
    let found = categories.iter().find(|category| category.name.as_str() == written);
    if found.is_none() {
        let words: Vec<&str> = categories.iter().map(|category| category.name.as_str()).collect();
        one_of(written, node.span, "category", &words, sink);
    }
    found.map(|category| category.name.clone())
}

fn suite_kind(fields: &Fields<'_>, sink: &mut Sink) -> Option<SuiteKind> {
    let node = fields.required("kind", "\"cargo\"", sink)?;
    let kind = match text(node, "kind", sink)? {
        "cargo" => Some(SuiteKind::Cargo),
        "junit" => {
            let command_node = fields.required("command", "[\"program\", \"argument\"]", sink);
            let command = command_node.and_then(|node| command(node, "command", sink));
            let report = fields.required_text("report", "\"junit.xml\"", sink);
            Some(SuiteKind::JUnit { command: command?, report: report?.to_owned() })
        }
        other => {
            one_of(other, node.span, "kind", &["cargo", "junit"], sink);
            None
        }
    };
    let foreign: &[&str] = match kind {
        Some(SuiteKind::Cargo) => &["command", "report"],
        Some(SuiteKind::JUnit { .. }) => &["packages"],
        None => &[],
    };
    for entry in foreign.iter().filter_map(|key| fields.entry(key)) {
        let message = format!("`{}` means nothing in a suite of this kind", entry.key);
        sink.note(entry.key_span, message, "without effect", "leave it out".to_owned());
    }
    kind
}
