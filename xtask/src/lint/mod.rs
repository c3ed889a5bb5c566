//! `cargo xtask lint`: what is wrong in an OpenAPI document, said in lines a person can act on.
//! Reads one document as a value; knows no other document and writes nothing.

mod command;
mod components;
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

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document contradicts itself or loses something silently: `lint` fails.
    Error,
    /// It can be read, but says less than it should or asks for care.
    Warning,
    /// Nothing to mend: something that whoever generates code has to treat specially.
    Note,
}

impl Severity {
    /// The word that opens a line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A rule: its id, its weight and whether code can be generated all the same.
#[derive(Debug, Serialize)]
pub struct Rule {
    /// The id that lines show.
    pub id: &'static str,
    /// How much a finding of this rule weighs.
    pub severity: Severity,
    /// Whether a generator has to refuse a document with such a finding.
    pub blocks_generation: bool,
    /// What the rule asks for.
    pub summary: &'static str,
}

/// One place where a document breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How much it weighs.
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
    /// Whether a generator has to refuse the document because of this.
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

/// Every finding about `document`: errors first, then by rule and in the order of the document.
pub fn lint(document: &Value) -> Vec<Finding> {
    let mut report = Report { findings: Vec::new() };
    paths::check(document, &mut report);
    operations::check(document, &mut report);
    responses::check(document, &mut report);
    components::check(document, &mut report);
    schemas::check(document, &mut report);
    values::check(document, &mut report);
    let mut findings = report.findings;
    // Stable, so that within a rule the order of the document stays.
    findings.sort_by_key(|finding| (finding.severity, finding.rule));
    findings.dedup();
    findings
}

/// Collects findings; rules only name themselves, their weight stands in one table.
pub(crate) struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// Records that `rule` is broken at `pointer`.
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

/// `a, b and 3 more`: enough names to find the rest by.
pub(crate) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match names.len().checked_sub(SHOWN) {
        Some(rest) if rest > 0 => format!("{} and {rest} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}
