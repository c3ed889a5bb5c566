//! A report as Markdown for a comment on a pull request. Text from a server or a contract never becomes markup, a
//! mention or a reference.

use super::words::{
    cell_name, counted, coverage, incomplete, missing_count, not_implemented, number, one_line, percent,
    seconds, violated, visible,
};
use super::{Report, State, Totals, Verdict, Violation};

/// GitHub rejects comments of more than 65,536 characters. The parts after the violations need space, too.
const MAX_VIOLATIONS_LENGTH: usize = 40_000;
const MAX_LENGTH: usize = 60_000;

/// Maximum length of one field.
const MAX_FIELD_LENGTH: usize = 4_000;

/// Renders the report as GitHub Flavored Markdown.
pub(super) fn markdown(report: &Report) -> String {
    let mut page = Page { text: String::new(), full: false };
    let symbol = match report.verdict() {
        Verdict::Clean => "✅",
        Verdict::Violated => "❌",
        Verdict::Unchecked => "⚠️",
    };
    page.text.push_str(&format!("## {symbol} {}\n\n", inline(&report.headline())));
    page.text.push_str(&format!(
        "**{}** at {} · {} · {} · {} · seed {}\n",
        inline(&report.contract),
        code(&report.base_url),
        coverage(&report.totals(|_| true)),
        counted(report.requests, "request"),
        seconds(report.milliseconds),
        report.seed
    ));
    tags(report, &mut page);
    violations(report, &mut page);
    missing(report, &mut page);
    not_implemented_section(report, &mut page);
    if !report.notes.is_empty() {
        page.text.push_str("\n### Notes\n\n");
        for note in &report.notes {
            page.push(&format!("- {}\n", inline(note)));
        }
    }
    if page.full {
        page.text.push_str("\nSome lines are left out to stay within the size limit of a comment.\n");
    }
    page.text
}

struct Page {
    text: String,
    full: bool,
}

impl Page {
    /// Adds text if it still fits.
    fn push(&mut self, text: &str) {
        if self.text.len() + text.len() <= MAX_LENGTH {
            self.text.push_str(text);
        } else {
            self.full = true;
        }
    }
}

fn tags(report: &Report, page: &mut Page) {
    if report.operations.is_empty() {
        return;
    }
    page.text.push_str(
        "\n| tag | operations | implemented | covered | missing | violated | unreachable | percent |\n",
    );
    page.text.push_str("|---|--:|--:|--:|--:|--:|--:|--:|\n");
    let tags = report.tags();
    for tag in &tags {
        page.push(&row(&inline(tag), &report.totals(|operation| operation.tag == *tag)));
    }
    if tags.len() > 1 {
        page.push(&row("**all**", &report.totals(|_| true)));
    }
}

fn row(name: &str, totals: &Totals) -> String {
    let violated = match totals.violated {
        0 => "0".to_owned(),
        count => format!("**{}**", number(count)),
    };
    format!(
        "| {name} | {} | {} | {} | {} | {violated} | {} | {} |\n",
        number(totals.operations),
        number(totals.built),
        number(totals.covered),
        number(totals.missing),
        number(totals.unreachable),
        percent(totals)
    )
}

fn violations(report: &Report, page: &mut Page) {
    if report.violations.is_empty() {
        return;
    }
    page.text.push_str("\n### Violations\n");
    let start = page.text.len();
    let mut left_out = 0;
    for group in violated(report) {
        let place = group.operation.map(|it| format!(" {}", code(&format!("{} {}", it.method, it.path))));
        let id = if group.id.is_empty() { "(no operation)" } else { group.id };
        let mut text = format!("\n**{}**{}\n", inline(id), place.unwrap_or_default());
        let mut any = false;
        for (_, violation) in group.violations {
            let details = details(violation);
            if page.text.len() - start + text.len() + details.len() > MAX_VIOLATIONS_LENGTH {
                left_out += 1;
                continue;
            }
            text.push_str(&details);
            any = true;
        }
        if any {
            page.text.push_str(&text);
        }
    }
    if left_out > 0 {
        let left_out = counted(left_out, "violation");
        page.text.push_str(&format!(
            "\n…and {left_out} more, left out to stay within the size limit of a comment.\n"
        ));
    }
}

fn details(violation: &Violation) -> String {
    let times = if violation.times > 1 { format!(" ×{}", number(violation.times)) } else { String::new() };
    // A summary is HTML, where Markdown escapes do not work. Markdown starts again after the blank line.
    let mut text = format!(
        "\n<details><summary><code>{}</code>{times} {}</summary>\n\n",
        violation.rule,
        html(&violation.tried)
    );
    if !violation.pointer.is_empty() {
        text.push_str(&format!("at {}", code(&violation.pointer)));
    }
    if let Some(id) = &violation.request_id {
        text.push_str(if violation.pointer.is_empty() { "request " } else { ", request " });
        text.push_str(&code(id));
    }
    text.push_str("\n\nexpected\n\n");
    text.push_str(&fenced("text", &violation.expected));
    text.push_str("\nseen\n\n");
    text.push_str(&fenced("text", &violation.seen));
    if !violation.curl.is_empty() {
        text.push_str("\nreproduce\n\n");
        text.push_str(&fenced("sh", &violation.curl));
    }
    text.push_str("\n</details>\n");
    text
}

fn missing(report: &Report, page: &mut Page) {
    let incomplete = incomplete(report);
    if incomplete.is_empty() {
        return;
    }
    page.push(&format!("\n<details><summary>Missing: {}</summary>\n\n", missing_count(report)));
    for operation in incomplete {
        let missing = operation.cells.iter().filter(|cell| cell.state == State::Missing);
        let cells: Vec<_> = missing.map(|cell| code(&cell_name(cell))).collect();
        page.push(&format!("- {}: {}\n", inline(&operation.id), cells.join(", ")));
    }
    page.text.push_str("\n</details>\n");
}

fn not_implemented_section(report: &Report, page: &mut Page) {
    let tags = not_implemented(report);
    if tags.is_empty() {
        return;
    }
    let count = tags.iter().map(|(_, operations)| operations.len()).sum();
    let count = counted(count, "operation");
    page.push(&format!("\n<details><summary>Not implemented: {count}</summary>\n\n"));
    for (tag, operations) in tags {
        let names: Vec<_> = operations.iter().map(|operation| code(&operation.id)).collect();
        page.push(&format!("- {}: {}\n", inline(tag), names.join(", ")));
    }
    page.text.push_str("\n</details>\n");
}

/// Escapes text for one line of Markdown. An HTML comment keeps GitHub from finding a mention or a reference.
fn inline(text: &str) -> String {
    let mut escaped = String::new();
    for character in one_line(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' => escaped.push_str("@<!-- -->"),
            '#' => escaped.push_str("\\#<!-- -->"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Escapes text for one line of HTML within Markdown.
fn html(text: &str) -> String {
    let mut escaped = String::new();
    for character in one_line(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' | '#' => {
                escaped.push(character);
                escaped.push_str("<!-- -->");
            }
            // GitHub reads Markdown between inline tags, so its characters are written as entities.
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => {
                escaped.push_str(&format!("&#{};", u32::from(character)));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A code span. Not for tables, where a `|` in it would end the cell.
fn code(text: &str) -> String {
    let text = one_line(text);
    if text.trim().is_empty() {
        return String::new();
    }
    let ticks = "`".repeat(longest_run(&text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

fn fenced(language: &str, text: &str) -> String {
    let mut text = visible(text).into_owned();
    if let Some((end, _)) = text.char_indices().nth(MAX_FIELD_LENGTH) {
        text.truncate(end);
        text.push('…');
    }
    let fence = "`".repeat((longest_run(&text) + 1).max(3));
    format!("{fence}{language}\n{text}\n{fence}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}
