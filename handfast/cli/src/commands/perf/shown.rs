//! How what was measured is shown.

use std::fmt::Write as _;

use handfast_perf::compare::Difference;
use handfast_perf::figure::Noise;
use handfast_perf::incident::{Decision, Suspicion};
use handfast_perf::metric::Unit;
use handfast_perf::{Figure, Standing};
use handfast_report::palette::{Ink, Palette};
use handfast_report::quantity::tame;
use handfast_runner::perf::Measured;
use handfast_trend::paired::Verdict;
use serde_json::Value;

use super::judge::{Finding, Judged};

/// A pair of peers: its figures, the limits of the same rounds, and what follows.
pub(super) fn judged(judged: &Judged, opened: &[Value], machine: &str, palette: Palette) -> String {
    let measured = &judged.measured;
    let rounds = measured.figures.first().map_or(0, |figure| figure.rounds.len());
    let protocol = measured.protocol.as_deref().map(|version| format!(", protocol {version}"));
    let title =
        format!("{}{}, {rounds} rounds on {machine}", measured.pair, protocol.unwrap_or_default());
    let mut text = format!("{}\n", palette.paint(Ink::Strong, tame(&title)));
    let head =
        ["", "median", "judged", "target", "alert", "noise", "detectable"].map(str::to_owned);
    let mut rows = vec![(head, None)];
    rows.extend(judged.findings.iter().filter_map(|finding| row(measured, finding)));
    text.push_str(&table(&rows, palette));
    text.push_str(&limits(measured));
    for finding in &judged.findings {
        text.push_str(&told(judged, finding, opened, palette));
    }
    text.push('\n');
    text
}

/// The cells of a metric, and its standing.
type Row = ([String; 7], Option<(Ink, String)>);

fn row(measured: &Measured, finding: &Finding) -> Option<Row> {
    let metric = finding.metric;
    let figure = measured.figure(metric)?;
    let unit = metric.unit();
    let (less, more) = if metric.is_better_high() { (">", "<") } else { ("<", ">") };
    let aim = |sign: &str, bound: Option<f64>| {
        bound.map_or_else(String::new, |bound| format!("{sign} {}", unit.show(bound)))
    };
    let [noise, detectable] = chance(figure);
    let cells = [
        metric.name().to_owned(),
        unit.show(figure.median),
        unit.show(figure.judged),
        aim(less, finding.aim.map(|aim| aim.target)),
        aim(more, finding.aim.map(|aim| aim.alert)),
        noise,
        detectable,
    ];
    let standing = finding.standing.map(|standing| {
        let ink = match standing {
            Standing::Met => Ink::Good,
            Standing::Warning => Ink::Doubtful,
            Standing::Alert => Ink::Bad,
        };
        (ink, standing.to_string())
    });
    Some((cells, standing))
}

fn chance(figure: &Figure) -> [String; 2] {
    if figure.is_exact() {
        return ["exact".to_owned(), "any".to_owned()];
    }
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    figure.noise.map_or_else(Default::default, |Noise { floor, detectable }| {
        [percent(floor), percent(detectable)]
    })
}

fn limits(measured: &Measured) -> String {
    let time = |us: f64| Unit::Microseconds.show(us);
    let (limits, late) = (&measured.limits, &measured.late);
    let mut text = format!(
        "  limits of the same rounds: a round trip on the loopback {} (99 %: {}), a call of the contract {} (99 %: {}), {} calls\n",
        time(limits.loopback.p50),
        time(limits.loopback.p99),
        time(limits.call.p50),
        time(limits.call.p99),
        Unit::PerSecond.show(limits.calls_per_second),
    );
    // Writing to a text cannot fail.
    writeln!(
        text,
        "  {} messages of the open load: 50 % within {}, 90 % {}, 99 % {}, all {}; sent {} late (99 %: {})",
        measured.latencies.count,
        time(measured.latencies.p50),
        time(measured.latencies.p90),
        time(measured.latencies.p99),
        time(measured.latencies.max),
        time(late.p50),
        time(late.p99),
    )
    .unwrap_or_default();
    if let Some(why) = &measured.first_failure {
        let (failed, all) = (measured.failed, measured.messages);
        writeln!(text, "  {failed} of {all} messages failed, the first because {}", tame(why))
            .unwrap_or_default();
    }
    if measured.detours > 0 {
        writeln!(
            text,
            "  {} requests took the way through the recording proxy, which an announced address names",
            measured.detours
        )
        .unwrap_or_default();
    }
    text
}

fn told(judged: &Judged, finding: &Finding, opened: &[Value], palette: Palette) -> String {
    let metric = finding.metric;
    let looks = finding.further.len();
    let (ink, text) = match finding.decision {
        Decision::Well | Decision::LookAgain(_) => return String::new(),
        Decision::Warning => (Ink::Doubtful, format!("warning: {metric} misses its target")),
        Decision::NotConfirmed(suspicion) => {
            let why = why(judged, finding, suspicion);
            let text = format!(
                "warning: {metric} {why}, which look {looks} with peers started anew did not confirm"
            );
            (Ink::Doubtful, text)
        }
        Decision::Open(suspicion) => {
            let (why, range) = (why(judged, finding, suspicion), range(judged, finding, opened));
            let text =
                format!("incident: {metric} {why}, confirmed by {looks} further looks{range}");
            (Ink::Bad, text)
        }
        Decision::StillOpen(suspicion) => {
            let incident = judged.open(metric).map_or("", String::as_str);
            let why = why(judged, finding, suspicion);
            (Ink::Bad, format!("still open: {metric} {why}, incident {incident}"))
        }
        Decision::Close => (Ink::Good, format!("closed: {metric} is well again")),
    };
    format!("  {}\n", palette.paint(ink, tame(&text)))
}

/// What is wrong with the peers, a sentence each, for people who were not there.
pub(super) fn failures(judged: &Judged, opened: &[Value]) -> Vec<String> {
    let measured = &judged.measured;
    let mut failures = Vec::new();
    if let Some(why) = &measured.first_failure {
        let (failed, all) = (measured.failed, measured.messages);
        failures.push(format!("{failed} of {all} messages failed, the first because {why}"));
    }
    for finding in &judged.findings {
        let (Decision::Open(suspicion) | Decision::StillOpen(suspicion)) = finding.decision else {
            continue;
        };
        let (why, range) = (why(judged, finding, suspicion), range(judged, finding, opened));
        failures.push(format!("{} {why}{range}", finding.metric));
    }
    failures
}

fn why(judged: &Judged, finding: &Finding, suspicion: Suspicion) -> String {
    let unit = finding.metric.unit();
    match (suspicion, finding.worse, &finding.baseline) {
        (Suspicion::Worse, Some(worse), Some(baseline)) => {
            let (runs, median) = (baseline.runs, unit.show(baseline.median));
            format!("costs {worse:.2} times the median of {runs} runs, {median}")
        }
        (Suspicion::Worse | Suspicion::Alert, _, _) => {
            let figure = judged.measured.figure(finding.metric);
            let value = figure.map_or_else(String::new, |figure| unit.show(figure.judged));
            let alert = finding.aim.map_or_else(String::new, |aim| unit.show(aim.alert));
            format!("is {value}, beyond its alert of {alert}")
        }
    }
}

/// Between which commits it changed.
fn range(judged: &Judged, finding: &Finding, opened: &[Value]) -> String {
    let subject = judged.subject(finding.metric);
    let incident = opened.iter().find(|incident| incident["subject"] == subject.as_str());
    let commit = |key: &str| incident.and_then(|incident| incident[key].as_str());
    match (commit("good_commit"), commit("bad_commit")) {
        (Some(good), Some(bad)) => format!(", between {good:.12} and {bad:.12}"),
        (None, Some(bad)) => format!(", at {bad:.12} or before"),
        (_, None) => String::new(),
    }
}

/// What all pairs together came to.
pub(super) fn closing(judged: &[Judged], opened: &[Value]) -> String {
    let findings = || judged.iter().flat_map(|judged| &judged.findings);
    let count = |is: fn(&Decision) -> bool| findings().filter(|found| is(&found.decision)).count();
    let warnings =
        count(|decision| matches!(decision, Decision::Warning | Decision::NotConfirmed(_)));
    let still = count(|decision| matches!(decision, Decision::StillOpen(_)));
    format!(
        "{} measured, {}, {warnings} warnings, {still} still open\n",
        judged.len(),
        incidents(opened.len())
    )
}

/// So many new incidents.
pub(super) fn incidents(count: usize) -> String {
    if count == 1 { "1 new incident".to_owned() } else { format!("{count} new incidents") }
}

/// Two builds, metric by metric.
pub(super) fn differences(
    names: [&str; 2],
    differences: &[Difference],
    palette: Palette,
) -> String {
    let [before, after] = names.map(tame);
    let head = ["", &before, &after, "cost", "from", "to", "detectable"].map(str::to_owned);
    let row = |told: &Difference| {
        let unit = told.metric.unit();
        let (ink, word) = match told.verdict {
            Verdict::Worse => (Ink::Bad, "worse"),
            Verdict::Better => (Ink::Good, "better"),
            Verdict::Even => (Ink::Faint, "even"),
        };
        let ratio = |ratio: f64| format!("{ratio:.3}");
        let detectable = if told.is_exact { "any".to_owned() } else { ratio(told.detectable) };
        let cells = [
            told.metric.name().to_owned(),
            unit.show(told.before),
            unit.show(told.after),
            ratio(told.ratio),
            ratio(told.low),
            ratio(told.high),
            detectable,
        ];
        (cells, Some((ink, word.to_owned())))
    };
    let rows: Vec<Row> = std::iter::once((head, None)).chain(differences.iter().map(row)).collect();
    table(&rows, palette)
}

/// Columns, the first to the left and the others to the right, and a word behind them.
pub(super) fn table(rows: &[Row], palette: Palette) -> String {
    let widths: [usize; 7] = std::array::from_fn(|column| {
        rows.iter().map(|(row, _)| row[column].chars().count()).max().unwrap_or_default()
    });
    let mut text = String::new();
    for (row, word) in rows {
        let mut line = String::from("  ");
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Writing to a text cannot fail.
            match column {
                0 => write!(line, "{cell:<width$}"),
                _ => write!(line, "  {cell:>width$}"),
            }
            .unwrap_or_default();
        }
        if let Some((ink, word)) = word {
            write!(line, "  {}", palette.paint(*ink, word)).unwrap_or_default();
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_a_word_stands_behind() {
        let cells = |texts: [&str; 7]| texts.map(str::to_owned);
        let rows = [
            (cells(["", "median", "", "", "", "", ""]), None),
            (cells(["latency", "2 ms", "", "", "", "", ""]), Some((Ink::Good, "met".to_owned()))),
        ];
        let shown = table(&rows, Palette::Plain);
        assert_eq!(shown, "           median\n  latency    2 ms            met\n");
        assert!(table(&rows, Palette::Coloured).contains("\u{1b}["));
    }

    #[test]
    fn incidents_are_counted_in_words() {
        assert_eq!([incidents(1), incidents(2)], ["1 new incident", "2 new incidents"]);
    }
}
