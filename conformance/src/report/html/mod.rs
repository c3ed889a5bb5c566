//! A report as a self-contained HTML page. It loads nothing from the network and escapes all text.

mod matrix;
mod violations;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};
use sha2::{Digest as _, Sha256};

use super::words::{cell_name, counted, not_implemented, number, percent, reachable, seconds, visible};
use super::{Report, Rule, State, Totals, Verdict};

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// Renders the report as HTML.
pub(super) fn html(report: &Report) -> String {
    // Only this style and this script may be used, whatever a response body contains.
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (visible(&report.contract)) ": " (visible(&report.headline())) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (head(report))
                main {
                    (rules(report))
                    (tags(report))
                    @if !report.operations.is_empty() || !report.violations.is_empty() { (filter()) }
                    (violations::section(report))
                    (matrix::section(report))
                    (not_implemented_section(report))
                    (unreachable(report))
                    (notes(report))
                }
                footer { (visible(&report.verdict_line())) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    let mut page = page.into_string();
    page.push('\n');
    page
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn head(report: &Report) -> Markup {
    let totals = report.totals(|_| true);
    let (class, symbol, word) = match report.verdict() {
        Verdict::Clean if report.cut_short.is_some() => ("clean", "✓", "Clean so far"),
        Verdict::Clean => ("clean", "✓", "Clean"),
        Verdict::Violated => ("violated", "✗", "Violated"),
        Verdict::Unchecked => ("unchecked", "?", "Not checked"),
    };
    let detail = match report.verdict() {
        Verdict::Clean => "No rule was broken.".to_owned(),
        Verdict::Unchecked => "No request was sent, so nothing is known.".to_owned(),
        Verdict::Violated => {
            let operations = super::words::violated(report).len();
            format!(
                "{} in {}",
                counted(report.violations.len(), "violation"),
                counted(operations, "operation")
            )
        }
    };
    markup! {
        header {
            p.eyebrow { "Conformance report" }
            h1 { (visible(&report.contract)) }
            p.server { (visible(&report.base_url)) " · " time datetime=(visible(&report.started)) { (visible(&report.started)) } }
            div class={ "verdict " (class) } {
                span.sign aria-hidden="true" { (symbol) }
                div {
                    p.word { (word) }
                    p { (detail) }
                    @if let Some(reason) = &report.cut_short { p { "Stopped early: " (visible(reason)) } }
                }
            }
            dl.numbers {
                (figure("Coverage", &percent(&totals), &match reachable(&totals) {
                    0 => "nothing to cover".to_owned(),
                    cells => format!("{} of {}", number(totals.covered), counted(cells, "documented response")),
                }))
                (figure("Operations", &number(totals.operations), &match totals.built {
                    built if built == totals.operations && built > 0 => "all implemented".to_owned(),
                    built => format!("{} implemented", number(built)),
                }))
                (figure("Requests", &number(report.requests), "sent"))
                (figure("Duration", &seconds(report.milliseconds), &format!("seed {}", report.seed)))
            }
        }
    }
}

fn figure(name: &str, value: &str, more: &str) -> Markup {
    markup! { div { dt { (name) } dd { span.value { (value) } span.more { (more) } } } }
}

fn rules(report: &Report) -> Markup {
    let passed = match (report.verdict(), report.cut_short.is_some()) {
        (Verdict::Unchecked, _) => "not checked",
        (_, true) => "passed so far",
        (_, false) => "passed",
    };
    let broken: Vec<Rule> = Rule::ALL.into_iter().filter(|rule| found(report, *rule).0 > 0).collect();
    let checks = |rule: Rule| report.checks.get(&rule).copied().unwrap_or_default();
    let whole = Rule::ALL.into_iter().filter(|rule| !broken.contains(rule));
    let proven = whole.clone().filter(|rule| checks(*rule) > 0).count();
    markup! {
        section aria-labelledby="rules" {
            h2 #rules { "Rules" }
            p.lead {
                @if passed == "not checked" {
                    "The rules that a run checks."
                } @else {
                    (proven) " of " (Rule::ALL.len()) " rules " (passed) ", in " (counted(report.requests, "request")) "."
                }
            }
            ul.promises {
                @for rule in broken.iter().copied() {
                    @let (places, times) = found(report, rule);
                    li.violated {
                        span.sign aria-hidden="true" { "✗" }
                        div { span.promise { (rule.statement()) } " " code.rule { (rule) } }
                        div.count {
                            "violated in " (counted(places, "place"))
                            @if times > places { span { (counted(times, "time")) } }
                        }
                    }
                }
                @for rule in whole {
                    @let tried = passed != "not checked" && checks(rule) > 0;
                    li.(if tried { "covered" } else { "unchecked" }) {
                        span.sign aria-hidden="true" { @if tried { "✓" } @else { "?" } }
                        div { span.promise { (rule.statement()) } " " code.rule { (rule) } }
                        div.count {
                            @if tried { (passed) span { (counted(checks(rule), "check")) } } @else { "not exercised" }
                        }
                    }
                }
            }
        }
    }
}

/// The number of violations of a rule, and how often they occurred.
fn found(report: &Report, rule: Rule) -> (usize, usize) {
    let violations = report.violations.iter().filter(|violation| violation.rule == rule);
    violations.fold((0, 0), |(places, times), violation| (places + 1, times + violation.times.max(1)))
}

fn tags(report: &Report) -> Markup {
    let tags = report.tags();
    if tags.is_empty() {
        return markup! {};
    }
    markup! {
        section aria-labelledby="coverage" {
            h2 #coverage { "Coverage" }
            p.lead { "The share of documented responses that were seen and passed all checks." }
            div.tags {
                @for tag in tags {
                    (bar(tag, &report.totals(|operation| operation.tag == tag)))
                }
            }
        }
    }
}

fn bar(tag: &str, totals: &Totals) -> Markup {
    let parts = [
        ("covered", totals.covered),
        ("violated", totals.violated),
        ("missing", totals.missing),
        ("unreachable", totals.unreachable),
    ];
    let all: usize = parts.iter().map(|(_, count)| count).sum();
    let mut words: Vec<String> = Vec::new();
    for (name, count) in parts.iter().filter(|(_, count)| *count > 0) {
        words.push(format!("{} {name}", number(*count)));
    }
    if totals.built < totals.operations {
        words.push(format!(
            "{} of {} implemented",
            number(totals.built),
            counted(totals.operations, "operation")
        ));
    }
    let words = if words.is_empty() { "no documented responses".to_owned() } else { words.join(", ") };
    let mut left = 0;
    let segments = parts.map(|(name, count)| {
        let start = left;
        left += count;
        (name, start, count)
    });
    markup! {
        div.tag {
            span.name { (visible(tag)) }
            span.percent { (percent(totals)) }
            // SVG attributes can hold widths where the policy forbids inline styles.
            svg.bar viewBox={ "0 0 " (all.max(1)) " 1" } preserveAspectRatio="none" aria-hidden="true" {
                @for (name, start, count) in segments {
                    @if count > 0 { rect class=(name) x=(start) y="0" width=(count) height="1" {} }
                }
            }
            span.words { (words) }
        }
    }
}

fn filter() -> Markup {
    markup! {
        form.filter role="search" hidden {
            label.text { span { "Filter" } input type="search" placeholder="operation, path, tag, rule" autocomplete="off"; }
            label.state {
                span { "State" }
                select {
                    option value="" { "all" }
                    @for state in ["violated", "missing", "covered", "unreachable", "not-implemented"] {
                        option value=(state) { (state.replace('-', " ")) }
                    }
                }
            }
            output aria-live="polite" {}
        }
    }
}

fn not_implemented_section(report: &Report) -> Markup {
    let tags = not_implemented(report);
    if tags.is_empty() {
        return markup! {};
    }
    let count = tags.iter().map(|(_, operations)| operations.len()).sum();
    markup! {
        section aria-labelledby="not-implemented" {
            h2 #not-implemented { "Not implemented" }
            p.lead { (counted(count, "operation")) " of the contract that the server does not implement." }
            dl.lists {
                @for (tag, operations) in tags {
                    dt { (visible(tag)) }
                    dd { ul { @for operation in operations {
                        li { code { (visible(&operation.id)) } " " span.place { (visible(&operation.method)) " " (visible(&operation.path)) } }
                    } } }
                }
            }
        }
    }
}

/// Unreachable responses by reason, because a printed page has no tooltips.
fn unreachable(report: &Report) -> Markup {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for operation in &report.operations {
        for cell in &operation.cells {
            let State::Unreachable(reason) = &cell.state else { continue };
            let name = format!("{} {}", operation.id, cell_name(cell));
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, cells)) => cells.push(name),
                None => reasons.push((reason, vec![name])),
            }
        }
    }
    if reasons.is_empty() {
        return markup! {};
    }
    markup! {
        section aria-labelledby="unreachable" {
            h2 #unreachable { "Unreachable" }
            p.lead { "Documented responses that no request can cause. They do not count towards coverage." }
            dl.lists {
                @for (reason, cells) in reasons {
                    dt { (visible(reason)) }
                    dd { ul { @for cell in cells { li { code { (visible(&cell)) } } } } }
                }
            }
        }
    }
}

fn notes(report: &Report) -> Markup {
    if report.notes.is_empty() {
        return markup! {};
    }
    markup! {
        section aria-labelledby="notes" {
            h2 #notes { "Notes" }
            ul.notes { @for note in &report.notes { li { (visible(note)) } } }
        }
    }
}
