//! `[perf]`.

use std::collections::BTreeMap;
use std::time::Duration;

use handfast_faults::units::parse_bytes;

use super::Sink;
use super::fields::{Fields, count, one_of, text};
use crate::document::Node;
use crate::project::{AimSetting, PeerProgram, PerfSettings};

pub(super) fn perf(node: &Node, peers: &[PeerProgram], sink: &mut Sink) -> Option<PerfSettings> {
    let fields = Fields::open(node, "[perf]", &["peers", "aims"], sink)?;
    let mut settings = PerfSettings::default();
    for (written, span) in fields.texts("peers", sink) {
        let known: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
        match peers.iter().find(|peer| peer.name.as_str() == written) {
            None => one_of(written, span, "peers", &known, sink),
            Some(peer) => settings.peers.push(peer.name.clone()),
        }
    }
    settings.aims = fields.node("aims").and_then(|node| aims(node, sink)).unwrap_or_default();
    Some(settings)
}

fn aims(node: &Node, sink: &mut Sink) -> Option<BTreeMap<String, AimSetting>> {
    let fields = Fields::open(node, "[perf.aims]", &METRICS, sink)?;
    let mut aims = BTreeMap::new();
    for metric in METRICS {
        let Some(node) = fields.node(metric) else { continue };
        let Some(fields) = Fields::open(node, "an aim", &["target", "alert"], sink) else {
            continue;
        };
        let mut bound = |key: &str| {
            let node = fields.required(key, example(metric), sink)?;
            value(metric, node, key, sink)
        };
        let (Some(target), Some(alert)) = (bound("target"), bound("alert")) else { continue };
        let is_sound = if metric == "throughput" { alert <= target } else { target <= alert };
        if is_sound {
            aims.insert(metric.to_owned(), AimSetting { target, alert });
        } else {
            let message = format!("the target of `{metric}` is beyond its alert");
            let help = "what misses the alert misses the target, too: exchange them".to_owned();
            sink.note(node.span, message, "here", help);
        }
    }
    Some(aims)
}

fn value(metric: &str, node: &Node, key: &str, sink: &mut Sink) -> Option<u64> {
    let value = match metric {
        "throughput" => u64::try_from(count(node, key, RATE_MAX, sink)?).ok()?,
        "memory" => match parse_bytes(text(node, key, sink)?) {
            Ok(bytes) => bytes,
            Err(error) => {
                let help = "write a size such as \"512MiB\"".to_owned();
                sink.note(node.span, format!("`{key}`: {error}"), "not a size", help);
                return None;
            }
        },
        _ => micros(super::fields::duration(node, key, sink)?),
    };
    if value == 0 {
        let message = format!("`{key}` is 0, which nothing can be");
        sink.note(node.span, message, "here", format!("write `{key} = {}`", example(metric)));
        return None;
    }
    Some(value)
}

fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}

fn example(metric: &str) -> &'static str {
    match metric {
        "throughput" => "100",
        "memory" => "\"512MiB\"",
        _ => "\"200ms\"",
    }
}

/// What may have aims: what has them by default.
const METRICS: [&str; 4] = ["handshake", "latency", "throughput", "memory"];

/// The highest rate that can be wanted, in messages a second.
const RATE_MAX: usize = 10_000_000;

#[cfg(test)]
mod tests {
    use crate::Project;
    use crate::project::AimSetting;

    fn read(perf: &str) -> Result<Project, String> {
        let text = format!("[project]\nname = \"x\"\n[peers.one]\nstart = [\"one\"]\n{perf}");
        Project::parse("handfast.toml", &text).map_err(|problems| format!("{problems:?}"))
    }

    #[test]
    fn aims_are_read_in_their_units() {
        let project = read(
            "[perf]\npeers = [\"one\"]\n[perf.aims]\nlatency = { target = \"5ms\", alert = \"1s\" }\n\
             throughput = { target = 300, alert = 100 }\nmemory = { target = \"1MiB\", alert = \"2MiB\" }\n",
        );
        let perf = project.unwrap().perf;
        assert_eq!(perf.peers[0].as_str(), "one");
        let aim = |target, alert| Some(&AimSetting { target, alert }).copied();
        assert_eq!(perf.aims.get("latency").copied(), aim(5_000, 1_000_000));
        assert_eq!(perf.aims.get("throughput").copied(), aim(300, 100));
        assert_eq!(perf.aims.get("memory").copied(), aim(1 << 20, 2 << 20));
        assert_eq!(read("").unwrap().perf, crate::project::PerfSettings::default());
    }

    #[track_caller]
    fn refused(perf: &str, part: &str) {
        let problems = read(perf).unwrap_err();
        assert!(problems.contains(part), "{problems}");
    }

    #[test]
    fn what_cannot_be_wanted_is_refused() {
        refused("[perf]\npeers = [\"two\"]\n", "cannot be");
        refused("[perf.aims]\nspeed = 1\n", "has no `speed`");
        let beyond = "latency = { target = \"1s\", alert = \"5ms\" }";
        refused(&format!("[perf.aims]\n{beyond}\n"), "beyond its alert");
        refused("[perf.aims]\nthroughput = { target = 1, alert = 2 }\n", "beyond its alert");
        refused("[perf.aims]\nmemory = { target = \"1\", alert = \"2MiB\" }\n", "not a size");
        refused("[perf.aims]\nlatency = { target = \"5ms\" }\n", "alert");
    }
}
