//! A report for a terminal with 110 columns: violations first, the verdict last. Empty sections are left out.

use unicode_width::UnicodeWidthStr as _;

use super::words::{
    Group, counted, incomplete, missing_cells, missing_count, not_implemented, number, one_line, percent,
    violated, visible,
};
use super::{Report, Totals, Verdict, Violation};

const WIDTH: usize = 110;

/// Width of the labels of a violation.
const LABEL: usize = 9;

const RED: &str = "1;31";
const GREEN: &str = "1;32";
const YELLOW: &str = "33";
const BOLD: &str = "1";
const DIM: &str = "2";

/// Renders the report as text, with ANSI colors if `color` is set.
pub(super) fn text(report: &Report, color: bool) -> String {
    let mut page = Page { text: String::new(), color };
    page.line(0, &page.paint(BOLD, &one_line(&report.contract)));
    page.line(0, &page.paint(DIM, &one_line(&format!("{}, {}", report.base_url, report.started))));
    for group in violated(report) {
        page.group(&group);
    }
    page.tags(report);
    page.missing(report);
    page.not_implemented(report);
    page.notes(report);
    page.blank();
    let style = match report.verdict() {
        Verdict::Clean => GREEN,
        Verdict::Violated => RED,
        Verdict::Unchecked => YELLOW,
    };
    // Never wrapped, so that it can be found with grep.
    let verdict = report.verdict_line();
    page.line(0, &page.paint(style, &verdict));
    page.text
}

struct Page {
    text: String,
    color: bool,
}

impl Page {
    fn paint(&self, style: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn line(&mut self, indent: usize, line: &str) {
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn heading(&mut self, style: &str, title: &str, more: &str) {
        self.blank();
        let title = self.paint(style, title);
        self.line(0, &format!("{title}: {more}"));
    }

    /// Writes a label and its text, with a hanging indent.
    fn entry(&mut self, indent: usize, label: &str, width: usize, text: &str) {
        let column = indent + width + 2;
        let label = format!("{label}{:pad$}", "", pad = width.saturating_sub(label.width()));
        let label = self.paint(DIM, &label);
        for (place, line) in wrap(text, WIDTH.saturating_sub(column).max(40)).iter().enumerate() {
            if place == 0 {
                self.line(indent, &format!("{label}  {line}"));
            } else {
                self.line(column, line);
            }
        }
    }

    fn group(&mut self, group: &Group<'_>) {
        self.blank();
        let place = group.operation.map(|operation| format!("  {} {}", operation.method, operation.path));
        let id = if group.id.is_empty() { "(no operation)" } else { group.id };
        self.line(0, &format!("{}{}", self.paint(BOLD, &one_line(id)), one_line(&place.unwrap_or_default())));
        for (_, violation) in &group.violations {
            self.violation(violation);
        }
    }

    fn violation(&mut self, violation: &Violation) {
        let times =
            if violation.times > 1 { format!(" ×{}", number(violation.times)) } else { String::new() };
        let rule = format!("✗ {}{times}", violation.rule);
        let column = 2 + rule.width() + 2;
        for (place, line) in wrap(&violation.tried, WIDTH - column).iter().enumerate() {
            if place == 0 {
                self.line(2, &format!("{}  {line}", self.paint(RED, &rule)));
            } else {
                self.line(column, line);
            }
        }
        for (label, text) in
            [("at", &violation.pointer), ("expected", &violation.expected), ("seen", &violation.seen)]
        {
            if !text.is_empty() {
                self.entry(4, label, LABEL, text);
            }
        }
        if let Some(id) = &violation.request_id {
            self.entry(4, "request", LABEL, id);
        }
        if !violation.curl.is_empty() {
            // Not wrapped, so that it can be copied.
            let label = self.paint(DIM, "reproduce");
            self.line(4, &format!("{label}  {}", visible(&violation.curl)));
        }
    }

    fn tags(&mut self, report: &Report) {
        if report.operations.is_empty() {
            return;
        }
        const HEADS: [&str; 7] =
            ["operations", "implemented", "covered", "missing", "violated", "unreachable", "percent"];
        let mut rows: Vec<(String, Totals)> = Vec::new();
        for tag in report.tags() {
            rows.push((shortened(&one_line(tag), 32), report.totals(|operation| operation.tag == tag)));
        }
        if rows.len() > 1 {
            rows.push(("all".to_owned(), report.totals(|_| true)));
        }
        let width = rows.iter().map(|(tag, _)| tag.width()).max().unwrap_or(0).max(3);
        let mut head = pad("tag", width);
        for title in HEADS {
            head.push_str(&format!("  {title}"));
        }
        self.blank();
        self.line(0, &self.paint(DIM, &head));
        for (place, (tag, totals)) in rows.iter().enumerate() {
            let cells = [
                (totals.operations, ""),
                (totals.built, if totals.built < totals.operations { YELLOW } else { "" }),
                (totals.covered, ""),
                (totals.missing, YELLOW),
                (totals.violated, RED),
                (totals.unreachable, ""),
            ];
            let mut line = pad(tag, width);
            if place == rows.len() - 1 && rows.len() > 1 {
                line = self.paint(BOLD, &line);
            }
            for ((count, style), title) in cells.into_iter().zip(HEADS) {
                let text = format!("{:>width$}", number(count), width = title.len());
                let plain = style.is_empty() || count == 0;
                line.push_str("  ");
                line.push_str(&if plain { text } else { self.paint(style, &text) });
            }
            line.push_str(&format!("  {:>7}", percent(totals)));
            self.line(0, &line);
        }
    }

    fn missing(&mut self, report: &Report) {
        let incomplete = incomplete(report);
        if incomplete.is_empty() {
            return;
        }
        self.heading(YELLOW, "MISSING", &missing_count(report));
        let width = incomplete.iter().map(|operation| operation.id.width()).max().unwrap_or(0).min(40);
        for operation in incomplete {
            self.entry(2, &one_line(&operation.id), width, &missing_cells(operation));
        }
    }

    fn not_implemented(&mut self, report: &Report) {
        let tags = not_implemented(report);
        if tags.is_empty() {
            return;
        }
        let count = tags.iter().map(|(_, operations)| operations.len()).sum();
        self.heading(YELLOW, "NOT IMPLEMENTED", &counted(count, "operation"));
        let width = tags.iter().map(|(tag, _)| one_line(tag).width()).max().unwrap_or(0).min(32);
        for (tag, operations) in tags {
            let names: Vec<&str> = operations.iter().map(|operation| operation.id.as_str()).collect();
            self.entry(2, &shortened(&one_line(tag), 32), width, &names.join(", "));
        }
    }

    fn notes(&mut self, report: &Report) {
        if report.notes.is_empty() {
            return;
        }
        self.blank();
        self.line(0, &self.paint(BOLD, "NOTES"));
        for note in &report.notes {
            for (place, line) in wrap(note, WIDTH - 4).iter().enumerate() {
                self.line(2, &format!("{} {line}", if place == 0 { "-" } else { " " }));
            }
        }
    }
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{:pad$}", "", pad = width.saturating_sub(text.width()))
}

fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for character in text.chars() {
        short.push(character);
        if short.width() >= width - 1 {
            break;
        }
    }
    short.push('…');
    short
}

/// Wraps text at spaces to lines of at most `width` columns. Spaces within a line are kept.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in visible(text).split('\n') {
        let mut line = String::new();
        for word in paragraph.split_inclusive([' ', '\t']) {
            if !line.is_empty() && line.width() + word.trim_end().width() > width {
                lines.push(std::mem::take(&mut line));
            }
            if word.width() <= width {
                line.push_str(word);
                continue;
            }
            for character in word.chars() {
                let mut letter = [0; 4];
                if line.width() + character.encode_utf8(&mut letter).width() > width {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(character);
            }
        }
        lines.push(line);
    }
    lines
}
