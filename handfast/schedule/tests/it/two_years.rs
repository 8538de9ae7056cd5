//! Two years in three zones: exactly one daily and one Sunday run each, whatever happens.

use std::collections::BTreeMap;
use std::time::Duration;

use handfast_schedule::job::CATCH_UP_WITHIN;
use handfast_schedule::{Calendar, CatchUp, Cron, Job, JobName, Note, Zone};
use jiff::civil::{Time, Weekday, time};
use jiff::{SignedDuration, Timestamp};

use crate::almanac::{daily, years};
use crate::world::{Seen, Trouble, World};

/// Clocks change at 02:00 and 03:00; at 02:00; by half an hour at 02:00; at midnight.
const ZONES: [&str; 4] =
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"];

/// In the hour that some days do not have and others have twice; at midnight, which Santiago does not always have; in the middle of such an hour.
const TIMES: [(&str, Time); 3] = [
    ("0 2 * * *", time(2, 0, 0, 0)),
    ("0 0 * * *", time(0, 0, 0, 0)),
    ("30 2 * * *", time(2, 30, 0, 0)),
];

/// Seeds of each zone and time; optimised there is time for more. Still more: `HANDFAST_SCHEDULE_SEEDS` when this is compiled.
fn seeds() -> u64 {
    let usual = if cfg!(debug_assertions) { 1 } else { 30 };
    option_env!("HANDFAST_SCHEDULE_SEEDS").map_or(usual, |number| number.parse().unwrap())
}

fn name(text: &str) -> JobName {
    JobName::new(text).unwrap()
}

fn job(called: &str, cron: &str, zone: &Zone, jitter: Duration) -> Job {
    let calendar = Calendar { cron: Cron::parse(cron).unwrap(), zone: zone.clone() };
    Job {
        name: name(called),
        calendar,
        command: vec!["run".to_owned()],
        jitter,
        catch_up: CatchUp::Within(Duration::from_hours(7 * 24)),
    }
}

fn both(cron: &str, zone: &Zone, jitter: Duration) -> Vec<Job> {
    let sunday = format!("{} SUN", cron.strip_suffix(" *").unwrap());
    vec![job("daily", cron, zone, jitter), job("full", &sunday, zone, jitter)]
}

fn due(zone: &Zone, at: Time) -> BTreeMap<JobName, Vec<Timestamp>> {
    BTreeMap::from([
        (name("daily"), daily(zone, at, None)),
        (name("full"), daily(zone, at, Some(Weekday::Sunday))),
    ])
}

fn begun<'a>(world: &'a World, job: &'a JobName) -> impl Iterator<Item = &'a Seen> {
    world.seen.iter().filter(move |seen| &seen.job == job)
}

const NO_TROUBLE: Trouble =
    Trouble { kill_in: 0, every_hours: 0, away_hours: 0, run_minutes: 5, clock_minutes: 0 };

#[test]
fn without_trouble_there_is_exactly_one_daily_and_one_sunday_run_each() {
    live_in_peace(Duration::ZERO);
}

#[test]
fn without_trouble_jitter_moves_runs_and_changes_nothing_else() {
    live_in_peace(Duration::from_hours(3));
}

/// Two years of every zone and time in which nothing happens: each begins when it is due, or as soon as the one before it is over.
#[track_caller]
fn live_in_peace(jitter: Duration) {
    const SEED: u64 = 1;
    let (start, end) = years();
    for zone in ZONES.map(|zone| Zone::named(zone).unwrap()) {
        for (cron, at) in TIMES {
            let jobs = both(cron, &zone, jitter);
            let mut world = World::new(jobs.clone(), NO_TROUBLE, SEED, start);
            world.live(end);
            let context = format!("{cron} in {}", zone.name());
            for (job, mut due) in jobs.iter().zip(due(&zone, at).into_values()) {
                // Jitter may hold the last back until after the end.
                due.retain(|occurrence| job.due(SEED, *occurrence) < end);
                let occurrences: Vec<Timestamp> =
                    begun(&world, &job.name).map(|seen| seen.occurrence).collect();
                assert_eq!(occurrences, due, "{}, {context}", job.name);
                assert!(begun(&world, &job.name).all(|seen| seen.attempt == 1));
                assert!(matches!(due.len(), 729 | 730 | 104), "{}", due.len());
            }
            let wait_max = SignedDuration::from_mins(NO_TROUBLE.run_minutes);
            let late_max = wait_max + SignedDuration::try_from(jitter).unwrap();
            for seen in &world.seen {
                let late = seen.began.duration_since(seen.occurrence);
                let is_in_time = SignedDuration::ZERO <= late && late <= late_max;
                assert!(is_in_time, "{context}: {seen:?} is {late:#} late");
            }
            let is_trouble =
                |note: &&Note| matches!(note, Note::MadeUp { .. } | Note::Skipped { .. });
            assert_eq!(world.notes.iter().find(is_trouble), None, "{context}");
        }
    }
}

/// What must hold for whoever watches the runs, whatever happens to the scheduler.
#[track_caller]
fn check_laws(world: &World, due: &BTreeMap<JobName, Vec<Timestamp>>, context: &str) {
    for (job, due) in due {
        let mut attempts: BTreeMap<Timestamp, Vec<&Seen>> = BTreeMap::new();
        for seen in begun(world, job) {
            assert!(due.contains(&seen.occurrence), "{context}: {seen:?} was not due");
            attempts.entry(seen.occurrence).or_default().push(seen);
        }
        for (occurrence, seen) in attempts {
            // Once; and a second time only after the first was interrupted.
            assert!(seen.len() <= 2, "{context}: {job} {occurrence} began {} times", seen.len());
            if let [first, second] = seen[..] {
                assert_eq!(first.finished, Some(false), "{context}: {job} {occurrence} again");
                assert_eq!((first.attempt, second.attempt), (1, 2), "{context}");
            }
        }
    }
}

/// One run for whatever was missed: each first begin is that of the newest occurrence that was due when it was claimed or, where the clock was
/// set back since, when it was queued. An older one would be one of several that make up for what was missed.
#[track_caller]
fn check_newest(world: &World, jobs: &[Job], seed: u64, context: &str) {
    for job in jobs {
        let newest_due = |shown: Timestamp| {
            let last = job.calendar.last_until(shown).unwrap();
            let is_due = job.due(seed, last) <= shown;
            if is_due { last } else { job.calendar.last_before(last).unwrap() }
        };
        for seen in begun(world, &job.name).filter(|seen| seen.attempt == 1) {
            let newest = newest_due(seen.shown)..=newest_due(seen.shown_latest);
            assert!(newest.contains(&seen.occurrence), "{context}: {seen:?}, due was {newest:?}");
        }
    }
}

/// Two years of every zone and time under `trouble`, whose seed decides how often there is a kill in the midst of an output.
#[track_caller]
fn live_through(trouble: Trouble, jitter: Duration, slack: SignedDuration) -> usize {
    let (start, end) = years();
    let mut kills = 0;
    let mut kills_in = [10, 100, 0].into_iter().cycle();
    let mut seed = 0;
    for zone in ZONES.map(|zone| Zone::named(zone).unwrap()) {
        for (cron, at) in TIMES {
            let due = due(&zone, at);
            for _ in 0..seeds() {
                let kill_in = kills_in.next().unwrap_or_default();
                seed += 1;
                let trouble = Trouble { kill_in, ..trouble };
                let jobs = both(cron, &zone, jitter);
                let mut world = World::new(jobs.clone(), trouble, seed, start);
                world.live(end);
                let context = format!("{cron} in {}, seed {seed}", zone.name());
                check_laws(&world, &due, &context);
                check_newest(&world, &jobs, seed, &context);
                let within = SignedDuration::try_from(CATCH_UP_WITHIN).unwrap() - slack;
                let lost = world.check_interrupted(within);
                assert!(lost.is_empty(), "{context}: {lost:#?}");
                let lost = world.check_idle(&due, slack);
                assert!(lost.is_empty(), "{context}: {lost:#?}");
                kills += world.kills;
            }
        }
    }
    kills
}

const TROUBLE: Trouble =
    Trouble { kill_in: 0, every_hours: 30, away_hours: 60, run_minutes: 36 * 60, clock_minutes: 0 };

#[test]
fn under_kills_sleeps_stops_and_long_runs_none_is_doubled_and_none_is_lost() {
    let kills = live_through(TROUBLE, Duration::ZERO, SignedDuration::ZERO);
    assert!(kills > 500, "there was trouble: {kills}");
}

#[test]
fn with_jitter_and_a_clock_that_is_set_again_and_again_none_is_doubled_and_none_is_lost() {
    let trouble = Trouble { clock_minutes: 90, run_minutes: 30, ..TROUBLE };
    // The clock may be an hour and a half behind, and jitter holds back for three hours.
    let slack = SignedDuration::from_mins(90 + 180);
    live_through(trouble, Duration::from_hours(3), slack);
}
