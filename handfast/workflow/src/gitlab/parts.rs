//! What jobs of the pipeline are made of.

use crate::setting::Setting;
use crate::yaml::{Field, Item, Yaml};

/// A rule: the job runs if this holds.
pub fn when(condition: &str) -> Vec<Field> {
    vec![Field::new("if", condition)]
}

/// How long a job may take.
pub fn timeout(minutes: u64) -> Field {
    Field::new("timeout", format!("{minutes} minutes"))
}

/// What a job does: the commands of `setup`, then these.
pub fn script(setting: &Setting<'_>, lines: Vec<String>) -> Field {
    let mut all = setting.setup();
    all.extend(lines);
    Field::new(
        "script",
        Yaml::List(all.into_iter().map(|line| Item::from(Yaml::from(line))).collect()),
    )
}

/// The caches of a job; no field if there are none.
pub fn caches(caches: Vec<Option<Vec<Field>>>) -> Option<Field> {
    let caches: Vec<Vec<Field>> = caches.into_iter().flatten().collect();
    (!caches.is_empty()).then(|| Field::new("cache", Yaml::tables(caches)))
}

/// What was built before; `None` if nothing of it is inside the project's folder, which is all that GitLab keeps.
pub fn build_cache(setting: &Setting<'_>, policy: &str) -> Option<Vec<Field>> {
    let inside = |path: &&String| !path.starts_with('~') && !path.starts_with('/');
    let paths: Vec<&String> = setting.ci.cache.iter().filter(inside).collect();
    if paths.is_empty() {
        return None;
    }
    let files: Vec<&String> = setting.ci.cache_key.iter().take(KEY_FILES_MAX).collect();
    let prefix = Field::new("prefix", "handfast-build");
    let key = match files.as_slice() {
        [] => Yaml::from("handfast-build"),
        files => Yaml::from(vec![Field::new("files", Yaml::texts(files)), prefix]),
    };
    Some(vec![
        Field::new("key", key),
        Field::new("paths", Yaml::texts(&paths)),
        Field::new("policy", policy),
    ])
}

/// What earlier runs have found.
pub fn history_cache(policy: &str) -> Vec<Field> {
    state_cache("history", ".handfast/history*.db", policy)
}

/// A file of handfast that goes from pipeline to pipeline, whatever became of the job.
pub fn state_cache(name: &str, path: &str, policy: &str) -> Vec<Field> {
    vec![
        Field::new("key", format!("handfast-{name}-$CI_COMMIT_REF_SLUG")),
        Field::new("fallback_keys", Yaml::texts(&[format!("handfast-{name}-$CI_DEFAULT_BRANCH")])),
        Field::new("paths", Yaml::texts(&[path])),
        Field::new("policy", policy),
        Field::new("when", "always"),
    ]
}

/// Keeps the record of a run, also of one that failed or ran out of time, under the name of the job.
pub fn record(setting: &Setting<'_>, job: &str) -> [Field; 2] {
    let copy = format!(
        "if [ -d .handfast/runs ]; then mkdir -p .handfast/jobs && cp -R .handfast/runs .handfast/jobs/{job}; fi"
    );
    let reports = vec![Field::new("junit", ".handfast/jobs/*/*/junit.xml")];
    let artifacts = vec![
        Field::new("name", job),
        Field::new("when", "always"),
        Field::new("paths", Yaml::texts(&[".handfast/jobs/"])),
        Field::new("reports", reports),
        expiry(setting),
    ];
    [Field::new("after_script", Yaml::texts(&[copy])), Field::new("artifacts", artifacts)]
}

/// How long artifacts are kept.
pub fn expiry(setting: &Setting<'_>) -> Field {
    Field::new("expire_in", format!("{} days", setting.ci.artifacts_days))
}

/// Most files that GitLab takes for one key.
const KEY_FILES_MAX: usize = 2;
