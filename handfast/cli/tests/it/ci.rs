//! `handfast ci`: the same bytes each time, other people's lines left alone, and whatever is not true any more named.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use handfast_fakeslack::{FakeSlack, Settings, Weather};
use serde_json::Value;

use crate::support::{Project, Ran};

const GITHUB: &str = ".github/workflows/integration-tests-v2.yml";
const GITLAB: &str = ".gitlab-ci.yml";
const CI: &str = "[ci]\ngitlab = \".gitlab-ci.yml\"\n";
const SUITE: &str =
    "[[suites]]\nname = \"s\"\nkind = \"cargo\"\ncategory = \"unit\"\n[matrix]\npeers = [\"py\"]\n";

fn project(more: &str) -> Project {
    Project::new(&format!("{SUITE}{CI}{more}")).scenario("x", "").scenario("y", "")
}

fn read(project: &Project, file: &str) -> String {
    fs::read_to_string(project.path().join(file)).unwrap()
}

/// The same project with other lines in `[ci]`.
fn configure(project: &Project, more: &str) {
    let text = read(project, "handfast.toml");
    let (before, _) = text.split_once(CI).unwrap();
    project.write("handfast.toml", &format!("{before}{CI}{more}"));
}

#[track_caller]
fn generated(project: &Project) -> Ran {
    let ran = project.run(&["ci", "generate"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.error);
    ran
}

#[track_caller]
fn edit(project: &Project, file: &str, from: &str, to: &str) {
    let text = read(project, file);
    assert!(text.contains(from), "{from:?} is missing in {text}");
    project.write(file, &text.replacen(from, to, 1));
}

/// The kinds of what `ci check` finds.
#[track_caller]
fn found(project: &Project, arguments: &[&str]) -> (i32, Vec<String>, Vec<String>) {
    let ran = project.run(&[&["ci", "check", "--json"], arguments].concat());
    let document: Value = serde_json::from_str(&ran.out).expect(&ran.error);
    let texts = |list: &Value, key: &str| -> Vec<String> {
        let text = |entry: &Value| entry.get(key).unwrap_or(entry).as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(text).collect()
    };
    (ran.code, texts(&document["findings"], "kind"), texts(&document["warnings"], ""))
}

#[test]
fn generating_twice_writes_the_same_bytes() {
    let project = project("");
    let ran = generated(&project);
    assert!(ran.out.contains("written: .github") && ran.out.contains("written: .gitlab"));
    let files = [GITHUB, GITLAB]
        .map(|file| (read(&project, file), read(&project, &format!("{file}.base"))));
    let ran = generated(&project);
    assert!(ran.out.contains("unchanged: .github") && !ran.out.contains("written"), "{}", ran.out);
    let again = [GITHUB, GITLAB]
        .map(|file| (read(&project, file), read(&project, &format!("{file}.base"))));
    assert_eq!(files, again);
    assert_eq!(files[0].0, files[0].1, "nobody has edited it");
    project.run(&["ci", "check"]).check(
        0,
        &format!("{GITHUB} and {GITLAB} as handfast.toml says; every scenario runs"),
        &[],
    );
}

/// Numbers that look like chance and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// The lines outside of all regions that say something.
fn own_lines(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut own = Vec::new();
    for line in text.lines() {
        let mark = line.trim();
        if mark.starts_with("# >>> handfast: ") {
            inside = true;
        } else if mark.starts_with("# <<< handfast: ") {
            inside = false;
        } else if !inside && !mark.is_empty() {
            own.push(line);
        }
    }
    own
}

/// Regions that some of the configurations of the test do not have.
const COMING_AND_GOING: [&str; 2] = ["job pay", "job tell"];

/// Which job each of somebody's own steps is part of.
fn owners(text: &str) -> BTreeMap<String, String> {
    let document = handfast_workflow::yaml::read(text).unwrap();
    let mut owners = BTreeMap::new();
    for (name, job) in document["jobs"].as_object().unwrap() {
        for step in job["steps"].as_array().unwrap() {
            let own = step["run"].as_str().filter(|run| run.starts_with("echo own "));
            owners.extend(own.map(|run| (run.to_owned(), name.clone())));
        }
    }
    owners
}

/// Puts lines of somebody's own behind a region, or before them all; a job only where jobs can stand, a step only behind a job.
fn edit_by_chance(text: &str, number: usize, dice: &mut Dice) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let ends: Vec<usize> =
        (0..lines.len()).filter(|at| lines[*at].trim().starts_with("# <<< handfast: ")).collect();
    let own: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].starts_with("# own")).collect();
    let comment = format!("# own {number}");
    let job =
        format!("  own-{number}:\n    runs-on: mine\n    steps:\n      - run: echo own {number}");
    let stays = |at: &&usize| {
        !lines[**at].ends_with(": head")
            && !COMING_AND_GOING.iter().any(|name| lines[**at].ends_with(name))
    };
    let jobs: Vec<usize> = ends.iter().filter(stays).copied().collect();
    let step = format!("      - run: echo own {number}");
    let mut lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
    match dice.below(6) {
        0 => lines.insert(0, comment),
        1 if !own.is_empty() => lines[own[dice.below(own.len())]] = comment,
        2 if !own.is_empty() => drop(lines.remove(own[dice.below(own.len())])),
        3 => lines.insert(ends[dice.below(ends.len())] + 1, comment),
        4 => lines.insert(jobs[dice.below(jobs.len())] + 1, step),
        _ => lines.insert(ends[dice.below(ends.len())] + 1, job),
    }
    format!("{}\n", lines.join("\n"))
}

#[test]
fn a_hundred_edits_outside_of_the_regions_survive_while_the_configuration_changes() {
    let project = project("");
    generated(&project);
    let mut dice = Dice(7);
    let configurations = [
        "runner = \"big\"\n",
        "branches = [\"main\", \"next\"]\nsetup = [\"prepare it\"]\n",
        "[ci.jobs.pay]\nkind = \"scenarios\"\nrun = [\"unit_x\"]\n",
        "daily = \"5 4 * * *\"\nartifacts_days = 3\ncache = [\"target\"]\n",
        "notify = true\n[[notify.channels]]\nname = \"n\"\nkind = \"webhook\"\nsecret = { env = \"HOOK\" }\n",
        "",
    ];
    for round in 0..20 {
        for edit in 0..5 {
            let text = edit_by_chance(&read(&project, GITHUB), round * 5 + edit, &mut dice);
            project.write(GITHUB, &text);
        }
        let before = read(&project, GITHUB);
        configure(&project, configurations[dice.below(configurations.len())]);
        generated(&project);
        let after = read(&project, GITHUB);
        assert_eq!(own_lines(&before), own_lines(&after), "round {round}");
        assert_eq!(owners(&before), owners(&after), "round {round}");
        assert_eq!(found(&project, &[]).0, 0, "round {round}");
        generated(&project);
        assert_eq!(read(&project, GITHUB), after, "again, round {round}");
    }
}

#[test]
fn a_job_that_goes_does_not_leave_somebodys_steps_to_another_one() {
    let project = project("[ci.jobs.pay]\nkind = \"scenarios\"\nrun = [\"unit_x\"]\n");
    generated(&project);
    let end = "  # <<< handfast: job pay\n";
    edit(&project, GITHUB, end, &format!("{end}      - run: echo mine\n"));
    let before = read(&project, GITHUB);
    configure(&project, "");
    for take in [&[][..], &["--take", "generated"]] {
        let ran = project.run(&[&["ci", "generate"], take].concat());
        assert_eq!(ran.code, 2, "{}", ran.out);
        for part in ["job pay", "- run: echo mine", "your own lines", "--take ours"] {
            assert!(ran.error.contains(part), "{part:?} is missing in {}", ran.error);
        }
        assert_eq!(read(&project, GITHUB), before, "nothing is written");
    }
    assert_eq!(found(&project, &[]).1[0], "conflict");
    edit(&project, GITHUB, "      - run: echo mine\n", "");
    generated(&project);
    assert_eq!(found(&project, &[]).0, 0);
}

#[test]
fn whoever_takes_what_is_generated_gets_a_job_back_that_was_taken_out() {
    let project = project("");
    generated(&project);
    let text = read(&project, GITHUB);
    let from = text.find("  # >>> handfast: job unit\n").unwrap();
    let end = "  # <<< handfast: job unit\n\n";
    let to = text.find(end).unwrap() + end.len();
    // Its name is gone from where other jobs wait for it, too.
    let without = format!("{}{}", &text[..from], &text[to..]).replace("      - unit\n", "");
    project.write(GITHUB, &without);
    let (code, kinds, _) = found(&project, &["--allow-edits"]);
    assert_eq!((code, kinds), (2, vec!["unreached".to_owned(), "unreached".to_owned()]));
    assert_eq!(project.run(&["ci", "generate", "--take", "generated"]).code, 0);
    assert_eq!(read(&project, GITHUB), text);
    assert_eq!(found(&project, &[]).0, 0);
}

#[test]
fn what_changed_since_the_last_generation_is_found() {
    let project = project("");
    let check = |expected: &[&str]| {
        let (code, kinds, _) = found(&project, &[]);
        assert_eq!(
            (code, kinds.iter().map(String::as_str).collect::<Vec<_>>()),
            (2, expected.to_vec())
        );
        generated(&project);
        assert_eq!(found(&project, &[]).0, 0);
    };
    check(&["missing", "missing"]);
    configure(&project, "runner = \"big\"\n");
    check(&["stale"]);
    configure(&project, "branches = [\"a\"]\n");
    check(&["stale", "stale"]);
    fs::remove_file(project.path().join(GITLAB)).unwrap();
    check(&["missing"]);
    edit(&project, &format!("{GITHUB}.base"), "runs-on", "runs_on");
    check(&["stale"]);
    project.write("scenarios/test_e2e_z.toml", "name = \"z\"\n[roles.a]\n[roles.b]\n");
    check(&["stale", "unreached", "unreached", "stale", "unreached", "unreached"]);
}

#[test]
fn a_region_that_somebody_edited_or_took_out_is_found_and_named_with_its_line() {
    let project = project("");
    generated(&project);
    edit(&project, GITHUB, "timeout-minutes: 5", "timeout-minutes: 6");
    assert_eq!(found(&project, &[]).1, ["edited"]);
    let told = project.run(&["ci", "check"]).out;
    let line = told.lines().find(|line| line.starts_with(GITHUB)).unwrap();
    assert!(line.contains("\"job gate\" was edited"), "{line}");
    assert_eq!(found(&project, &["--allow-edits"]).0, 0);
    // A generation keeps it, and goes on telling.
    generated(&project);
    assert!(read(&project, GITHUB).contains("timeout-minutes: 6"));
    assert_eq!(found(&project, &[]).1, ["edited"]);
    let text = read(&project, GITHUB);
    let from = text.find("  # >>> handfast: job unit\n").unwrap();
    let to = text.find("  # <<< handfast: job unit\n").unwrap();
    project.write(GITHUB, &format!("{}{}", &text[..from], &text[to + 27..]));
    let (code, kinds, _) = found(&project, &["--allow-edits"]);
    // Others wait for it: GitHub would not take the file.
    assert_eq!((code, kinds), (2, vec!["invalid".to_owned()]));
    assert!(
        project
            .run(&["ci", "check"])
            .out
            .contains("the job gate needs the job unit, which is not there")
    );
    assert!(found(&project, &[]).1.contains(&"removed".to_owned()));
}

#[test]
fn an_edit_in_the_way_is_shown_with_both_texts_and_nothing_is_written() {
    let project = project("");
    generated(&project);
    edit(&project, GITHUB, "runs-on: ubuntu-24.04", "runs-on: mine");
    configure(&project, "runner = \"theirs\"\n");
    assert!(found(&project, &[]).1.contains(&"conflict".to_owned()));
    let before = [GITHUB, GITLAB].map(|file| read(&project, file));
    let ran = project.run(&["ci", "generate"]);
    assert_eq!(ran.code, 2);
    for part in ["runs-on: mine", "runs-on: theirs", "--take ours", "job plan", GITHUB] {
        assert!(ran.error.contains(part), "{part:?} is missing in {}", ran.error);
    }
    assert_eq!([GITHUB, GITLAB].map(|file| read(&project, file)), before);
    assert_eq!(project.run(&["ci", "generate", "--take", "ours"]).code, 0);
    let text = read(&project, GITHUB);
    assert_eq!(
        (text.matches("runs-on: mine").count(), text.contains("runs-on: theirs")),
        (1, true)
    );
    configure(&project, "runner = \"others\"\n");
    assert_eq!(project.run(&["ci", "generate", "--take", "generated"]).code, 0);
    assert!(!read(&project, GITHUB).contains("runs-on: mine"));
    assert_eq!(found(&project, &[]).0, 0);
}

#[test]
fn a_file_that_nobody_could_merge_is_left_alone() {
    let project = project("");
    project.write(GITHUB, "on: push\njobs: {}\n");
    let ran = project.run(&["ci", "generate"]);
    assert_eq!(ran.code, 2);
    assert!(ran.error.contains("was not written by handfast"), "{}", ran.error);
    assert_eq!(read(&project, GITHUB), "on: push\njobs: {}\n");
    assert!(!project.path().join(GITLAB).exists(), "nothing is written");
    assert_eq!(project.run(&["ci", "generate", "--take", "generated"]).code, 0);
    edit(&project, GITHUB, "# <<< handfast: head\n", "");
    let ran = project.run(&["ci", "generate"]);
    assert!(ran.code == 2 && ran.error.contains("stands within"), "{}", ran.error);
    assert!(ran.error.contains(&format!("as they stand in {GITHUB}.base")), "{}", ran.error);
    assert!(found(&project, &[]).1.contains(&"marks".to_owned()));
}

#[test]
fn own_lines_that_make_no_workflow_are_refused() {
    let project = project("");
    generated(&project);
    let text = read(&project, GITHUB);
    project.write(GITHUB, &format!("{text}  unit:\n    runs-on: mine\n"));
    configure(&project, "runner = \"big\"\n");
    let ran = project.run(&["ci", "generate"]);
    assert_eq!(ran.code, 2);
    assert!(ran.error.contains("would not be valid"), "{}", ran.error);
    assert!(found(&project, &[]).1.contains(&"invalid".to_owned()));
}

#[test]
fn an_action_that_is_not_pinned_is_a_warning() {
    let project = project("");
    generated(&project);
    let text = read(&project, GITHUB);
    let own = "  own:\n    runs-on: mine\n    steps:\n      - uses: actions/checkout@v7\n";
    project.write(GITHUB, &format!("{text}{own}"));
    let (code, kinds, warnings) = found(&project, &[]);
    assert_eq!((code, kinds.len(), warnings.len()), (0, 0, 1));
    assert!(warnings[0].contains("actions/checkout@v7 is not pinned"), "{}", warnings[0]);
}

#[test]
fn a_dry_run_shows_what_would_change_and_writes_nothing() {
    let project = project("");
    generated(&project);
    configure(&project, "runner = \"big\"\n");
    let before = read(&project, GITHUB);
    let ran = project.run(&["ci", "generate", "--dry-run"]);
    ran.check(
        0,
        &format!("{GITLAB} would not change"),
        &["-    runs-on: ubuntu-24.04", "+    runs-on: big"],
    );
    assert!(!ran.out.contains('\u{1b}'), "no colours in a pipe");
    assert_eq!(read(&project, GITHUB), before);
}

#[test]
fn what_cannot_be_meant_is_told_with_the_fix() {
    let refused = |lines: &str, part: &str| {
        let ran = Project::new(lines).scenario("x", "").run(&["ci", "generate"]);
        assert_eq!(ran.code, 2);
        assert!(ran.error.contains(part), "{part:?} is missing in {}", ran.error);
    };
    refused("", "has no [ci]");
    refused("[ci]\ndaily = \"0 2 * *\"\n", "five fields of cron");
    refused("[ci.jobs.a]\nkind = \"coverage\"\n", "a job can be of kind scenarios");
    refused("[ci.jobs.gate]\nkind = \"scenarios\"\n", "two jobs of the workflow");
}

#[test]
fn the_shards_on_gitlab_are_a_pipeline_of_their_own() {
    let project = project("");
    project.write("shards.json", "{\"include\":[{\"shard\":\"1/2\"},{\"shard\":\"2/2\"}]}\n");
    let ran = project.run(&["ci", "child", "shards.json"]);
    assert_eq!(ran.code, 0, "{}", ran.error);
    for part in
        ["- '1/2'", "- '2/2'", "matrix --shard \"$SHARD\" --shard-plan .handfast/shards.json"]
    {
        assert!(ran.out.contains(part), "{part:?} is missing in {}", ran.out);
    }
    assert_eq!(project.run(&["ci", "child", "handfast.toml"]).code, 2);
}

#[test]
fn one_suite_runs_alone() {
    let project = Project::new(
        "[[suites]]\nname = \"s\"\nkind = \"junit\"\ncategory = \"unit\"\nreport = \"out.xml\"\ncommand = [\"sh\", \"-c\", \"echo '<testsuite><testcase name=\\\"t\\\"/></testsuite>' > out.xml\"]\n",
    );
    let project = project.scenario("x", "");
    project.run(&["run", "--suite", "s"]).check(0, "1 passed, 0 failed", &["suite s: 1 passed"]);
    let ran = project.run(&["run", "--suite", "t"]);
    assert!(ran.code == 2 && ran.error.contains("it has s"), "{}", ran.error);
    assert_eq!(project.run(&["run", "--suite", "s", "--all"]).code, 2);
}

#[test]
fn the_workflow_of_this_repository_is_what_its_configuration_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_handfast"));
    let output = command.args(["ci", "check"]).current_dir(root).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(!told.contains("warning"), "{told}");
}

/// Runs the scripts of a job as GitHub does on a day, with these variables; the exit code of the first that fails, or 0.
fn play(project: &Project, job: &Value, variables: &[(&str, &str)]) -> (i32, String) {
    let daily = |step: &&Value| step["if"].is_null() || step["if"] == "${{ env.FULL != 'true' }}";
    let mut all = String::new();
    for step in job["steps"].as_array().unwrap().iter().filter(daily) {
        let Some(script) = step["run"].as_str() else { continue };
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
        command.current_dir(project.path()).env("FULL", "false").envs(variables.iter().copied());
        let output = command.env_remove("CARGO").env_remove("CARGO_TARGET_DIR").output().unwrap();
        all.push_str(&String::from_utf8_lossy(&output.stdout));
        all.push_str(&String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            return (output.status.code().unwrap(), all);
        }
    }
    (0, all)
}

/// What an artifact carries from one machine to another.
fn carry(from: &Project, source: &str, to: &Project, target: &str) {
    let target = to.path().join(target);
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    let (source, target) = (from.path().join(source), target.as_os_str());
    let copied = Command::new("cp").arg("-R").arg(source).arg(target).status().unwrap();
    assert!(copied.success());
}

#[test]
fn the_jobs_of_the_workflow_do_what_they_are_for() {
    let more =
        format!("handfast = [{:?}]\nshard_within = \"1s\"\n", env!("CARGO_BIN_EXE_handfast"));
    let machine = || {
        let project = Project::new(&format!("[matrix]\npeers = [\"py\"]\n[ci]\n{more}"));
        project.scenario("x", "").scenario("y", "").scenario("z", "")
    };
    let planner = machine();
    generated(&planner);
    let workflow = read(&planner, GITHUB);
    let document = handfast_workflow::yaml::read(&workflow).unwrap();
    let jobs = &document["jobs"];

    planner.write("output", "");
    let output = planner.path().join("output");
    let (code, told) =
        play(&planner, &jobs["plan"], &[("GITHUB_OUTPUT", output.to_str().unwrap())]);
    assert_eq!(code, 0, "{told}");
    let output = read(&planner, "output");
    let shards: Value = serde_json::from_str(output.strip_prefix("shards=").unwrap()).unwrap();
    let shards: Vec<&str> = shards["include"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["shard"].as_str().unwrap())
        .collect();
    assert!(shards.len() > 1, "{shards:?}");

    let merger = machine();
    for (index, shard) in shards.iter().enumerate() {
        let player = machine();
        carry(&planner, ".handfast/shards.json", &player, ".handfast/shards.json");
        let (code, told) = play(&player, &jobs["matrix"], &[("SHARD", shard)]);
        assert_eq!(code, 0, "{told}");
        carry(&player, ".handfast/runs", &merger, &format!(".handfast/shards/shard-{index}"));
    }
    let (code, told) = play(&merger, &jobs["merge"], &[]);
    assert!(code == 0 && told.contains("3 passed, 0 failed"), "{told}");
    let (code, told) = play(&machine(), &jobs["unit"], &[]);
    assert!(code == 0 && told.contains("3 passed, 0 failed"), "{told}");

    let gate = |results: &str| play(&merger, &jobs["gate"], &[("RESULTS", results)]).0;
    assert_eq!(gate("plan success\nunit success\n"), 0);
    for result in ["failure", "cancelled", "skipped", ""] {
        assert_eq!(gate(&format!("plan success\nunit {result}\nmerge success\n")), 1, "{result}");
    }
}

#[test]
fn the_job_that_tells_tells_of_a_machine_that_died_and_of_nothing_when_all_is_green() {
    let slack = FakeSlack::start(Settings::default(), Weather::default()).unwrap();
    let channel =
        "[[notify.channels]]\nname = \"n\"\nkind = \"webhook\"\nsecret = { env = \"HOOK\" }\n";
    let handfast = format!("handfast = [{:?}]\n", env!("CARGO_BIN_EXE_handfast"));
    let project = project(&format!("{handfast}notify = true\n{channel}"));
    generated(&project);
    let document = handfast_workflow::yaml::read(&read(&project, GITHUB)).unwrap();
    let hook = slack.hook();
    let tell = |link: &str, results: &str| {
        let variables =
            [("SUBJECT", "ci main"), ("LINK", link), ("RESULTS", results), ("HOOK", hook.as_str())];
        let (code, told) = play(&project, &document["jobs"]["tell"], &variables);
        assert_eq!(code, 0, "{told}");
        slack.hooked()
    };
    assert_eq!(tell("https://ci/1", "plan=success\nunit=success\n").len(), 0);
    let told = tell("https://ci/2", "plan=success\nunit=failure\n");
    assert_eq!(told.len(), 1, "{told:?}");
    let text = told[0].to_string();
    assert!(text.contains("unit") && text.contains("ci main"), "{text}");
    assert!(tell("https://ci/3", "plan=success\nunit=success\n").len() > 1, "and that it is over");
}

#[test]
fn the_gate_forgives_a_skipped_job_only_where_it_belongs_to_the_full_regression() {
    let project = project("[ci.jobs.long]\nkind = \"scenarios\"\nonly_full = true\n");
    generated(&project);
    let document = handfast_workflow::yaml::read(&read(&project, GITHUB)).unwrap();
    let gate = |full: &str, results: &str| {
        let variables = [("RESULTS", results), ("FULL", full)];
        play(&project, &document["jobs"]["gate"], &variables).0
    };
    assert_eq!(gate("false", "unit success\nlong skipped\n"), 0);
    assert_eq!(gate("true", "unit success\nlong skipped\n"), 1);
    assert_eq!(gate("false", "unit skipped\nlong skipped\n"), 1);
}
