use std::time::Duration;

use crate::Project;
use crate::ci::CiSettings;

fn read(lines: &str) -> Result<CiSettings, String> {
    let text = format!("[project]\nname = \"x\"\n{lines}");
    let project = Project::parse("handfast.toml", &text);
    project.map(|project| project.ci.unwrap()).map_err(|problems| problems.to_plain_text())
}

#[track_caller]
fn refused(lines: &str, parts: &[&str]) {
    let told = read(lines).unwrap_err();
    for part in parts {
        assert!(told.contains(part), "{part:?} is missing in {told}");
    }
}

#[test]
fn without_the_table_there_are_no_settings() {
    let project = Project::parse("handfast.toml", "[project]\nname = \"x\"\n").unwrap();
    assert_eq!(project.ci, None);
}

#[test]
fn an_empty_table_has_the_defaults() {
    assert_eq!(read("[ci]\n").unwrap(), CiSettings::default());
}

#[test]
fn everything_can_be_said() {
    let settings = read(
        "[ci]\nworkflow = \"w.yml\"\ngitlab = \".gitlab-ci.yml\"\nbranches = [\"main\", \"dev\"]\ndaily = \"5 3 * * *\"\n\
         full = \"0 2 * * SAT\"\nrunner = \"big\"\nimage = \"rust:1\"\nhandfast = [\"cargo\", \"run\"]\nsetup = [[\"a\", \"b\"], \"c d\"]\n\
         cache = [\"target\"]\ncache_key = [\"Cargo.lock\"]\nartifacts_days = 3\nshard_within = \"2min\"\nshards_max = 7\n\
         build_within = \"5min\"\nnotify = true\n[ci.jobs.pay]\nkind = \"scenarios\"\nrun = [\"token/\"]\ntimeout = \"3min\"\nonly_full = true\n\
         [[notify.channels]]\nname = \"x\"\nkind = \"webhook\"\nsecret = { env = \"X\" }\n",
    )
    .unwrap();
    assert_eq!(settings.workflow, "w.yml");
    assert_eq!(settings.gitlab.as_deref(), Some(".gitlab-ci.yml"));
    assert_eq!((settings.shards_max, settings.artifacts_days, settings.notify), (7, 3, true));
    assert_eq!(settings.setup[1].words(), ["c", "d"]);
    let [job] = settings.jobs.as_slice() else { panic!("{:?}", settings.jobs) };
    assert_eq!((job.name.as_str(), job.kind.as_str(), job.only_full), ("pay", "scenarios", true));
    assert_eq!((job.timeout, job.span.line), (Duration::from_mins(3), 20));
}

#[test]
fn what_cannot_be_meant_is_refused_where_it_stands() {
    refused("[ci]\nbranch = \"main\"\n", &["handfast.toml:4:1", "did you mean `branches`?"]);
    refused("[ci]\nworkflow = \"../w.yml\"\n", &["no file of this project"]);
    refused("[ci]\nworkflow = \"w\"\ngitlab = \"w\"\n", &["are the same file"]);
    refused("[ci]\nbranches = [\"a\\nb\"]\n", &["is no line of text"]);
    refused("[ci]\nbranches = []\n", &["names no branch"]);
    refused("[ci]\nshards_max = 201\n", &["from 1 to 200"]);
    refused("[ci]\nartifacts_days = 91\n", &["from 1 to 90"]);
    refused("[ci]\nshard_within = \"7h\"\n", &["six hours"]);
    refused("[ci.jobs.\"A b\"]\nkind = \"scenarios\"\n", &["cannot be the name of a job"]);
    refused("[ci]\nnotify = true\n", &["handfast.toml:4:10", "needs a [notify]"]);
    refused("[ci.jobs.a]\n", &["needs `kind`"]);
    refused("[ci]\nsetup = [\"a && b\"]\n", &["without a shell"]);
}

#[test]
fn lists_and_jobs_have_limits() {
    let many = |count: usize| vec!["\"a\""; count].join(",");
    assert!(read(&format!("[ci]\ncache = [{}]\n", many(64))).is_ok());
    refused(&format!("[ci]\ncache = [{}]\n", many(65)), &["at most 64"]);
    let jobs = (0..65).map(|n| format!("[ci.jobs.j{n}]\nkind = \"scenarios\"\n"));
    refused(&jobs.collect::<String>(), &["at most 64"]);
}
