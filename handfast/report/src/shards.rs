//! Shards for people: which part of a whole a run is, and of which parts a merged record was made.

use std::fmt::Write as _;

use handfast_matrix::shard::partition::sum_us;
use handfast_matrix::shard::{Load, Partition, Piece, ShardPlan};
use handfast_scenario::event::{ShardLine, ShardMark};

use crate::book::{Book, MergedPage};
use crate::palette::{Ink, Palette};
use crate::quantity::{tame, time};

/// A plan as a table: a line each shard, then what it comes to, and why it is no better.
pub fn plan(plan: &ShardPlan, count_max: u32) -> String {
    let partition = &plan.partition;
    let count = partition.count();
    let mut text = String::from("shard     expected     scenarios  suites  longest piece\n");
    for (place, loads) in partition.shards().iter().enumerate() {
        let shard = format!("{}/{count}", place + 1);
        let suites = loads.iter().filter(|load| matches!(load.piece, Piece::Suite(_))).count();
        let longest = longest(loads).map(described).unwrap_or_default();
        let (expected, units) = (time(sum_us(loads)), loads.len() - suites);
        // Writing to a text cannot fail.
        writeln!(text, "{shard:<8}{expected:>12}  {units:>10}{suites:>8}  {longest}")
            .unwrap_or_default();
    }
    let loads = partition.shards().concat();
    let guessed = loads.iter().filter(|load| load.is_guess).count();
    let unknown =
        if guessed == 0 { String::new() } else { format!(", {guessed} of them never played") };
    let (sum, heaviest) = (time(sum_us(&loads)), time(partition.heaviest_us()));
    writeln!(
        text,
        "{count} shards of {} pieces{unknown}: one machine {sum}, all together {heaviest}, building apart",
        loads.len()
    )
    .unwrap_or_default();
    if partition.heaviest_us() > plan.within_us {
        let within = time(plan.within_us);
        let why = match longest(&loads) {
            Some(load) if load.us > plan.within_us => {
                format!("{} alone takes longer", described(load))
            }
            Some(_) | None => format!("that takes more than {count_max} shards; --max allows more"),
        };
        writeln!(text, "not within {within}: {why}").unwrap_or_default();
    }
    text
}

/// The value for `strategy.matrix` of a GitHub workflow, in one line.
///
/// # Errors
///
/// What the JSON encoder says; it has nothing to refuse here.
pub fn github(partition: &Partition) -> Result<String, serde_json::Error> {
    let count = partition.count();
    let shard = |index: u32| serde_json::json!({ "shard": format!("{index}/{count}") });
    let include: Vec<serde_json::Value> = (1..=count).map(shard).collect();
    serde_json::to_string(&serde_json::json!({ "include": include }))
}

fn longest(loads: &[Load]) -> Option<&Load> {
    loads.iter().max_by(|one, other| one.us.cmp(&other.us).then(other.piece.cmp(&one.piece)))
}

fn described(load: &Load) -> String {
    let guess = if load.is_guess { ", guessed" } else { "" };
    format!("{} ({}{guess})", tame(&load.piece.to_string()), time(load.us))
}

/// What the first line of a run says of its part, such as `, shard 2/4 of 97 pieces`.
pub fn part(mark: &ShardMark) -> String {
    format!(", shard {} of {} pieces", mark.shard, mark.pieces)
}

/// What stands in the place of a table where nothing ran.
pub fn nothing_ran(book: &Book) -> String {
    let mark = book.run().and_then(|run| run.shard.as_ref());
    match mark.filter(|mark| mark.pieces > 0) {
        Some(mark) if book.run().is_some_and(|run| run.units + run.suites == 0) => format!(
            "nothing to do: the partition has {} pieces, and none is for shard {}\n",
            mark.pieces, mark.shard
        ),
        Some(_) | None => "nothing ran\n".to_owned(),
    }
}

/// The parts of a merged record, a line each; then what is wrong and what is odd about them.
pub fn parts(page: &MergedPage, palette: Palette) -> String {
    let mut text = String::new();
    for line in &page.shards {
        // Writing to a text cannot fail.
        writeln!(text, "{}", part_line(line)).unwrap_or_default();
    }
    for fault in &page.faults {
        writeln!(text, "{}", palette.paint(Ink::Bad, tame(fault))).unwrap_or_default();
    }
    for note in &page.notes {
        let label = palette.paint(Ink::Doubtful, "warning:");
        writeln!(text, "{label} {}", tame(note)).unwrap_or_default();
    }
    text
}

/// What is wrong with the parts of a merged record, once more at its end, where it is read.
pub fn faults(book: &Book, palette: Palette) -> String {
    let line = |fault: &String| palette.paint(Ink::Bad, tame(fault)) + "\n";
    book.shard_faults().iter().map(line).collect()
}

fn part_line(line: &ShardLine) -> String {
    let shard =
        line.shard.map_or_else(|| "a whole run".to_owned(), |shard| format!("shard {shard}"));
    let ended = line.exit.map_or_else(
        || "killed before its end".to_owned(),
        |exit| format!("exit code {}", exit.number()),
    );
    format!(
        "{shard:<14} {:>4} scenarios, {} suites, {:>12}, {ended}  run {} in {}",
        line.units,
        line.suites,
        time(line.duration_us),
        tame(&line.run),
        tame(&line.folder)
    )
}

#[cfg(test)]
mod tests {
    use handfast_scenario::{ExitCode, RunEvent};

    use super::*;
    use crate::sample;

    fn line(exit: Option<ExitCode>) -> ShardLine {
        ShardLine {
            shard: Some("1/2".parse().unwrap()),
            run: "r1".to_owned(),
            folder: "artifacts/1".to_owned(),
            units: 3,
            suites: 0,
            seed: 7,
            exit,
            duration_us: 1_000_000,
        }
    }

    fn merged(faults: &[&str]) -> Book {
        let mut book = sample::passed_run();
        book.read(&sample::at(
            0,
            RunEvent::ShardsMerged {
                shards: vec![line(Some(ExitCode::Passed)), line(None)],
                faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
                notes: vec!["seeds differ".to_owned()],
            },
        ));
        book
    }

    fn load(name: &str, us: u64, is_guess: bool) -> Load {
        Load { piece: Piece::Unit(sample::unit(name)), us, is_guess }
    }

    fn planned(within_us: u64, count_max: u32) -> ShardPlan {
        let loads = vec![
            load("x", 3_000_000, false),
            load("y", 1_000_000, true),
            load("z", 900_000, false),
        ];
        let partition = Partition::within(loads, within_us, count_max);
        ShardPlan { command: Vec::new(), within_us, partition }
    }

    #[test]
    fn a_plan_is_a_table_that_says_what_is_guessed_and_what_is_too_long() {
        let text = plan(&planned(3_000_000, 9), 9);
        for part in [
            "1/2           3.00 s           1       0  x (3.00 s)",
            "2/2           1.90 s           2       0  y (1.00 s, guessed)",
            "2 shards of 3 pieces, 1 of them never played: one machine 4.90 s, all together 3.00 s",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        assert!(!text.contains("not within"), "{text}");
        let text = plan(&planned(2_000_000, 9), 9);
        assert!(text.contains("not within 2.00 s: x (3.00 s) alone takes longer"), "{text}");
        let text = plan(&planned(3_500_000, 1), 1);
        assert!(text.contains("not within 3.50 s: that takes more than 1 shards"), "{text}");
    }

    #[test]
    fn the_value_for_github_is_one_line() {
        let value = github(&planned(3_000_000, 9).partition).unwrap();
        assert_eq!(value, r#"{"include":[{"shard":"1/2"},{"shard":"2/2"}]}"#);
    }

    #[test]
    fn a_merged_record_names_its_parts_and_what_is_wrong_with_them() {
        let book = merged(&["shard 2/2 is missing"]);
        let text = parts(book.merged().unwrap(), Palette::Plain);
        for part in [
            "shard 1/2         3 scenarios",
            "exit code 0",
            "killed before its end",
            "run r1 in artifacts/1",
            "shard 2/2 is missing",
            "warning: seeds differ",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        assert_eq!(faults(&book, Palette::Plain), "shard 2/2 is missing\n");
    }

    #[test]
    fn a_fault_of_the_shards_counts_as_failed() {
        assert_eq!(merged(&[]).totals().failed, 0);
        assert_eq!(merged(&["one", "two"]).totals().failed, 2);
    }

    #[test]
    fn an_empty_shard_had_nothing_to_do_and_an_empty_partition_ran_nothing() {
        for (pieces, expected) in
            [(2, "nothing to do: the partition has 2 pieces"), (0, "nothing ran")]
        {
            let mut events = sample::empty_events();
            if let RunEvent::RunStarted { shard, .. } = &mut events[0].event {
                let partition = "d".to_owned();
                *shard = Some(ShardMark { shard: "3/3".parse().unwrap(), partition, pieces });
            }
            let mut book = Book::new();
            for event in &events {
                book.read(event);
            }
            assert!(nothing_ran(&book).starts_with(expected), "{}", nothing_ran(&book));
        }
    }
}
