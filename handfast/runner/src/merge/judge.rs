//! Whether the parts are the whole. Whatever speaks against it is a fault, named with the record and, where there is one, the fix.

use std::collections::{BTreeMap, BTreeSet};

use handfast_scenario::ExitCode;
use handfast_scenario::event::{Shard, ShardLine, ShardMark, Summary};

use super::part::Part;

/// A part and its place among the others.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The part.
    pub part: Part,
    /// Whether the same run is there already, so that this copy counts for nothing.
    pub is_copy: bool,
    /// Whether what it says can be believed without looking at it: a shard of this whole, readable to its end or to where it was killed,
    /// that does not contradict itself and is the only one with the id of its run.
    pub is_sound: bool,
}

/// What was found out about the parts.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    parts: Vec<Judged>,
    faults: Vec<String>,
    notes: Vec<String>,
    not_run: u64,
}

impl Judgement {
    /// Judges parts; each stays, whatever is wrong with it.
    pub fn of(mut parts: Vec<Part>) -> Self {
        parts.sort_by(|one, other| {
            let key =
                |part: &Part| (part.mark.as_ref().map(|mark| mark.shard.place()), part.run.clone());
            key(one).cmp(&key(other)).then_with(|| one.shown.cmp(&other.shown))
        });
        let mut judgement = Self::default();
        for part in parts {
            let is_copy = judgement.other_of_its_run(&part);
            judgement.parts.push(Judged { part, is_copy, is_sound: false });
        }
        let whole = judgement.partition();
        judgement.sound(whole.as_ref());
        judgement.each_alone(whole.as_ref());
        if let Some(whole) = &whole {
            judgement.all_there(whole);
        }
        judgement.same_programs();
        judgement
    }

    /// The parts in their order.
    pub fn parts(&self) -> &[Judged] {
        &self.parts
    }

    /// Why the parts are not the whole, a sentence each.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// What is odd about them, a sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Units and suites that no part has a verdict on, because the part is missing or was killed.
    pub fn not_run(&self) -> u64 {
        self.not_run
    }

    /// The parts as the merged record names them.
    pub fn lines(&self) -> Vec<ShardLine> {
        let line = |judged: &Judged| {
            let part = &judged.part;
            ShardLine {
                shard: part.mark.as_ref().map(|mark| mark.shard),
                run: part.run.clone(),
                folder: part.shown.clone(),
                units: part.units,
                suites: part.suites,
                seed: part.seed,
                exit: part.end.map(|end| end.exit),
                duration_us: part.duration_us(),
            }
        };
        self.parts.iter().map(line).collect()
    }

    fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// Names the record before this one that has the same id; whether this one is a copy of it, and not another record of that id.
    fn other_of_its_run(&mut self, part: &Part) -> bool {
        if part.run.is_empty() {
            return false;
        }
        let same = |judged: &&Judged| judged.part.run == part.run;
        let content = |judged: &&Judged| judged.part.content == part.content;
        let others = self.parts.iter().filter(same);
        if let Some(first) = others.clone().find(content) {
            self.fault(format!(
                "run {} is there twice, in {} and in {}: it counts once",
                part.run, first.part.shown, part.shown
            ));
            return true;
        }
        let first = others.map(|judged| judged.part.shown.clone()).next();
        if let Some(first) = first {
            self.fault(format!(
                "run {} is there twice with different content, in {first} and in {}: both count",
                part.run, part.shown
            ));
        }
        false
    }

    fn sound(&mut self, whole: Option<&ShardMark>) {
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for judged in self.parts.iter().filter(|judged| !judged.is_copy) {
            *times.entry(judged.part.run.clone()).or_default() += 1;
        }
        for judged in &mut self.parts {
            let part = &judged.part;
            let belongs = part.mark.as_ref().zip(whole);
            let belongs = belongs.is_some_and(|(mark, whole)| same_partition(mark, whole));
            let is_alone = times.get(&part.run) == Some(&1);
            judged.is_sound = belongs
                && is_alone
                && !judged.is_copy
                && part.broken.is_none()
                && contradiction(part).is_none();
        }
    }

    /// The partition that most parts have; of several the first.
    fn partition(&self) -> Option<ShardMark> {
        let mut counts: Vec<(ShardMark, usize)> = Vec::new();
        for mark in self.parts.iter().filter_map(|judged| judged.part.mark.as_ref()) {
            match counts.iter_mut().find(|(known, _)| same_partition(known, mark)) {
                Some((_, count)) => *count += 1,
                None => counts.push((mark.clone(), 1)),
            }
        }
        let most = counts.iter().map(|(_, count)| *count).max();
        counts.into_iter().find(|(_, count)| Some(*count) == most).map(|(mark, _)| mark)
    }

    fn each_alone(&mut self, whole: Option<&ShardMark>) {
        let mut faults = Vec::new();
        for judged in self.parts.iter().filter(|judged| !judged.is_copy) {
            let (part, name) = (&judged.part, judged.part.name());
            if let Some(broken) = &part.broken {
                faults.push(format!("{name} is damaged, and what follows is lost: {broken}"));
            } else if part.end.is_none() {
                let lost = part.pieces().saturating_sub(part.judged);
                faults.push(format!(
                    "{name} was killed before its end: {lost} of its {} units and suites have no verdict",
                    part.pieces()
                ));
            }
            match (&part.mark, whole) {
                _ if part.run.is_empty() => {}
                (None, _) => faults.push(format!("{name} is a whole run, and no shard of one")),
                (Some(mark), Some(whole)) if !same_partition(mark, whole) => faults.push(format!(
                    "{name} is of another partition than the others: give all shards the same --shard-plan, made by `handfast shards --out`"
                )),
                (Some(_), Some(_) | None) => {}
            }
            faults.extend(
                contradiction(part).map(|what| format!("{name} contradicts itself: {what}")),
            );
            let said = part.end.map_or(0, |end| end.summary.not_run);
            let lost = count(part.pieces().saturating_sub(part.judged)).saturating_sub(said);
            self.not_run = self.not_run.saturating_add(lost);
        }
        self.faults.extend(faults);
    }

    fn all_there(&mut self, whole: &ShardMark) {
        let mut there: BTreeMap<Shard, Vec<&Part>> = BTreeMap::new();
        for judged in self.parts.iter().filter(|judged| !judged.is_copy) {
            if let Some(mark) = judged.part.mark.as_ref().filter(|mark| same_partition(mark, whole))
            {
                there.entry(mark.shard).or_default().push(&judged.part);
            }
        }
        let mut faults = Vec::new();
        let mut pieces: u64 = 0;
        let mut is_any_missing = false;
        for index in 1..=whole.shard.count() {
            let Ok(shard) = Shard::new(index, whole.shard.count()) else { continue };
            match there.get(&shard).map(Vec::as_slice) {
                None | Some([]) => {
                    is_any_missing = true;
                    faults.push(format!("shard {shard} is missing: there is no record of it"));
                }
                Some([one]) => pieces = pieces.saturating_add(count(one.pieces())),
                Some(several) => {
                    pieces = pieces.saturating_add(count(several[0].pieces()));
                    let names: Vec<String> = several
                        .iter()
                        .map(|part| format!("run {} in {}", part.run, part.shown))
                        .collect();
                    faults.push(format!(
                        "shard {shard} is there {} times: {}",
                        several.len(),
                        names.join(", ")
                    ));
                }
            }
        }
        let lacking = whole.pieces.saturating_sub(pieces);
        if is_any_missing {
            self.not_run = self.not_run.saturating_add(lacking);
        } else if whole.pieces != pieces {
            faults.push(format!(
                "the partition has {} units and suites, and the shards have {pieces}",
                whole.pieces
            ));
        }
        self.faults.extend(faults);
    }

    /// The same peer may be another program on each machine: no fault, but worth knowing when something fails.
    fn same_programs(&mut self) {
        let mut builds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut versions: BTreeSet<&str> = BTreeSet::new();
        for part in self.parts.iter().map(|judged| &judged.part) {
            versions.extend((!part.handfast.is_empty()).then_some(part.handfast.as_str()));
            for (peer, build) in part.matrix.iter().flat_map(|matrix| &matrix.builds) {
                builds.entry(peer.as_str()).or_default().insert(build);
            }
        }
        let mut notes = Vec::new();
        if versions.len() > 1 {
            let versions: Vec<&str> = versions.into_iter().collect();
            notes.push(format!(
                "the shards are of several versions of handfast: {}",
                versions.join(", ")
            ));
        }
        for (peer, digests) in builds.into_iter().filter(|(_, digests)| digests.len() > 1) {
            notes.push(format!(
                "{peer} is not the same program in all shards, there are {} of it: build it once, or so that the same source gives the same bytes",
                digests.len()
            ));
        }
        self.notes = notes;
    }
}

fn same_partition(one: &ShardMark, other: &ShardMark) -> bool {
    one.partition == other.partition
        && one.shard.count() == other.shard.count()
        && one.pieces == other.pieces
}

/// What a record says at its end must be what its events say, and its exit code what follows from it.
fn contradiction(part: &Part) -> Option<String> {
    let end = part.end.filter(|_| part.broken.is_none())?;
    let (said, found) = (end.summary, part.tally.summary());
    let counts = |summary: Summary| {
        [
            ("passed", summary.passed),
            ("failed", summary.failed),
            ("infra", summary.infra),
            ("timed out", summary.timed_out),
            ("unsupported", summary.unsupported),
            ("absent", summary.absent),
            ("recalled", summary.recalled),
            ("suites failed", summary.suites_failed),
            ("tests of suites failed", summary.suite_tests_failed),
            ("tests of suites passed", summary.suite_tests_passed),
        ]
    };
    for ((what, said), (_, found)) in counts(said).into_iter().zip(counts(found)) {
        if said != found {
            return Some(format!("{what}: {said} by its end, {found} by its events"));
        }
    }
    let accounted = count(part.judged).saturating_add(said.not_run);
    if accounted != count(part.pieces()) {
        return Some(format!(
            "{} units and suites by its beginning, {accounted} with a verdict or not run by its end",
            part.pieces()
        ));
    }
    let follows = ExitCode::of(&said);
    let empty = part.pieces() == 0 && ExitCode::of_empty_shard(&said) == end.exit;
    (follows != end.exit && !empty).then(|| {
        format!("exit code {}, but {} follows from its counts", end.exit.number(), follows.number())
    })
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
