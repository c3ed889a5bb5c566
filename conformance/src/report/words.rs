//! Text helpers of the report formats: verdict, numbers, grouping and escaping.

use std::borrow::Cow;

use super::{Cell, OperationReport, Report, State, Totals, Violation};

/// The overall result of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No violation.
    Clean,
    /// At least one violation.
    Violated,
    /// No request was sent.
    Unchecked,
}

impl Report {
    /// The overall result.
    pub fn verdict(&self) -> Verdict {
        if !self.violations.is_empty() {
            Verdict::Violated
        } else if self.requests == 0 {
            // A run without requests must not look like one without violations.
            Verdict::Unchecked
        } else {
            Verdict::Clean
        }
    }

    /// The verdict in a few words: `VIOLATED: 3 violations in 2 operations`.
    pub fn headline(&self) -> String {
        let cut = self.cut_short.as_deref().map(one_line);
        match (self.verdict(), cut) {
            (Verdict::Clean, None) => "CLEAN".to_owned(),
            (Verdict::Clean, Some(reason)) => format!("CLEAN SO FAR: stopped early, {reason}"),
            (Verdict::Unchecked, None) => "NOT CHECKED: no request was sent".to_owned(),
            (Verdict::Unchecked, Some(reason)) => {
                format!("NOT CHECKED: no request was sent, stopped early, {reason}")
            }
            (Verdict::Violated, cut) => {
                let violations = counted(self.violations.len(), "violation");
                let operations = counted(violated(self).len(), "operation");
                let cut = cut.map(|reason| format!("; stopped early, {reason}")).unwrap_or_default();
                format!("VIOLATED: {violations} in {operations}{cut}")
            }
        }
    }

    /// The verdict in one line: headline, coverage, requests, duration, seed.
    pub fn verdict_line(&self) -> String {
        [
            self.headline(),
            coverage(&self.totals(|_| true)),
            counted(self.requests, "request"),
            seconds(self.milliseconds),
            format!("seed {}", self.seed),
        ]
        .join(" · ")
    }
}

/// The violations of one operation.
pub(super) struct Group<'a> {
    pub id: &'a str,
    /// `None` when the report has no such operation, such as for a violation of a whole path.
    pub operation: Option<&'a OperationReport>,
    /// The violations with their index in the report.
    pub violations: Vec<(usize, &'a Violation)>,
}

/// Violations by operation in the order of the contract; those without an operation come last.
pub(super) fn violated(report: &Report) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (place, violation) in report.violations.iter().enumerate() {
        if let Some(group) = groups.iter_mut().find(|group| group.id == violation.operation) {
            group.violations.push((place, violation));
            continue;
        }
        groups.push(Group {
            id: &violation.operation,
            operation: report.operations.iter().find(|operation| operation.id == violation.operation),
            violations: vec![(place, violation)],
        });
    }
    groups.sort_by_key(|group| {
        report.operations.iter().position(|operation| operation.id == group.id).unwrap_or(usize::MAX)
    });
    groups
}

/// Implemented operations with missing responses.
pub(super) fn incomplete(report: &Report) -> Vec<&OperationReport> {
    report.operations.iter().filter(|operation| operation.built && operation.count("missing") > 0).collect()
}

/// The heading for [`incomplete`]. Responses of operations that are not implemented are counted separately, so that
/// the sum is that of the tables.
pub(super) fn missing_count(report: &Report) -> String {
    let incomplete = incomplete(report);
    let cells = report.totals(|operation| operation.built).missing;
    let elsewhere = report.totals(|operation| !operation.built).missing;
    let mut words = format!("{} in {}", counted(cells, "response"), counted(incomplete.len(), "operation"));
    if elsewhere > 0 {
        words.push_str(&format!(
            ", and {} of operations that are not implemented",
            counted(elsewhere, "response")
        ));
    }
    words
}

/// The missing statuses of an operation by content type: `400, 404 application/json; 204`.
pub(super) fn missing_cells(operation: &OperationReport) -> String {
    let mut types: Vec<(&str, Vec<&str>)> = Vec::new();
    for cell in operation.cells.iter().filter(|cell| cell.state == State::Missing) {
        match types.iter_mut().find(|(content_type, _)| *content_type == cell.content_type) {
            Some((_, statuses)) => statuses.push(&cell.status),
            None => types.push((&cell.content_type, vec![&cell.status])),
        }
    }
    let parts = types.iter().map(|(content_type, statuses)| {
        let statuses = statuses.join(", ");
        if content_type.is_empty() { statuses } else { format!("{statuses} {content_type}") }
    });
    parts.collect::<Vec<_>>().join("; ")
}

/// Operations that are not implemented, by tag.
pub(super) fn not_implemented(report: &Report) -> Vec<(&str, Vec<&OperationReport>)> {
    let tags = report.tags().into_iter().map(|tag| {
        let absent = report.operations.iter().filter(|operation| operation.tag == tag && !operation.built);
        (tag, absent.collect::<Vec<_>>())
    });
    tags.filter(|(_, operations)| !operations.is_empty()).collect()
}

/// `200 application/json`; `204` without a body; `404 application/json BOOK_NOT_FOUND` for an error.
pub(super) fn cell_name(cell: &Cell) -> String {
    let parts = [&cell.status, &cell.content_type, &cell.code];
    parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// `3 violations`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", number(count))
}

/// `12,345`.
pub(super) fn number(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `41.3 s`.
pub(super) fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}

/// `87.4 %`, rounded down, so that only full coverage is 100; a dash when there is nothing to cover.
pub(super) fn percent(totals: &Totals) -> String {
    let reachable = reachable(totals);
    if reachable == 0 {
        return "–".to_owned();
    }
    let permille = totals.covered * 1000 / reachable;
    format!("{}.{} %", permille / 10, permille % 10)
}

/// `87.4 % covered (214 of 245)`.
pub(super) fn coverage(totals: &Totals) -> String {
    match reachable(totals) {
        0 => "nothing to cover".to_owned(),
        cells => {
            format!("{} covered ({} of {})", percent(totals), number(totals.covered), number(cells))
        }
    }
}

/// Number of responses that requests can cause.
pub(super) fn reachable(totals: &Totals) -> usize {
    totals.covered + totals.missing + totals.violated
}

/// Escapes characters that could control a terminal, break XML or change the text direction. Line breaks and tabs are
/// kept.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unsafe(character) {
            harmless.extend(character.escape_default());
        } else {
            harmless.push(character);
        }
    }
    Cow::Owned(harmless)
}

/// [`visible`], on one line.
pub(super) fn one_line(text: &str) -> String {
    visible(text).replace(['\n', '\t'], " ")
}

fn is_unsafe(character: char) -> bool {
    (character.is_control() && !matches!(character, '\n' | '\t'))
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(character, '\u{fffe}' | '\u{ffff}')
}
