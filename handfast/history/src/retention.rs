//! Which runs a history may forget: pure, a rule over what is known of them.
//!
//! A run goes as a whole or stays as a whole. The newest stays, whatever the limits are, and with a run that stays stay those that it
//! *needs*: who judged last what it was to judge. So no verdict that is remembered afterwards was overtaken by one that is forgotten, and a
//! cell of which the last word was a failure can never be taken for one that passed.

use std::collections::BTreeSet;

/// What is to be kept; nothing where there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// So many runs, the newest.
    pub keep_runs: Option<usize>,
    /// Runs that began at this moment or later, microseconds since the Unix epoch.
    pub since_unix_us: Option<i64>,
    /// So many bytes in all.
    pub bytes: Option<u64>,
}

/// What the rule knows of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weighed {
    /// Its id.
    pub run: String,
    /// When it began, microseconds since the Unix epoch.
    pub started_unix_us: i64,
    /// What it takes on disk.
    pub bytes: u64,
    /// The matrix takes a verdict of it over as long as nothing is touched: it stays.
    pub is_recalled: bool,
    /// The places, in the same list, of runs that stay if it stays.
    pub needs: BTreeSet<usize>,
}

/// Which limit a run is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beyond {
    /// There are enough newer ones.
    Count,
    /// It is too old.
    Age,
    /// It takes the place of newer ones.
    Size,
}

/// What follows for each run, in the order of the list that was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It stays: no limit asks for it.
    Stays,
    /// It stays although it is beyond a limit: the matrix, or a run that stays, needs it.
    Needed(Beyond),
    /// It goes.
    Goes(Beyond),
}

/// Which runs stay and which go.
///
/// Of the sizes it is only known what they are now, so that the limit of bytes is kept as far as these are right, and as far as what is
/// needed fits.
pub fn choose(runs: &[Weighed], limits: &Limits) -> Vec<Fate> {
    let mut newest_first: Vec<usize> = (0..runs.len()).collect();
    newest_first.sort_by(|one, other| age(runs, *other).cmp(&age(runs, *one)));
    let mut beyond: Vec<Option<Beyond>> = vec![None; runs.len()];
    for (place, &run) in newest_first.iter().enumerate().skip(1) {
        if limits.keep_runs.is_some_and(|keep| place >= keep) {
            beyond[run] = Some(Beyond::Count);
        } else if limits.since_unix_us.is_some_and(|since| runs[run].started_unix_us < since) {
            beyond[run] = Some(Beyond::Age);
        }
    }
    // The more of the newest stay, the more bytes: the most that fit are found by halving.
    let fits = |count: usize| {
        let stays = staying(runs, &newest_first[..count], &beyond);
        let bytes = stays.iter().fold(0_u64, |sum, run| sum.saturating_add(runs[*run].bytes));
        limits.bytes.is_none_or(|most| bytes <= most)
    };
    let (mut most, mut too_many) = (1, runs.len() + 1);
    while too_many - most > 1 {
        let count = most.midpoint(too_many);
        if fits(count) {
            most = count;
        } else {
            too_many = count;
        }
    }
    for &run in newest_first.iter().skip(most) {
        beyond[run] = beyond[run].or(Some(Beyond::Size));
    }
    let stays = staying(runs, &newest_first, &beyond);
    let fate = |(run, beyond): (usize, Option<Beyond>)| match beyond {
        None => Fate::Stays,
        Some(beyond) if stays.contains(&run) => Fate::Needed(beyond),
        Some(beyond) => Fate::Goes(beyond),
    };
    beyond.into_iter().enumerate().map(fate).collect()
}

fn age(runs: &[Weighed], run: usize) -> (i64, &str) {
    (runs[run].started_unix_us, &runs[run].run)
}

/// The runs of these that are beyond no limit, those that are recalled, and all that they need.
fn staying(runs: &[Weighed], newest: &[usize], beyond: &[Option<Beyond>]) -> BTreeSet<usize> {
    let asked = newest.iter().copied().filter(|run| beyond[*run].is_none());
    let recalled = (0..runs.len()).filter(|run| runs[*run].is_recalled);
    let mut open: Vec<usize> = asked.chain(recalled).collect();
    let mut stays = BTreeSet::new();
    while let Some(run) = open.pop() {
        if stays.insert(run) {
            open.extend(runs[run].needs.iter().copied().filter(|need| *need < runs.len()));
        }
    }
    stays
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    fn run(id: &str, started_unix_us: i64, bytes: u64) -> Weighed {
        Weighed { run: id.to_owned(), started_unix_us, bytes, ..Weighed::default() }
    }

    fn four() -> Vec<Weighed> {
        // Not in the order of their times.
        vec![run("c", 30, 5), run("a", 10, 5), run("d", 40, 5), run("b", 20, 5)]
    }

    #[track_caller]
    fn check(runs: &[Weighed], limits: Limits, expected: &str) {
        let fates = choose(runs, &limits);
        let mut shown: Vec<(&str, &str)> = fates
            .iter()
            .zip(runs)
            .map(|(fate, run)| match fate {
                Fate::Stays => (run.run.as_str(), "stays"),
                Fate::Needed(_) => (run.run.as_str(), "needed"),
                Fate::Goes(Beyond::Count) => (run.run.as_str(), "count"),
                Fate::Goes(Beyond::Age) => (run.run.as_str(), "age"),
                Fate::Goes(Beyond::Size) => (run.run.as_str(), "size"),
            })
            .collect();
        shown.sort_unstable();
        let shown: Vec<&str> = shown.iter().map(|(_, fate)| *fate).collect();
        assert_eq!(shown.join(" "), expected);
    }

    #[test]
    fn without_a_limit_everything_stays() {
        check(&four(), Limits::default(), "stays stays stays stays");
        check(&[], Limits { keep_runs: Some(0), ..Limits::default() }, "");
    }

    #[test]
    fn the_newest_stay_by_count_age_and_size() {
        let count = Limits { keep_runs: Some(2), ..Limits::default() };
        check(&four(), count, "count count stays stays");
        let age = Limits { since_unix_us: Some(20), ..Limits::default() };
        check(&four(), age, "age stays stays stays");
        let size = Limits { bytes: Some(14), ..Limits::default() };
        check(&four(), size, "size size stays stays");
        check(&four(), Limits { keep_runs: Some(3), ..size }, "count size stays stays");
    }

    #[test]
    fn the_newest_stays_whatever_is_asked() {
        let nothing = Limits { keep_runs: Some(0), since_unix_us: Some(99), bytes: Some(0) };
        check(&four(), nothing, "count count count stays");
    }

    #[test]
    fn what_the_matrix_recalls_stays_with_what_it_needs() {
        let mut runs = four();
        runs[3].is_recalled = true;
        runs[3].needs = BTreeSet::from([1]);
        let one = Limits { keep_runs: Some(1), ..Limits::default() };
        check(&runs, one, "needed needed count stays");
        // Its bytes count before those of newer ones.
        let size = Limits { bytes: Some(19), ..Limits::default() };
        check(&runs, size, "needed needed size stays");
    }

    fn runs() -> impl Strategy<Value = Vec<Weighed>> {
        let one =
            (0..8_i64, 0..50_u64, proptest::bool::weighted(0.1), btree_set(0..12_usize, 0..3));
        vec(one, 0..12).prop_map(|made| {
            let weighed = |(at, (started_unix_us, bytes, is_recalled, needs))| Weighed {
                run: format!("r{at}"),
                started_unix_us,
                bytes,
                is_recalled,
                needs,
            };
            made.into_iter().enumerate().map(weighed).collect()
        })
    }

    fn limits() -> impl Strategy<Value = Limits> {
        let some = |high: u64| proptest::option::of(0..high);
        (some(12), some(9), some(400)).prop_map(|(count, since, bytes)| Limits {
            keep_runs: count.and_then(|count| usize::try_from(count).ok()),
            since_unix_us: since.and_then(|since| i64::try_from(since).ok()),
            bytes,
        })
    }

    proptest! {
        #[test]
        fn what_stays_has_all_that_it_needs_and_no_limit_is_broken_without_need(
            runs in runs(), limits in limits()
        ) {
            let fates = choose(&runs, &limits);
            prop_assert_eq!(fates.len(), runs.len());
            let stays = |run: usize| !matches!(fates[run], Fate::Goes(_));
            for (at, run) in runs.iter().enumerate() {
                prop_assert!(!run.is_recalled || stays(at));
                let needs = run.needs.iter().filter(|need| **need < runs.len());
                prop_assert!(!stays(at) || needs.into_iter().all(|need| stays(*need)));
            }
            let newest = (0..runs.len()).max_by_key(|run| age(&runs, *run));
            prop_assert!(newest.is_none_or(|newest| fates[newest] == Fate::Stays));
            // What only stays of itself is within every limit.
            let of_itself: Vec<usize> =
                (0..runs.len()).filter(|run| fates[*run] == Fate::Stays && Some(*run) != newest).collect();
            if let Some(keep) = limits.keep_runs {
                prop_assert!(of_itself.len() < keep.max(1));
            }
            for run in &of_itself {
                prop_assert!(limits.since_unix_us.is_none_or(|since| runs[*run].started_unix_us >= since));
            }
            let bytes: u64 = (0..runs.len()).filter(|run| stays(*run)).map(|run| runs[run].bytes).sum();
            prop_assert!(of_itself.is_empty() || limits.bytes.is_none_or(|most| bytes <= most));
            // No newer one goes for want of place while an older one stays of itself.
            for run in &of_itself {
                let newer = |other: &usize| age(&runs, *other) > age(&runs, *run);
                let gone = (0..runs.len()).filter(newer).any(|other| fates[other] == Fate::Goes(Beyond::Size));
                prop_assert!(!gone);
            }
        }

        #[test]
        fn what_is_left_is_left_alone(runs in runs(), limits in limits()) {
            // The order of the list means nothing, and what was chosen once is not chosen again.
            let fates = choose(&runs, &limits);
            let kept: Vec<usize> = (0..runs.len()).filter(|run| !matches!(fates[*run], Fate::Goes(_))).collect();
            let again: Vec<Weighed> = kept
                .iter()
                .map(|run| {
                    let run = &runs[*run];
                    let needs = run.needs.iter().filter_map(|need| kept.iter().position(|kept| kept == need));
                    Weighed { needs: needs.collect(), ..run.clone() }
                })
                .collect();
            prop_assert!(choose(&again, &limits).iter().all(|fate| !matches!(fate, Fate::Goes(_))));
        }
    }
}
