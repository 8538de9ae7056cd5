//! The steps that jobs are made of.

use crate::github::when;
use crate::pins::{self, Pin};
use crate::setting::{Setting, Word, shell};
use crate::yaml::{Field, Yaml};

/// A step: the fields of an entry of `steps`.
pub type Step = Vec<Field>;

/// Where runs leave their records.
pub const RECORDS: &str = ".handfast/runs";

/// The repository, what was built before, and the commands of `setup`.
pub fn prepare(setting: &Setting<'_>) -> Vec<Step> {
    let mut steps = vec![checkout()];
    steps.extend(restore_build(setting));
    steps.extend(set_up(setting));
    steps
}

/// The repository, without the token that got it.
pub fn checkout() -> Step {
    action("checkout", pins::CHECKOUT, vec![Field::new("persist-credentials", false)])
}

/// What was built before. A full regression builds everything anew.
pub fn restore_build(setting: &Setting<'_>) -> Option<Step> {
    let mut step = action(
        "what was built before",
        pins::CACHE_RESTORE,
        vec![
            Field::new("path", paths(setting)?),
            Field::new("key", build_key(setting)),
            Field::new("restore-keys", "handfast-build-${{ runner.os }}-${{ runner.arch }}-"),
        ],
    );
    step.insert(1, Field::new("id", "build"));
    step.insert(2, when("env.FULL != 'true'"));
    Some(step)
}

/// Keeps what was built, unless it is there already or a pull request has built it.
pub fn save_build(setting: &Setting<'_>) -> Option<Step> {
    let mut step = action(
        "keep what was built",
        pins::CACHE_SAVE,
        vec![Field::new("path", paths(setting)?), Field::new("key", build_key(setting))],
    );
    let condition =
        "steps.build.outputs.cache-hit != 'true' && github.event_name != 'pull_request'";
    step.insert(1, when(condition));
    Some(step)
}

/// What earlier runs have found: verdicts to take over, and how long everything took.
pub fn restore_history() -> Step {
    let with = vec![
        Field::new("path", HISTORY),
        Field::new("key", history_key()),
        Field::new(
            "restore-keys",
            Yaml::lines(&["handfast-history-${{ github.ref_name }}-", "handfast-history-"]),
        ),
    ];
    action("what earlier runs have found", pins::CACHE_RESTORE, with)
}

/// Keeps what this run has found, whatever it was.
pub fn save_history() -> Step {
    let with = vec![Field::new("path", HISTORY), Field::new("key", history_key())];
    let mut step = action("keep what was found", pins::CACHE_SAVE, with);
    step.insert(1, when("always()"));
    step
}

/// The commands of `setup`, if there are any.
pub fn set_up(setting: &Setting<'_>) -> Option<Step> {
    let lines = setting.setup();
    let run = match lines.as_slice() {
        [] => return None,
        [line] => Yaml::from(line.as_str()),
        lines => Yaml::lines(lines),
    };
    Some(vec![Field::new("name", "set up"), Field::new("run", run)])
}

/// Calls handfast.
pub fn call(setting: &Setting<'_>, words: &[Word]) -> Step {
    vec![Field::new("name", call_name(words)), Field::new("run", setting.call(words))]
}

/// What a step is called that calls handfast with these words.
pub fn call_name(words: &[Word]) -> String {
    let options = |word: &&Word| !matches!(word, Word::Text(text) if text.starts_with(".handfast"));
    format!("handfast {}", shell(words.iter().filter(options).cloned()).replace('"', ""))
}

/// Keeps the record of a run, also of one that failed or ran out of time.
pub fn keep_record(setting: &Setting<'_>, name: &str) -> Step {
    upload(setting, name, RECORDS)
}

/// Keeps a file or folder beside the run under this name.
pub fn upload(setting: &Setting<'_>, name: &str, path: &str) -> Step {
    let days = u64::try_from(setting.ci.artifacts_days).unwrap_or(u64::MAX);
    let with = vec![
        Field::new("name", name),
        Field::new("path", path),
        Field::new("include-hidden-files", true),
        Field::new("if-no-files-found", "ignore"),
        Field::new("overwrite", true),
        Field::new("retention-days", days),
    ];
    let mut step = action("keep the record", pins::UPLOAD, with);
    step.insert(1, when("always()"));
    step
}

/// Gets what other jobs have kept, each in a folder of its own: all, or those whose names fit a pattern.
pub fn download(pattern: Option<&str>, folder: &str) -> Step {
    let pattern = pattern.map(|pattern| Field::new("pattern", pattern));
    let with = pattern.into_iter().chain([Field::new("path", folder)]).collect();
    action("the records of the other jobs", pins::DOWNLOAD, with)
}

/// A step that uses an action.
pub fn action(name: &str, pin: Pin, with: Vec<Field>) -> Step {
    vec![
        Field::new("name", name),
        Field::new("uses", pin.reference()).note(pin.version),
        Field::new("with", with),
    ]
}

const HISTORY: &str = ".handfast/history*.db";

fn history_key() -> String {
    "handfast-history-${{ github.ref_name }}-${{ github.run_id }}-${{ github.run_attempt }}"
        .to_owned()
}

fn build_key(setting: &Setting<'_>) -> String {
    let files: Vec<String> = setting.ci.cache_key.iter().map(|file| format!("'{file}'")).collect();
    let files = if files.is_empty() { "'handfast.toml'".to_owned() } else { files.join(", ") };
    format!(
        "handfast-build-${{{{ runner.os }}}}-${{{{ runner.arch }}}}-${{{{ hashFiles({files}) }}}}"
    )
}

fn paths(setting: &Setting<'_>) -> Option<Yaml> {
    match setting.ci.cache.as_slice() {
        [] => None,
        [path] => Some(Yaml::from(path.as_str())),
        paths => Some(Yaml::lines(paths)),
    }
}
