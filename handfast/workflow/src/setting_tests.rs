use proptest::prelude::*;

use super::*;

fn project(lines: &str) -> Project {
    Project::parse("handfast.toml", &format!("[project]\nname = \"x\"\n{lines}")).unwrap()
}

#[track_caller]
fn refused(lines: &str, part: &str) {
    let project = project(lines);
    let error = Setting::new(&project, &[]).unwrap_err();
    assert!(error.message.contains(part), "{error:?}");
    assert!(!error.help.is_empty());
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_fix() {
    refused("", "has no [ci]");
    refused("[ci]\nfull = \"0 2 * *\"\n", "`full`: \"0 2 * *\" does not have the five fields");
    refused("[ci]\ndaily = \"0 2 * * 0\"\n", "no day for the daily run");
    refused("[ci]\nrunner = \"${{ github.head_ref }}\"\n", "its own language");
    refused("[ci.jobs.a]\nkind = \"scenarios\"\nrun = [\"${{ x }}\"]\n", "its own language");
    refused("[ci]\ncache_key = [\"it's\"]\n", "`cache_key`");
}

#[test]
fn a_job_has_time_for_its_budget_and_for_building() {
    let project = project("[ci]\nbuild_within = \"10min\"\n");
    let setting = Setting::new(&project, &[]).unwrap();
    assert_eq!(setting.minutes(Duration::from_secs(61)), 12);
    assert_eq!(setting.minutes(Duration::from_hours(9)), 360);
}

#[test]
fn the_secrets_of_all_channels_are_named_once() {
    let channel = |name: &str, more: &str| {
        format!("[[notify.channels]]\nname = \"{name}\"\nkind = \"webhook\"\n{more}")
    };
    let first = channel(
        "a",
        "secret = { env = \"B\" }\nheaders = { X = { env = \"A\" }, Y = \"plain\" }\n",
    );
    let file = channel("b", "secret = { file = \"f\" }\n");
    let last = channel("c", "secret = { env = \"B\" }\n");
    let project = project(&format!("[ci]\nnotify = true\n{first}{file}{last}"));
    assert_eq!(Setting::new(&project, &[]).unwrap().secrets(), ["A", "B"]);
}

#[test]
fn durations_are_written_as_they_are_read() {
    for (duration, text) in [(300_000, "5min"), (90_000, "90s"), (1_500, "1500ms")] {
        assert_eq!(written(Duration::from_millis(duration)), text);
    }
}

#[test]
fn a_variable_is_one_word() {
    let line = shell([Word::Text("a b".to_owned()), Word::Variable("SHARD")]);
    assert_eq!(line, "'a b' \"$SHARD\"");
    assert_eq!(unshell(&line).unwrap(), ["a b", "$SHARD"]);
    assert_eq!(unshell("a 'b"), None);
}

proptest! {
    #[test]
    fn a_shell_takes_the_words_that_were_meant(words in prop::collection::vec("[ -~äß]{0,8}", 1..6)) {
        let line = shell(words.iter().cloned().map(Word::Text));
        prop_assert_eq!(unshell(&line), Some(words));
    }
}
