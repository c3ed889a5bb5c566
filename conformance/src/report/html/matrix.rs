//! The coverage matrix: operations by status. Each cell shows its state by color, by symbol and as text.

use maud::{Markup, html as markup};

use super::super::words::{cell_name, counted, visible};
use super::super::{Cell, OperationReport, Report, State};
use super::violations::anchor;

/// The section with the matrix.
pub(super) fn section(report: &Report) -> Markup {
    if report.operations.is_empty() {
        return markup! {};
    }
    let statuses = statuses(report);
    markup! {
        section aria-labelledby="matrix" {
            h2 #matrix { "Documented responses" }
            p.lead {
                "Rows are operations, columns are statuses. A response with several media types has a symbol for each. "
                span.script hidden { "Point at a symbol, or use the arrow keys, to read its meaning." }
            }
            ul.legend {
                @for state in [State::Covered, State::Missing, State::Violated, State::Unreachable(String::new())] {
                    li { span class={ "mark " (state.name()) } aria-hidden="true" { (sign(&state)) } " " (meaning(&state)) }
                }
            }
            div.scroll tabindex="0" role="region" aria-labelledby="matrix" {
                // Explicit roles, because narrow screens show the table as blocks.
                table.matrix role="table" aria-labelledby="matrix" {
                    @for tag in report.tags() {
                        tbody role="rowgroup" {
                            tr.tag role="row" {
                                th role="columnheader" scope="col" { (visible(tag)) }
                                @for status in &statuses {
                                    th.status role="columnheader" scope="col" { (visible(status)) }
                                }
                            }
                            @for operation in report.operations.iter().filter(|operation| operation.tag == tag) {
                                (row(report, operation, &statuses))
                            }
                        }
                    }
                }
            }
            p.lead.none hidden { "No operation matches the filter." }
        }
    }
}

fn row(report: &Report, operation: &OperationReport, statuses: &[&str]) -> Markup {
    let words =
        [&operation.id, &operation.method, &operation.path, &operation.tag].map(String::as_str).join(" ");
    let violated = report.violations.iter().any(|violation| violation.operation == operation.id);
    let mut states: Vec<&str> = Vec::new();
    for state in operation.cells.iter().map(|cell| cell.state.name()).chain(violated.then_some("violated")) {
        if !states.contains(&state) {
            states.push(state);
        }
    }
    if !operation.built {
        states.push("not-implemented");
    }
    markup! {
        tr.absent[!operation.built] role="row" data-item="operation" data-text=(visible(&words).to_lowercase()) data-states=(states.join(" ")) {
            th role="rowheader" scope="row" {
                code {
                    @if violated {
                        a href={ "#" (anchor(report, &operation.id)) } { (visible(&operation.id)) }
                    } @else {
                        (visible(&operation.id))
                    }
                }
                @if !operation.built { " " span.badge { "not implemented" } }
                @if operation.addition { " " span.badge { "addition" } }
                span.place { (visible(&operation.method)) " " (visible(&operation.path)) }
            }
            @for status in statuses {
                @let cells = operation.cells.iter().filter(|cell| cell.status == *status);
                @let cells = cells.collect::<Vec<_>>();
                td role="cell" data-status=(visible(status)) {
                    @for cell in &cells { (mark(report, operation, cell, cells.len() > 1)) }
                }
            }
        }
    }
}

fn mark(report: &Report, operation: &OperationReport, cell: &Cell, several: bool) -> Markup {
    let words = described(operation, cell);
    let class = format!("mark {}", cell.state.name());
    // The subtype, such as `csv`, tells several cells apart. Error codes are too long for that.
    let several = several && cell.code.is_empty();
    let kind =
        cell.content_type.split(';').next().unwrap_or_default().rsplit(['/', '+']).next().unwrap_or_default();
    let found = report.violations.iter().any(|violation| violation.operation == operation.id);
    let inner = markup! {
        span aria-hidden="true" { (sign(&cell.state)) @if several { small { (visible(kind)) } } }
        span.words { (words) }
    };
    markup! {
        @if cell.state == State::Violated && found {
            a class=(class) data-tip=(words) title=(words) href={ "#" (anchor(report, &operation.id)) } { (inner) }
        } @else {
            span class=(class) data-tip=(words) title=(words) { (inner) }
        }
    }
}

fn described(operation: &OperationReport, cell: &Cell) -> String {
    let name = cell_name(cell);
    let state = match &cell.state {
        State::Covered => format!("covered, {}", counted(cell.answers, "response")),
        State::Missing if !operation.built => "missing, the operation is not implemented".to_owned(),
        State::Missing => "missing, not seen".to_owned(),
        State::Violated => format!("violated, {}", counted(cell.answers, "response")),
        State::Unreachable(reason) => format!("unreachable, {reason}"),
    };
    visible(&format!("{} {name}: {state}", operation.id)).into_owned()
}

fn sign(state: &State) -> &'static str {
    match state {
        State::Covered => "✓",
        State::Missing => "○",
        State::Violated => "✗",
        State::Unreachable(_) => "–",
    }
}

fn meaning(state: &State) -> &'static str {
    match state {
        State::Covered => "covered: seen, all checks passed",
        State::Missing => "missing: not seen",
        State::Violated => "violated: seen, a check failed",
        State::Unreachable(_) => "unreachable: no request can cause it",
    }
}

/// The columns: statuses, each followed by its range, then `default`.
fn statuses(report: &Report) -> Vec<&str> {
    let mut statuses: Vec<&str> = Vec::new();
    for cell in report.operations.iter().flat_map(|operation| &operation.cells) {
        if !statuses.contains(&cell.status.as_str()) {
            statuses.push(&cell.status);
        }
    }
    statuses.sort_by_key(|status| {
        let digit = status.starts_with(|first: char| first.is_ascii_digit());
        (!digit, status.to_ascii_uppercase())
    });
    statuses
}
