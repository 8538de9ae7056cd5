//! What came of a run, beside what theory says.

use std::fmt;

/// The figures of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Nodes alive at the end.
    pub alive: usize,
    /// Nodes there ever were.
    pub ever: usize,
    /// Contacts in all tables at the end.
    pub contacts: usize,
    /// Of a node.
    pub k: usize,
    /// Paths of a lookup.
    pub paths: usize,
    /// Of a hundred contacts, dead at the beginning.
    pub dead_percent: usize,
    /// Lookups that ended.
    pub ended: usize,
    /// Of these, those that found what they had to.
    pub succeeded: usize,
    /// Lookups whose node died under way.
    pub cut_off: usize,
    /// Nodes asked, in all these lookups.
    pub questions: usize,
    /// Hops, in all these lookups.
    pub hops: usize,
    /// The most hops of one.
    pub hops_max: u8,
    /// How long they took, in virtual microseconds, in all.
    pub micros: u64,
    /// Records published.
    pub published: usize,
    /// Questions that were sent, of lookups and of everything else.
    pub asked: u64,
    /// Answers that came.
    pub answered: u64,
    /// Messages delivered.
    pub messages: u64,
    /// Bytes that all nodes store.
    pub stored_bytes: usize,
    /// Equal for equal histories of one build.
    pub fingerprint: u64,
}

impl Report {
    /// Of the lookups that ended, the share that succeeded.
    pub fn success(&self) -> f64 {
        ratio(self.succeeded, self.ended)
    }

    /// Hops of a lookup.
    pub fn hops_mean(&self) -> f64 {
        ratio(self.hops, self.ended)
    }

    /// Messages of a lookup: one to each node asked, and one back from those that answer, as many as of all questions of the
    /// run.
    pub fn messages_mean(&self) -> f64 {
        self.questions_mean() * (1.0 + ratio(count(self.answered), count(self.asked)))
    }

    /// What theory says of them: who is alive answers.
    pub fn messages_theory(&self) -> f64 {
        self.questions_theory() * (2.0 - float(self.dead_percent) / 100.0)
    }

    /// Nodes asked by a lookup.
    pub fn questions_mean(&self) -> f64 {
        ratio(self.questions, self.ended)
    }

    /// What theory says of hops: a node knows k of each bucket, so who is asked names one that has 1 + log2 k + 1/3 more
    /// bits in common with the target, on average; the nearest of all n has log2 n + 1/3.
    pub fn hops_theory(&self) -> f64 {
        let (nodes, k) = (float(self.alive).log2(), float(self.k).log2());
        ((nodes - 2.0 - k) / (1.0 + k + 1.0 / 3.0)).max(0.0)
    }

    /// What theory says of questions: each path has to have its share of the k nearest answer, and comes to them by so many
    /// hops; who is dead is asked in vain.
    pub fn questions_theory(&self) -> f64 {
        let window = float(self.k.div_ceil(self.paths.max(1)) * self.paths);
        let alive = 1.0 - float(self.dead_percent) / 100.0;
        (window + float(self.paths) * (1.0 + self.hops_theory())) / alive
    }

    /// What theory says of the contacts of a node: k in each of the buckets that have so many.
    pub fn contacts_theory(&self) -> f64 {
        let (nodes, k) = (float(self.alive), float(self.k));
        k * ((nodes / k).log2() + 1.0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "nodes      {} alive of {} ever", self.alive, self.ever)?;
        let contacts = ratio(self.contacts, self.alive);
        writeln!(
            formatter,
            "contacts   {contacts:.1} a node (theory {:.0})",
            self.contacts_theory()
        )?;
        let percent = self.success() * 100.0;
        let (ended, succeeded) = (self.ended, self.succeeded);
        writeln!(formatter, "lookups    {succeeded} of {ended} succeeded: {percent:.3} %")?;
        writeln!(formatter, "cut off    {} whose own node died under way", self.cut_off)?;
        let (hops, most) = (self.hops_mean(), self.hops_max);
        writeln!(
            formatter,
            "hops       {hops:.2}, at most {most} (theory {:.2})",
            self.hops_theory()
        )?;
        let (asked, theory) = (self.questions_mean(), self.questions_theory());
        writeln!(formatter, "questions  {asked:.1} a lookup (theory {theory:.1})")?;
        let (sent, theory) = (self.messages_mean(), self.messages_theory());
        writeln!(formatter, "messages   {sent:.1} a lookup, there and back (theory {theory:.1})")?;
        let span = ratio(count(self.micros), self.ended) / 1e6;
        writeln!(formatter, "time       {span:.2} s a lookup, virtual")?;
        writeln!(formatter, "published  {}", self.published)?;
        writeln!(formatter, "stored     {} bytes in all", self.stored_bytes)?;
        writeln!(formatter, "delivered  {} messages", self.messages)?;
        write!(formatter, "history    {:016x}", self.fingerprint)
    }
}

fn count(of: u64) -> usize {
    usize::try_from(of).unwrap_or(usize::MAX)
}

fn ratio(part: usize, whole: usize) -> f64 {
    float(part) / float(whole.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(count: usize) -> f64 {
    count as f64
}
