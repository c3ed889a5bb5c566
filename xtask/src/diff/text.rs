//! The report as text: grouped by operation, then by shared component, one line per change.

use indexmap::IndexMap;

use super::message::{names, short};
use super::{Change, Direction, Level, Report, Side};

/// Formats the report; changes of documentation only if `all`.
pub(super) fn render(report: &Report, all: bool) -> String {
    let mut groups: IndexMap<String, Vec<&Change>> = IndexMap::new();
    for change in &report.changes {
        if all || change.level != Level::Documentation {
            groups.entry(group(change)).or_default().push(change);
        }
    }
    // Breaking changes first.
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, changes)| changes.iter().map(|change| change.level).min());
    let mut text = String::new();
    for (title, changes) in groups {
        text.push_str(&title);
        text.push('\n');
        let shared = title.contains(' ');
        for change in changes {
            text.push_str(&line(change, shared));
        }
        text.push('\n');
    }
    text
}

/// The operation, or the component that several operations share.
fn group(change: &Change) -> String {
    let mut segments = change.pointer.trim_start_matches("#/").split('/');
    match (segments.next(), segments.next(), segments.next()) {
        (Some("components"), Some(kind), Some(name)) => {
            let kind = match kind {
                "securitySchemes" => "security scheme",
                kind => kind.trim_end_matches('s'),
            };
            format!("{kind} {name}")
        }
        _ => match &change.operations[..] {
            [one] => one.clone(),
            _ => "the document".to_owned(),
        },
    }
}

fn line(change: &Change, shared: bool) -> String {
    let level = match change.level {
        Level::Breaking => "breaking",
        Level::Deprecation => "deprecation",
        Level::Compatible => "compatible",
        Level::Documentation => "docs",
    };
    let old = if change.document == Side::Old { " (old document)" } else { "" };
    let mut line = format!("  {level:<11} {}  {}{old}: {}\n", change.rule, change.pointer, change.message);
    let mut more = Vec::new();
    if shared && !change.operations.is_empty() {
        let direction_names = |directions: &[Direction]| {
            let words: Vec<_> = directions
                .iter()
                .map(|direction| match direction {
                    Direction::Request => "requests",
                    Direction::Response => "responses",
                })
                .collect();
            words.join(" and ")
        };
        let operation_names = |operations: &[String]| names(operations, 5);
        more.push(match (&change.breaks[..], &change.directions[..]) {
            ([], []) => format!("used by {}", operation_names(&change.operations)),
            ([], directions) => {
                format!("in {} of {}", direction_names(directions), operation_names(&change.operations))
            }
            (breaks, _) => {
                let unaffected: Vec<String> = change
                    .operations
                    .iter()
                    .filter(|operation| !change.broken_operations.contains(operation))
                    .cloned()
                    .collect();
                let also = if unaffected.is_empty() {
                    String::new()
                } else {
                    format!("; does not break {}", operation_names(&unaffected))
                };
                format!(
                    "breaks {} of {}{also}",
                    direction_names(breaks),
                    operation_names(&change.broken_operations)
                )
            }
        });
    }
    if let Some(counterexample) = &change.counterexample {
        let verb = if change.breaks.first() == Some(&Direction::Request) {
            "no longer accepted"
        } else {
            "newly possible"
        };
        more.push(format!("{verb}: {}", short(counterexample)));
    }
    more.extend(change.note.clone());
    for part in more {
        line.push_str(&format!("              {part}\n"));
    }
    line
}

/// `2 breaking, 1 deprecated, 5 compatible, 3 documentation only`.
pub(super) fn summary(report: &Report) -> String {
    format!(
        "{} breaking, {} deprecated, {} compatible, {} documentation only",
        report.count(Level::Breaking),
        report.count(Level::Deprecation),
        report.count(Level::Compatible),
        report.count(Level::Documentation)
    )
}
