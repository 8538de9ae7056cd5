use std::time::Duration;

use handfast_schedule::CatchUp;

use crate::Project;

const HEAD: &str = "[project]\nname = \"x\"\n[[schedule]]\n";

fn jobs(lines: &str) -> Vec<handfast_schedule::Job> {
    match Project::parse("handfast.toml", &format!("{HEAD}{lines}")) {
        Ok(project) => project.schedule,
        Err(problems) => panic!("{}", problems.to_plain_text()),
    }
}

#[track_caller]
fn refused(lines: &str, expected: &[&str]) {
    let found = Project::parse("handfast.toml", &format!("{HEAD}{lines}")).unwrap_err();
    let found = found.to_plain_text().replace("handfast.toml:", "");
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_job_has_these_defaults() {
    let jobs = jobs("name = \"daily\"\ncron = \"0 2 * * *\"\ncommand = \"run --all\"\n");
    assert_eq!(jobs[0].calendar.zone.name(), "UTC");
    assert_eq!(jobs[0].jitter, Duration::ZERO);
    assert_eq!(jobs[0].catch_up, CatchUp::Within(Duration::from_hours(7 * 24)));
}

#[test]
fn everything_a_job_can_have_is_read() {
    let jobs = jobs(
        "name = \"daily\"\ncron = \"@daily\"\nzone = \"America/Santiago\"\ncommand = [\"run\", \"a b\"]\n\
         jitter = \"5min\"\ncatch_up_within = \"366d\"\n\
         [[schedule]]\nname = \"full\"\ncron = \"0 2 * * SUN\"\ncommand = [\"matrix\"]\ncatch_up = false\n",
    );
    assert_eq!(jobs[0].calendar.zone.name(), "America/Santiago");
    assert_eq!(jobs[0].command, ["run", "a b"]);
    assert_eq!(jobs[0].jitter, Duration::from_mins(5));
    assert_eq!(jobs[0].catch_up, CatchUp::Within(Duration::from_hours(366 * 24)));
    assert_eq!((jobs[1].name.as_str(), jobs[1].catch_up), ("full", CatchUp::Never));
}

#[test]
fn each_mistake_of_a_job_is_told_where_it_is() {
    refused(
        "name = \"d\"\ncron = \"0 2 * * MUN\"\ncommand = [\"run\"]\n",
        &["5:17: `cron`: \"MUN\" is no day of the week (field day of the week); did you mean SUN?"],
    );
    refused(
        "name = \"a/b\"\ncron = \"\"\ncommand = [\"handfast\", \"run\"]\ncatch_up_within = \"367d\"\n",
        &[
            "4:8: a job cannot be called \"a/b\": use up to 64 letters, digits, -, _ and ., and begin with a letter or digit; write such as \"daily\"",
            "5:9: `cron`: it has 0 fields; write five, minute hour day month weekday, such as \"0 2 * * SUN\", or six with the second first",
            "6:11: `command` is what stands after `handfast`; write the words after `handfast`, such as [\"run\", \"--all\"]",
            "7:19: `catch_up_within` is \"367d\"; write a duration up to a year, such as \"12h\" or \"7d\"",
        ],
    );
}

#[test]
fn more_than_32_jobs_are_refused() {
    let job = |number| format!("name = \"j{number}\"\ncron = \"@daily\"\ncommand = [\"run\"]\n");
    let all: Vec<String> = (0..32).map(job).collect();
    assert_eq!(jobs(&all.join("[[schedule]]\n")).len(), 32);
    let more: Vec<String> = (0..33).map(job).collect();
    let text = format!("{HEAD}{}", more.join("[[schedule]]\n"));
    let found = Project::parse("handfast.toml", &text).unwrap_err().to_plain_text();
    assert!(found.contains("at most 32 jobs, not 33"), "{found}");
}
