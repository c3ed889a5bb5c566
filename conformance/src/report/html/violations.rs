//! The violations: what was expected, what was seen, and how to reproduce it.

use maud::{Markup, html as markup};

use super::super::words::{counted, number, violated, visible};
use super::super::{Report, Violation};

/// The section with the violations, by operation.
pub(super) fn section(report: &Report) -> Markup {
    let groups = violated(report);
    markup! {
        section aria-labelledby="violations" {
            h2 #violations { "Violations" }
            @if groups.is_empty() {
                p.lead { "None, in " (counted(report.requests, "request")) "." }
            } @else {
                p.lead.none hidden { "No violation matches the filter." }
            }
            @for group in &groups {
                @let method = group.operation.map(|operation| operation.method.as_str()).unwrap_or_default();
                @let path = group.operation.map(|operation| operation.path.as_str()).unwrap_or_default();
                @let tag = group.operation.map(|operation| operation.tag.as_str()).unwrap_or_default();
                div.group {
                    h3 #(anchor(report, group.id)) {
                        code { @if group.id.is_empty() { "(no operation)" } @else { (visible(group.id)) } }
                        @if group.operation.is_some() { " " span.place { (visible(method)) " " (visible(path)) } }
                    }
                    @for (place, violation) in &group.violations {
                        @let words = [group.id, method, path, tag, violation.rule.name(), &violation.tried].join(" ");
                        (card(*place, violation, &visible(&words).to_lowercase()))
                    }
                }
            }
        }
    }
}

/// The anchor of the violations of an operation. Operation ids are not used as anchors, because they come from the
/// contract.
pub(super) fn anchor(report: &Report, id: &str) -> String {
    let first = report.violations.iter().position(|violation| violation.operation == id);
    format!("operation-{}", first.map_or(0, |place| place + 1))
}

fn card(place: usize, violation: &Violation, words: &str) -> Markup {
    let id = format!("violation-{}", place + 1);
    markup! {
        article.card id=(id) data-item="violation" data-text=(words) data-states="violated" aria-labelledby={ (id) "-title" } {
            h4 id={ (id) "-title" } {
                a.rule href={ "#" (id) } { (violation.rule) }
                " " span { (visible(&violation.tried)) }
                @if violation.times > 1 {
                    " " span.times { "×" (number(violation.times)) }
                }
            }
            p.promise { "Rule: " (violation.rule.statement()) "." }
            @if !violation.pointer.is_empty() || violation.request_id.is_some() {
                dl.facts {
                    @if !violation.pointer.is_empty() { div { dt { "At" } dd { code { (visible(&violation.pointer)) } } } }
                    @if let Some(request) = &violation.request_id {
                        div { dt { "Request id" } dd { code { (visible(request)) } } }
                    }
                }
            }
            div.versus {
                div.expected { p { span aria-hidden="true" { "✓ " } "Expected" } pre tabindex="0" { (visible(&violation.expected)) } }
                div.seen { p { span aria-hidden="true" { "✗ " } "Seen" } pre tabindex="0" { (visible(&violation.seen)) } }
            }
            @if !violation.curl.is_empty() {
                div.curl {
                    p { "Reproduce" button type="button" hidden { "Copy" } }
                    pre tabindex="0" { (visible(&violation.curl)) }
                }
            }
        }
    }
}
