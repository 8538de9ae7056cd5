//! How the outcome of a selftest is shown: lines, JSON, `JUnit`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use handfast_report::book::Book;
use handfast_report::junit;
use handfast_report::palette::{Ink, Palette};
use handfast_report::quantity::{tame, time};
use handfast_runner::selftest::{Fate, SOUGHT_MAX, Settled};
use handfast_scenario::name::{CategoryName, PeerName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::Verdict;
use handfast_scenario::{Recorded, RunEvent};
use serde_json::{Value, json};

/// What came of all flaws of a peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: PeerName,
    pub(super) settled: Vec<Settled>,
}

impl Peer {
    /// Whether enough was caught.
    pub(super) fn is_good(&self, min_caught: u64) -> bool {
        self.percent() >= min_caught
    }

    fn caught(&self) -> usize {
        self.settled.iter().filter(|one| is_caught(one)).count()
    }

    /// How many of a hundred were caught, rounded down.
    fn percent(&self) -> u64 {
        let percent = self.caught() * 100 / self.settled.len().max(1);
        u64::try_from(percent).unwrap_or(0)
    }

    fn names(&self, wanted: impl Fn(&Fate) -> bool) -> Vec<&str> {
        let names = self.settled.iter().filter(|one| wanted(&one.fate));
        names.map(|one| one.flaw.name.as_str()).collect()
    }
}

fn is_caught(settled: &Settled) -> bool {
    matches!(settled.fate, Fate::Caught { .. })
}

/// One settled flaw, as soon as it is.
pub(super) fn line(peer: &PeerName, settled: &Settled, palette: Palette) -> String {
    let Settled { flaw, fate, took_us, played, spoilt, healed } = settled;
    let mut line = match fate {
        Fate::Caught { scenario, role, .. } => format!(
            "{} {peer} {:<28} by {scenario} ({role}) after {}\n",
            palette.paint(Ink::Good, "caught"),
            flaw.name,
            time(*took_us)
        ),
        Fate::Missed { infra, untried } => {
            let mut line = format!(
                "{} {peer} {:<28} {} No scenario sees it in {played} attempts and {}.\n",
                palette.paint(Ink::Bad, "MISSED"),
                flaw.name,
                tame(&flaw.sentence),
                time(*took_us)
            );
            if *infra > 0 {
                // Writing to a text cannot fail.
                writeln!(line, "       {infra} of the attempts could not be carried out")
                    .unwrap_or_default();
            }
            if *untried > 0 {
                let after = time(SOUGHT_MAX.as_secs() * 1_000_000);
                writeln!(line, "       given up after {after}; attempts left: {untried}")
                    .unwrap_or_default();
            }
            line
        }
        Fate::Open => format!("open   {peer} {:<28} interrupted\n", flaw.name),
    };
    for scenario in spoilt {
        writeln!(
            line,
            "       {} {scenario}: it fails without a flaw, too",
            palette.paint(Ink::Doubtful, "not counted")
        )
        .unwrap_or_default();
    }
    for scenario in healed {
        writeln!(
            line,
            "       {} {scenario}: it passed after a repair of the machine",
            palette.paint(Ink::Bad, "HEALED AWAY")
        )
        .unwrap_or_default();
    }
    line
}

/// The last lines: one for each peer, and the sum.
pub(super) fn closing(peers: &[Peer], min_caught: u64) -> String {
    let mut text = String::new();
    for peer in peers {
        let (caught, all) = (peer.caught(), peer.settled.len());
        write!(text, "{}: {caught} of {all} flaws caught, {} %", peer.name, peer.percent())
            .unwrap_or_default();
        write!(text, " (at least {min_caught} % are asked for)").unwrap_or_default();
        let missed = peer.names(|fate| matches!(fate, Fate::Missed { .. }));
        if !missed.is_empty() {
            write!(text, "; missed: {}", missed.join(", ")).unwrap_or_default();
        }
        let open = peer.names(|fate| matches!(fate, Fate::Open));
        if !open.is_empty() {
            write!(text, "; interrupted: {}", open.join(", ")).unwrap_or_default();
        }
        text.push('\n');
    }
    let caught: usize = peers.iter().map(Peer::caught).sum();
    let all: usize = peers.iter().map(|peer| peer.settled.len()).sum();
    let flaws = peers.iter().flat_map(|peer| &peer.settled);
    let healed = flaws.filter(|settled| !settled.healed.is_empty()).count();
    if healed > 0 {
        writeln!(text, "healed away in some scenario: {healed}").unwrap_or_default();
    }
    writeln!(text, "{caught} caught, {} missed", all - caught).unwrap_or_default();
    text
}

/// Everything, for a machine.
pub(super) fn json(peers: &[Peer], min_caught: u64) -> String {
    let peers: Vec<Value> = peers.iter().map(|peer| json_of(peer, min_caught)).collect();
    let mut text =
        serde_json::to_string_pretty(&json!({ "min_caught": min_caught, "peers": peers }))
            .unwrap_or_default();
    text.push('\n');
    text
}

fn json_of(peer: &Peer, min_caught: u64) -> Value {
    let flaws: Vec<Value> = peer.settled.iter().map(json_of_flaw).collect();
    json!({
        "peer": peer.name.as_str(),
        "caught": peer.caught(),
        "of": peer.settled.len(),
        "percent": peer.percent(),
        "good": peer.is_good(min_caught),
        "missed": peer.names(|fate| matches!(fate, Fate::Missed { .. })),
        "flaws": flaws,
    })
}

fn json_of_flaw(settled: &Settled) -> Value {
    let Settled { flaw, fate, took_us, played, spoilt, healed } = settled;
    let (outcome, by) = match fate {
        Fate::Caught { scenario, role, reason } => {
            ("caught", json!({ "scenario": scenario, "role": role.as_str(), "reason": reason }))
        }
        Fate::Missed { .. } => ("missed", Value::Null),
        Fate::Open => ("interrupted", Value::Null),
    };
    let (infra, untried) = match fate {
        Fate::Missed { infra, untried } => (*infra, *untried),
        Fate::Caught { .. } | Fate::Open => (0, 0),
    };
    json!({
        "name": flaw.name.as_str(),
        "sentence": flaw.sentence,
        "outcome": outcome,
        "by": by,
        "took_us": took_us,
        "played": played,
        "could_not_be_played": infra,
        "not_tried": untried,
        "fails_without_flaw": spoilt,
        "healed_away": healed,
    })
}

/// One test for each flaw: every miss is a failure, also one that `min_caught` bears.
pub(super) fn junit(peers: &[Peer]) -> io::Result<String> {
    let mut book = Book::new();
    let category = CategoryName::new("selftest").map_err(io::Error::other)?;
    for peer in peers {
        for settled in &peer.settled {
            let unit = UnitId::new(format!("selftest/{}/{}", peer.name, settled.flaw.name));
            let (at_us, duration_us) = (settled.took_us, settled.took_us);
            let started = RunEvent::UnitStarted {
                unit: unit.clone(),
                name: format!("{} {}", peer.name, settled.flaw.sentence),
                file: String::new(),
                category: category.clone(),
                proves: Vec::new(),
                peers: BTreeMap::new(),
                budget_us: 0,
            };
            book.read(&Recorded { at_us: 0, event: started });
            let verdict = verdict(settled);
            let ended = RunEvent::UnitEnded { unit, verdict, duration_us, cpu_us: 0 };
            book.read(&Recorded { at_us, event: ended });
        }
    }
    junit::junit(&book)
}

fn verdict(settled: &Settled) -> Verdict {
    match &settled.fate {
        Fate::Caught { .. } => Verdict::Passed,
        Fate::Missed { .. } => Verdict::Failed { reason: "no scenario sees it".to_owned() },
        Fate::Open => Verdict::Infra { reason: "interrupted".to_owned() },
    }
}
