//! What stands behind a red cell: the reason, the command that repeats it, the time axis, the wire record, the logs.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use handfast_matrix::Grid;
use handfast_matrix::blame;
use handfast_scenario::event::AccountVerdict;
use handfast_scenario::name::RoleName;
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::VerdictKind;

use super::detail::{Body, Detail, Exchange};
use super::text::{Plain, anchor};
use crate::accounts::Accounts;
use crate::book::{Book, Failure, UnitPage};
use crate::failure::repeat_command;
use crate::quantity::time;

/// All units that were played and did not pass, each a block that opens.
pub(super) fn stories(html: &mut String, book: &Book, kept: &BTreeMap<UnitId, Detail>) {
    let failed: Vec<&UnitPage> = book.units().iter().filter(|page| failed(page)).collect();
    if failed.is_empty() {
        return;
    }
    html.push_str("<section id=\"failures\"><h2>What did not pass</h2>\n");
    let command = book.run().map(|run| run.command.clone()).unwrap_or_default();
    for page in failed {
        story(html, page, &command, book.grid(), kept.get(&page.unit));
    }
    html.push_str("</section>\n");
}

/// The accounts of all units that passed; those of the others stand in their stories.
pub(super) fn passed_accounts(html: &mut String, book: &Book) {
    let passed = book.units().iter().filter(|page| !failed(page) && !page.accounts.is_empty());
    let mut passed = passed.peekable();
    if passed.peek().is_none() {
        return;
    }
    html.push_str(
        "<section id=\"accounts\"><h2>Network and disturbances: asked and measured</h2>\n",
    );
    for page in passed.by_ref().take(ACCOUNTS_MAX) {
        let _ = writeln!(
            html,
            "<details class=\"unit row\"><summary>{}</summary>",
            Plain(&page.title())
        );
        accounts(html, &page.accounts);
        html.push_str("</details>\n");
    }
    let more = passed.count();
    if more > 0 {
        let _ = writeln!(
            html,
            "<p class=\"faint\">Those of {more} more units are in events.jsonl of the record.</p>"
        );
    }
    html.push_str("</section>\n");
}

/// Units that passed whose accounts have room on the page.
pub(super) const ACCOUNTS_MAX: usize = 500;

pub(super) fn failed(page: &UnitPage) -> bool {
    matches!(page.kind(), Some(VerdictKind::Failed | VerdictKind::TimedOut | VerdictKind::Infra))
}

fn story(
    html: &mut String,
    page: &UnitPage,
    command: &[String],
    grid: &Grid,
    detail: Option<&Detail>,
) {
    let Some(end) = &page.end else { return };
    let _ = writeln!(
        html,
        "<details class=\"unit row\" id=\"{}\"><summary><b class=\"bad\">{}</b> {} <span class=\"faint\">{}</span></summary>",
        anchor(&page.unit),
        end.verdict.kind(),
        Plain(&page.title()),
        time(end.duration_us)
    );
    if let Some(fault) = grid.cell(&page.unit).and_then(|cell| blame::fault(grid, cell)) {
        let fault = fault.to_string();
        let _ = writeln!(html, "<p>To blame, by the cells around it: <b>{}</b></p>", Plain(&fault));
    }
    reasons(html, page, &end.verdict.reason());
    let again = repeat_command(page, command);
    let _ = writeln!(
        html,
        "<p class=\"again\"><code>{}</code> <button type=\"button\" class=\"copy\">copy</button></p>",
        Plain(&again)
    );
    accounts(html, &page.accounts);
    match detail {
        Some(detail) => {
            axis(html, detail);
            wire(html, detail);
            logs(html, &detail.logs);
        }
        None => {
            html.push_str("<p class=\"faint\">Its story is in events.jsonl of the record: this page has room for some.</p>\n");
        }
    }
    html.push_str("</details>\n");
}

fn reasons(html: &mut String, page: &UnitPage, whole: &str) {
    let mut shown = false;
    for failure in &page.failures {
        let (head, reason) = match failure {
            Failure::Step { step, at, reason } => {
                (format!("{}:{} step {}: {}", page.file, at.line, step.0, at.text), reason)
            }
            Failure::Check { check, reason } => (format!("{} check {check}", page.file), reason),
        };
        let _ = writeln!(
            html,
            "<p class=\"where\">{}</p><pre class=\"reason\">{}</pre>",
            Plain(&head),
            Plain(reason)
        );
        shown = shown || reason == whole;
    }
    if !shown {
        let _ = writeln!(
            html,
            "<p class=\"where\">{}</p><pre class=\"reason\">{}</pre>",
            Plain(&page.file),
            Plain(whole)
        );
    }
    for (step, at) in &page.open_steps {
        let text = format!("not done: {}:{} step {}: {}", page.file, at.line, step.0, at.text);
        let _ = writeln!(html, "<p class=\"where\">{}</p>", Plain(&text));
    }
    for warning in &page.warnings {
        let _ = writeln!(html, "<p class=\"doubtful\">warning: {}</p>", Plain(warning));
    }
}

/// Asked beside measured, of one unit; nothing where nothing was asked.
pub(super) fn accounts(html: &mut String, accounts: &Accounts) {
    if accounts.is_empty() {
        return;
    }
    let _ = writeln!(html, "<p class=\"faint\">{}</p>", Plain(&accounts.network_line()));
    if accounts.pages().is_empty() {
        return;
    }
    html.push_str(
        "<table class=\"list accounts\"><thead><tr><th></th><th>for</th><th></th><th>asked</th>\
         <th>measured</th><th></th></tr></thead><tbody>\n",
    );
    for page in accounts.pages() {
        for (index, line) in page.lines.iter().enumerate() {
            let (subject, lasted) = match index {
                0 => (page.subject.as_str(), time(page.lasted_us)),
                _ => ("", String::new()),
            };
            let class = match line.verdict {
                AccountVerdict::Held => "good",
                AccountVerdict::Missed => "bad",
                AccountVerdict::TooFew => "doubtful",
            };
            let _ = writeln!(
                html,
                "<tr><td>{}</td><td>{lasted}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"{class}\">{}</td></tr>",
                Plain(subject),
                Plain(&line.what),
                Plain(&line.asked),
                Plain(&line.measured),
                line.verdict
            );
        }
    }
    html.push_str("</tbody></table>\n");
    if accounts.left_out() > 0 {
        let _ = writeln!(
            html,
            "<p class=\"faint\">{} more are in events.jsonl of the record.</p>",
            accounts.left_out()
        );
    }
}

fn axis(html: &mut String, detail: &Detail) {
    let _ = writeln!(
        html,
        "<details open><summary>What happened, in order ({} lines)</summary>{}<table class=\"axis\">",
        detail.moments.len(),
        left_out(detail.left_out.moments)
    );
    for moment in &detail.moments {
        let times = if moment.times > 1 { format!(" (x{})", moment.times) } else { String::new() };
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}{times}</td></tr>",
            crate::quantity::axis_ms(moment.at_us),
            Plain(&moment.who),
            Plain(&moment.what)
        );
    }
    html.push_str("</table></details>\n");
}

fn wire(html: &mut String, detail: &Detail) {
    let _ = writeln!(
        html,
        "<details class=\"wire\"><summary>Wire record ({} messages)</summary>{}",
        detail.wire.len(),
        left_out(detail.left_out.wire)
    );
    for Exchange { moment, request, delivered, response } in &detail.wire {
        let _ = writeln!(
            html,
            "<details><summary><span class=\"ms\">{}</span> <b>{}</b> {}</summary>",
            crate::quantity::axis_ms(moment.at_us),
            Plain(&moment.who),
            Plain(&moment.what)
        );
        body(html, "sent", Some(request));
        body(html, "received, as the wire changed it", delivered.as_ref());
        body(html, "answered", response.as_ref());
        html.push_str("</details>\n");
    }
    html.push_str("</details>\n");
}

fn body(html: &mut String, what: &str, body: Option<&Body>) {
    let Some(body) = body else { return };
    let cut = if body.cut { ", cut here" } else { "" };
    let _ = writeln!(
        html,
        "<p class=\"where\">{what} ({} bytes{cut})</p><pre>{}</pre>",
        body.len,
        Plain(&body.text)
    );
}

fn logs(html: &mut String, logs: &BTreeMap<RoleName, VecDeque<String>>) {
    for (role, lines) in logs {
        let _ = writeln!(
            html,
            "<details><summary>Log of {} (the last {} lines)</summary><pre>",
            Plain(role.as_str()),
            lines.len()
        );
        for line in lines {
            let _ = writeln!(html, "{}", Plain(line));
        }
        html.push_str("</pre></details>\n");
    }
}

fn left_out(count: u64) -> String {
    if count == 0 {
        return String::new();
    }
    format!("<p class=\"faint\">{count} earlier ones are only in events.jsonl.</p>")
}
