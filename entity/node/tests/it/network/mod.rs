//! Many nodes of the distributed hash table, each a process, and what must be true of them.
//!
//! - [`member`]: one process, killed and started again in the same directory at the same address.
//! - [`hostile`]: records that must not win.
//! - this file: the course of it, with its figures.

pub(crate) mod hostile;
pub(crate) mod member;

use std::fmt::Write as _;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use member::Member;

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Nodes; the first is everybody's bootstrap contact.
    pub(crate) nodes: usize,
    /// Contacts of a bucket, and storers of a record.
    pub(crate) k: usize,
    /// Records.
    pub(crate) records: usize,
    /// Nodes killed with SIGKILL, the bootstrap contact among them.
    pub(crate) kills: usize,
    /// Records that are attacked, each in four ways.
    pub(crate) attacked: usize,
}

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Contacts of the node with the fewest, after everybody has joined.
    pub(crate) contacts_min: usize,
    /// Copies of the record with the fewest.
    pub(crate) copies_min: usize,
    /// Slots of all nodes but the one that leaves: before and after.
    pub(crate) slots_before: usize,
    pub(crate) slots_of_leaver: usize,
    pub(crate) slots_after: usize,
    /// Records found after the kills, with what their owner wrote.
    pub(crate) found: usize,
    /// Attacks that were tried, and lookups afterwards that showed anything but the genuine record.
    pub(crate) attacks: usize,
    pub(crate) lost_to_attacks: usize,
    /// Nodes that were started again, and that found a record without the bootstrap contact.
    pub(crate) restarted: usize,
    pub(crate) rejoined: usize,
    /// Of all nodes together while nothing is asked, in percent of one core; and of the largest one, in MiB.
    pub(crate) idle_percent: f64,
    pub(crate) resident_mib: f64,
    /// For people.
    pub(crate) report: String,
}

/// How many do something at the same time: enough for two cores.
const AT_ONCE: usize = 8;

/// How long the idle nodes are watched.
const IDLE: Duration = Duration::from_secs(5);

/// Plays everything.
pub(crate) fn run(effort: Effort) -> Figures {
    let mut figures = Figures::default();
    let begin = Instant::now();
    let mut members = join(effort, &mut figures);
    store(&mut members, effort, &mut figures);
    idle(&members, &mut figures);
    leave(&mut members, effort, &mut figures);
    kill(&mut members, effort, &mut figures);
    retrieve(&mut members, effort, &mut figures);
    attack(&mut members, effort, &mut figures);
    restart(&mut members, effort, &mut figures);
    figures.say(&format!("all of it: {:.1} s", begin.elapsed().as_secs_f64()));
    figures
}

impl Figures {
    fn say(&mut self, line: &str) {
        writeln!(self.report, "{line}").unwrap();
    }
}

/// Does something with some members, some of them at the same time, and returns what each gave, in order.
fn each<T: Send>(members: &mut [&mut Member], work: impl Fn(&mut Member) -> T + Sync) -> Vec<T> {
    let share = members.len().div_ceil(AT_ONCE).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let parts = members.chunks_mut(share).map(|part| {
            scope.spawn(move || part.iter_mut().map(|member| work(member)).collect::<Vec<_>>())
        });
        let parts: Vec<_> = parts.collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}

fn alive(members: &mut [Member]) -> Vec<&mut Member> {
    members.iter_mut().filter(|member| member.is_running()).collect()
}

fn join(effort: Effort, figures: &mut Figures) -> Vec<Member> {
    let begin = Instant::now();
    let mut members: Vec<Member> =
        (0..effort.nodes).map(|number| Member::new(number, effort.k)).collect();
    members[0].start(None);
    let bootstrap = members[0].entry();
    let (_, others) = members.split_at_mut(1);
    each(&mut others.iter_mut().collect::<Vec<_>>(), |member| member.start(Some(&bootstrap)));
    each(&mut alive(&mut members), |member| member.event("dht.joined"));
    let joined = begin.elapsed();
    // Everybody looks round once more when it has heard of the others, and announces itself.
    let wanted = effort.k.min(effort.nodes - 1);
    let contacts = each(&mut alive(&mut members), |member| {
        member.until(|member| {
            let contacts =
                member.call("dht.table", &json!({}))["contacts"].as_array().unwrap().len();
            (contacts >= wanted).then_some(contacts)
        })
    });
    figures.contacts_min = contacts.iter().copied().min().unwrap_or_default();
    let mean = mean(contacts.iter().copied());
    figures.say(&format!(
        "{} nodes, k = {}: joined through one bootstrap contact after {:.1} s; {mean:.1} contacts each, at least {}",
        effort.nodes, effort.k, joined.as_secs_f64(), figures.contacts_min
    ));
    members
}

fn name(record: usize) -> String {
    format!("record-{record}")
}

/// Who puts a record.
fn owner(record: usize, effort: Effort) -> usize {
    record % effort.nodes
}

fn value(record: usize) -> Value {
    json!({"record": record, "text": "what its owner wrote"})
}

fn store(members: &mut [Member], effort: Effort, figures: &mut Figures) {
    let begin = Instant::now();
    let copies: Vec<usize> = each(&mut alive(members), |member| {
        let number = member.number;
        let own = (0..effort.records).filter(|record| owner(*record, effort) == number);
        let put = |record: usize| {
            let params = json!({"kind": "capability", "name": name(record), "value": value(record), "version": VERSION});
            let stored = member.call("dht.put", &params);
            count_of(&stored["stored"])
        };
        own.map(put).collect::<Vec<_>>()
    })
    .into_iter()
    .flatten()
    .collect();
    assert_eq!(copies.len(), effort.records);
    figures.copies_min = copies.iter().copied().min().unwrap_or_default();
    let mean = mean(copies.iter().copied());
    figures.say(&format!(
        "{} records stored in {:.1} s, {mean:.2} copies each, at least {}",
        copies.len(),
        begin.elapsed().as_secs_f64(),
        figures.copies_min
    ));
}

/// The version of the genuine records: there is room for others on both sides of it.
pub(crate) const VERSION: u64 = 5;

fn idle(members: &[Member], figures: &mut Figures) {
    let used = || members.iter().map(Member::processor_time).sum::<Duration>();
    let (before, begin) = (used(), Instant::now());
    // What is measured is that nothing happens, of which nobody tells.
    let (nobody, silence) = channel::<()>();
    assert!(silence.recv_timeout(IDLE).is_err());
    drop(nobody);
    let share = used().saturating_sub(before).as_secs_f64() / begin.elapsed().as_secs_f64();
    figures.idle_percent = share * 100.0;
    let resident = members.iter().map(Member::resident_mib);
    figures.resident_mib = resident.fold(0.0, f64::max);
    figures.say(&format!(
        "idle: all nodes together take {:.1} % of one core, the largest one {:.1} MiB",
        figures.idle_percent, figures.resident_mib
    ));
}

fn slots(member: &mut Member) -> usize {
    count_of(&member.call("dht.table", &json!({}))["slots"])
}

/// The last node leaves in order.
fn leave(members: &mut [Member], effort: Effort, figures: &mut Figures) {
    let (others, leaver) = members.split_at_mut(effort.nodes - 1);
    let mut others: Vec<&mut Member> = others.iter_mut().collect();
    figures.slots_of_leaver = slots(&mut leaver[0]);
    figures.slots_before =
        each(&mut others, slots).into_iter().sum::<usize>() + figures.slots_of_leaver;
    let begin = Instant::now();
    leaver[0].call("dht.leave", &json!({}));
    let took = begin.elapsed();
    leaver[0].kill();
    figures.slots_after = each(&mut others, slots).into_iter().sum();
    figures.say(&format!(
        "one left in {:.1} s and handed over: of {} copies, {} its own, the others have {} now",
        took.as_secs_f64(),
        figures.slots_before,
        figures.slots_of_leaver,
        figures.slots_after
    ));
}

fn kill(members: &mut [Member], effort: Effort, figures: &mut Figures) {
    // Every third one, beginning with the bootstrap contact, until they are enough.
    let step = (effort.nodes - 1) / effort.kills;
    let victims = (0..effort.kills).map(|victim| victim * step);
    victims.for_each(|victim| members[victim].kill());
    figures.say(&format!(
        "{} killed with -9, the bootstrap contact among them; {} are left",
        effort.kills,
        alive(members).len()
    ));
}

fn retrieve(members: &mut [Member], effort: Effort, figures: &mut Figures) {
    let mut alive = alive(members);
    let count = alive.len();
    let places: Vec<usize> = alive.iter().map(|member| member.number).collect();
    let begin = Instant::now();
    let looked: Vec<(bool, Duration, usize)> = each(&mut alive, |member| {
        let place = places.iter().position(|number| *number == member.number).unwrap();
        // Another reader than the owner, in most cases.
        let own = (0..effort.records).filter(|record| (record * 7 + 3) % count == place);
        let get = |record: usize| {
            let begin = Instant::now();
            let got = member.call("dht.get", &json!({"kind": "capability", "name": name(record)}));
            (is_genuine(&got, record), begin.elapsed(), count_of(&got["questions"]))
        };
        own.map(get).collect::<Vec<_>>()
    })
    .into_iter()
    .flatten()
    .collect();
    assert_eq!(looked.len(), effort.records);
    figures.found = looked.iter().filter(|(found, ..)| *found).count();
    let mut times: Vec<Duration> = looked.iter().map(|(_, time, _)| *time).collect();
    times.sort();
    let questions = mean(looked.iter().map(|(.., questions)| *questions));
    let percentile = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e3;
    figures.say(&format!(
        "{} of {} records found ({:.1} %) in {:.1} s; a lookup asks {questions:.1} nodes, p50 {:.0} ms, p99 {:.0} ms",
        figures.found, effort.records, 100.0 * mean([figures.found].into_iter()) / mean([effort.records].into_iter()),
        begin.elapsed().as_secs_f64(), percentile(50), percentile(99)
    ));
}

/// Whether exactly what the owner wrote was found.
fn is_genuine(got: &Value, record: usize) -> bool {
    let records = got["records"].as_array().unwrap();
    matches!(&records[..], [one] if one["value"] == value(record) && one["version"] == VERSION)
}

/// One of the nodes sends every other one records that must not win.
fn attack(members: &mut [Member], effort: Effort, figures: &mut Figures) {
    let mut alive = alive(members);
    let (attacker, others) = alive.split_last_mut().unwrap();
    let records: Vec<usize> =
        (0..effort.attacked).map(|number| number * 3 % effort.records).collect();
    for &record in &records {
        let attacks = hostile::attacks(owner(record, effort), &name(record));
        for body in &attacks {
            for other in others.iter() {
                let params = json!({"to": other.name(), "type": "dht_store", "body": body});
                attacker.call("message.send", &params);
            }
        }
        figures.attacks += attacks.len();
    }
    let others_count = others.len();
    let lost: usize = each(others, |member| {
        let wrong = |record: &&usize| {
            let params = json!({"kind": "capability", "name": name(**record)});
            !is_genuine(&member.call("dht.get", &params), **record)
        };
        records.iter().step_by(4).filter(wrong).count()
    })
    .into_iter()
    .sum();
    figures.lost_to_attacks = lost;
    figures.say(&format!(
        "{} forged, stale, rolled-back and oversized records sent to each of {others_count} nodes: {lost} lookups showed one, or lost the genuine one",
        figures.attacks
    ));
}

/// Those that were killed come back; whom they began with stays away.
fn restart(members: &mut [Member], effort: Effort, figures: &mut Figures) {
    let begin = Instant::now();
    let last = effort.nodes - 1;
    let killed = members.iter_mut().skip(1).filter(|member| !member.is_running());
    let mut killed: Vec<_> = killed.filter(|member| member.number != last).collect();
    figures.restarted = killed.len();
    let found = each(&mut killed, |member| {
        member.start(None);
        member.event("dht.joined");
        let record = member.number;
        let got = member.call("dht.get", &json!({"kind": "capability", "name": name(record)}));
        let contacts = member.call("dht.table", &json!({}))["contacts"].as_array().unwrap().len();
        is_genuine(&got, record) && contacts > 0
    });
    figures.rejoined = found.into_iter().filter(|found| *found).count();
    figures.say(&format!(
        "{} started again in {:.1} s, without the bootstrap contact: {} joined and found a record",
        figures.restarted,
        begin.elapsed().as_secs_f64(),
        figures.rejoined
    ));
}

fn count_of(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn mean(values: impl ExactSizeIterator<Item = usize>) -> f64 {
    let float = |count: usize| f64::from(u32::try_from(count).unwrap());
    let count = float(values.len().max(1));
    float(values.sum()) / count
}
