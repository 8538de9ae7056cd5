//! Which rows of many are shown.

use std::collections::{BTreeMap, BTreeSet};

use super::{Happening, Row, Tone};

/// Rows of the beginning that are always shown.
const FIRST: usize = 3;

/// Rows of the end that are always shown.
const LAST: usize = 10;

/// How many rows before and after a disturbance are shown at most.
const AROUND_MAX: usize = 6;

/// Words of a row that stands for others.
const WORDS_MAX: usize = 3;

/// At most `max` rows, rows for those that are left out not counted: those around disturbances and failures, the beginning and the end.
pub(super) fn shown(rows: Vec<Row>, max: usize) -> Vec<Row> {
    if rows.len() <= max {
        return rows;
    }
    let around = (0..=AROUND_MAX).rev().map(|around| kept(&rows, around));
    let chosen = around.into_iter().find(|kept| kept.len() <= max);
    let mut kept = chosen.unwrap_or_else(|| kept(&rows, 0));
    while kept.len() > max {
        // Of too many disturbances the middle ones are the least telling.
        let middle = kept.iter().nth(kept.len() / 2).copied();
        middle.map(|middle| kept.remove(&middle));
    }
    with_gaps(rows, &kept)
}

fn kept(rows: &[Row], around: usize) -> BTreeSet<usize> {
    let mut kept = BTreeSet::new();
    for (index, row) in rows.iter().enumerate() {
        let is_edge = index < FIRST || index + LAST >= rows.len();
        match &row.what {
            Happening::Disturbance { .. } => {
                kept.extend(index.saturating_sub(around)..=(index + around).min(rows.len() - 1));
            }
            Happening::End { .. } => {
                kept.insert(index);
            }
            Happening::Note { tone: Tone::Bad, .. } | Happening::Message { arrived: false, .. }
                if around > 0 =>
            {
                kept.insert(index);
            }
            Happening::Note { .. } | Happening::Message { .. } | Happening::LeftOut { .. } => {}
        }
        if is_edge {
            kept.insert(index);
        }
    }
    kept
}

fn with_gaps(rows: Vec<Row>, kept: &BTreeSet<usize>) -> Vec<Row> {
    let mut shown: Vec<Row> = Vec::new();
    let mut gap: Vec<Row> = Vec::new();
    for (index, row) in rows.into_iter().enumerate() {
        if kept.contains(&index) {
            shown.extend(stand_in(std::mem::take(&mut gap)));
            shown.push(row);
        } else {
            gap.push(row);
        }
    }
    shown.extend(stand_in(gap));
    shown
}

/// One row in place of several; a single one stays.
fn stand_in(gap: Vec<Row>) -> Option<Row> {
    if gap.len() <= 1 {
        return gap.into_iter().next();
    }
    let mut words: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &gap {
        *words.entry(word(&row.what)).or_default() += row.times;
    }
    let mut words: Vec<(&str, u64)> = words.into_iter().collect();
    words.sort_by_key(|(word, times)| (u64::MAX - times, *word));
    let more = if words.len() > WORDS_MAX { ", .." } else { "" };
    let named: Vec<String> =
        words.iter().take(WORDS_MAX).map(|(word, times)| format!("{word} x{times}")).collect();
    let text = format!("{}{more}", named.join(", "));
    let count = gap.iter().map(|row| row.times).sum();
    let last = gap.into_iter().next_back()?;
    Some(Row { what: Happening::LeftOut { count, text }, times: 1, ..last })
}

fn word(what: &Happening) -> &str {
    match what {
        Happening::Message { label: text, .. }
        | Happening::Note { text, .. }
        | Happening::Disturbance { text, .. }
        | Happening::LeftOut { text, .. }
        | Happening::End { text, .. } => text,
    }
}
