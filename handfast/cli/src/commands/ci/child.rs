//! `handfast ci child`

use std::fs;
use std::path::PathBuf;

use handfast_runner::project::Loaded;
use handfast_scenario::ExitCode;
use handfast_scenario::ci::CiSettings;
use handfast_workflow::Service;
use handfast_workflow::gitlab;
use handfast_workflow::valid::valid;

use super::setting;
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Print the pipeline that plays the shards of the matrix on GitLab
///
/// GitLab computes no matrix while a pipeline runs; so the job `plan` of the generated pipeline writes this one, and the job `matrix` triggers it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What `handfast shards --github` printed: `{"include":[{"shard":"1/2"},{"shard":"2/2"}]}`
    #[arg(value_name = "FILE")]
    shards: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  handfast ci child shards.json > child.yml";

/// Carries out the command.
pub(super) fn run(args: &Args, loaded: &Loaded, around: &Around) -> Result<ExitCode, CommandError> {
    let setting = setting(loaded)?;
    let name = args.shards.display();
    let help = "write it with `handfast shards --matrix --github`";
    let text = fs::read_to_string(around.folder.join(&args.shards)).map_err(|error| {
        CommandError::usage_text(format!("failed to read {name}: {error}"), help)
    })?;
    let shards = shards(&text)
        .ok_or_else(|| CommandError::usage_text(format!("{name} names no shards"), help))?;
    let child = gitlab::child(&setting, &shards);
    if let Err(complaints) = valid(Service::GitLab, &child) {
        let complaint = complaints.first().map(ToString::to_string).unwrap_or_default();
        let error = format!("the pipeline of the shards would not be valid: {complaint}");
        return Err(CommandError::usage_text(error, "look into [ci] of handfast.toml"));
    }
    Stream::Out.print(&child);
    Ok(ExitCode::Passed)
}

/// Shards such as `1/3`; `None` for anything else, and for more than there can be.
fn shards(text: &str) -> Option<Vec<String>> {
    let document: serde_json::Value = serde_json::from_str(text).ok()?;
    let jobs = document.get("include")?.as_array()?;
    let is_shard = |text: &str| {
        text.split_once('/').is_some_and(|(index, count)| {
            let index = index.parse::<usize>().ok();
            index.zip(count.parse().ok()).is_some_and(|(index, count)| 1 <= index && index <= count)
        })
    };
    let shard = |job: &serde_json::Value| {
        job.get("shard")?.as_str().filter(|text| is_shard(text)).map(str::to_owned)
    };
    let shards: Option<Vec<String>> = jobs.iter().map(shard).collect();
    shards.filter(|shards| (1..=CiSettings::SHARDS_MAX).contains(&shards.len()))
}

#[cfg(test)]
mod tests {
    use super::shards;

    #[test]
    fn only_shards_are_taken() {
        let two = r#"{"include":[{"shard":"1/2"},{"shard":"2/2"}]}"#;
        assert_eq!(shards(two).unwrap(), ["1/2", "2/2"]);
        let one = |shard: &str| format!(r#"{{"include":[{{"shard":"{shard}"}}]}}"#);
        assert!(shards(&one("1/1")).is_some());
        let none = r#"{"include":[]}"#.to_owned();
        for text in [String::new(), "{}".to_owned(), none, one("0/2"), one("3/2"), one("$(x)")] {
            assert_eq!(shards(&text), None, "{text}");
        }
    }
}
