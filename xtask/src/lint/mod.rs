//! `cargo xtask lint`: finds errors in an OpenAPI document and says how to fix them. Reads the document as JSON and
//! changes nothing.

mod command;
mod components;
mod described;
mod operations;
mod paths;
mod responses;
mod rules;
mod schemas;
#[cfg(test)]
mod tests;
mod values;
mod words;

use serde::Serialize;
use serde_json::Value;

pub use command::{Args, run};

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document contradicts itself, or part of it would be ignored: `lint` fails.
    Error,
    /// The document can be processed, but is incomplete or easy to misread.
    Warning,
    /// Nothing to fix, but generators need special handling for it.
    Note,
}

impl Severity {
    /// The word at the start of a line of output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A rule of `lint`.
#[derive(Debug, Serialize)]
pub struct Rule {
    /// The id, as printed.
    pub id: &'static str,
    /// The severity of its findings.
    pub severity: Severity,
    /// Whether `generate` rejects a document with such a finding.
    pub blocks_generation: bool,
    /// What the rule requires.
    pub summary: &'static str,
}

/// One place where a document breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The severity.
    pub severity: Severity,
    /// The rule's id.
    pub rule: &'static str,
    /// Where it is, as `#/json/pointer`.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// Whether `generate` rejects the document because of this finding.
    pub fn blocks_generation(&self) -> bool {
        rules::RULES.iter().any(|rule| rule.id == self.rule && rule.blocks_generation)
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { severity, rule, pointer, message, remedy } = self;
        write!(formatter, "{:<8} {rule}  {pointer}: {message}; {remedy}", severity.word())
    }
}

/// Checks `document` and returns the findings: errors first, then by rule and in document order.
pub fn lint(document: &Value) -> Vec<Finding> {
    let mut report = Report { findings: Vec::new() };
    paths::check(document, &mut report);
    operations::check(document, &mut report);
    responses::check(document, &mut report);
    components::check(document, &mut report);
    schemas::check(document, &mut report);
    values::check(document, &mut report);
    let mut findings = report.findings;
    // A stable sort keeps the document order within a rule.
    findings.sort_by_key(|finding| (finding.severity, finding.rule));
    findings.dedup();
    findings
}

/// Collects findings. Rules are added by id; the table has their severity.
pub(crate) struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// Adds a violation of `rule` at `pointer`.
    fn add(
        &mut self,
        rule: &str,
        pointer: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let rule = rules::RULES
            .iter()
            .find(|known| known.id == rule)
            .unwrap_or_else(|| panic!("lint rule {rule} is missing from lint/rules.rs"));
        self.findings.push(Finding {
            severity: rule.severity,
            rule: rule.id,
            pointer: pointer.into(),
            message: message.into(),
            remedy: remedy.into(),
        });
    }
}

/// Formats names as `a, b and 3 more`.
pub(crate) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match names.len().checked_sub(SHOWN) {
        Some(rest) if rest > 0 => format!("{} and {rest} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}
