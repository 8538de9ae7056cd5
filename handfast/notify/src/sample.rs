//! Runs and settings for the tests of this crate.

use std::collections::BTreeMap;

use handfast_scenario::event::{FORMAT, Summary};
use handfast_scenario::name::{CategoryName, PeerName, RoleName};
use handfast_scenario::notify::NotifySettings;
use handfast_scenario::plan::UnitId;
use handfast_scenario::{ExitCode, Project, Recorded, RunEvent, Verdict};

use crate::watch::{Brief, News, Watch};

/// Two channels: `bot` that edits, `hook` that does not; `more` stands in `[notify]`.
pub(crate) fn settings(more: &str) -> NotifySettings {
    let text = format!(
        "[project]\nname = \"p\"\n[notify]\n{more}\n\
         [[notify.channels]]\nname = \"bot\"\nkind = \"slack-bot\"\nchannel = \"C1\"\nsecret = {{ env = \"T\" }}\n\
         [[notify.channels]]\nname = \"hook\"\nkind = \"slack-webhook\"\nsecret = {{ env = \"W\" }}\n"
    );
    Project::parse("handfast.toml", &text).unwrap().notify.unwrap()
}

pub(crate) fn brief(run: &str) -> Brief {
    Brief {
        project: "p".to_owned(),
        subject: "daily".to_owned(),
        run: run.to_owned(),
        command: vec!["handfast".to_owned(), "run".to_owned()],
        link: None,
        record: format!(".handfast/runs/{run}"),
        started_unix_us: 1_000,
    }
}

/// A run, fed with events.
pub(crate) struct Run {
    pub(crate) watch: Watch,
    settings: NotifySettings,
    summary: Summary,
}

impl Run {
    pub(crate) fn new(run: &str) -> Self {
        let settings = settings("owners = [{ match = \"bad*\", who = \"us\" }]");
        let mut run = Self { watch: Watch::new(brief(run)), settings, summary: Summary::default() };
        run.hear(RunEvent::RunStarted {
            format: FORMAT,
            run: run.watch.brief.run.clone(),
            handfast: "0".to_owned(),
            command: Vec::new(),
            seed: 1,
            started_unix_us: 1_000,
            units: 30,
            suites: 0,
            shard: None,
        });
        run
    }

    pub(crate) fn hear(&mut self, event: RunEvent) -> Option<News> {
        self.watch.hear(&Recorded { at_us: 0, event }, &self.settings)
    }

    pub(crate) fn begin_unit(&mut self, unit: &str) {
        let event = RunEvent::UnitStarted {
            unit: UnitId::new(unit),
            name: unit.to_owned(),
            file: "x.toml".to_owned(),
            category: CategoryName::new("unit").unwrap(),
            proves: Vec::new(),
            peers: BTreeMap::from([(RoleName::new("a").unwrap(), PeerName::new("py").unwrap())]),
            budget_us: 1,
        };
        assert_eq!(self.hear(event), None);
    }

    pub(crate) fn unit(&mut self, unit: &str, verdict: Verdict) -> Option<News> {
        match &verdict {
            Verdict::Passed => self.summary.passed += 1,
            Verdict::Failed { .. } => self.summary.failed += 1,
            Verdict::Infra { .. } => self.summary.infra += 1,
            Verdict::TimedOut { .. }
            | Verdict::Unsupported { .. }
            | Verdict::Absent { .. }
            | Verdict::DidNotFit { .. } => {}
        }
        self.begin_unit(unit);
        let unit = UnitId::new(unit);
        self.hear(RunEvent::UnitEnded { unit, verdict, duration_us: 1, cpu_us: 0 })
    }

    pub(crate) fn fail(&mut self, unit: &str) -> Option<News> {
        self.unit(unit, Verdict::Failed { reason: "first line\nsecond".to_owned() })
    }

    pub(crate) fn pass(&mut self, unit: &str) -> Option<News> {
        self.unit(unit, Verdict::Passed)
    }

    pub(crate) fn end(&mut self) -> News {
        let (summary, exit) = (self.summary, ExitCode::of(&self.summary));
        self.hear(RunEvent::RunEnded { summary, exit, duration_us: 1 }).unwrap()
    }
}
