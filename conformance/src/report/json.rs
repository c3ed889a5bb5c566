//! A report as JSON: the verdict and totals, then the members of the report.

use serde::Serialize;

use super::{Report, Totals, Verdict};

#[derive(Serialize)]
struct Document<'a> {
    verdict: Verdict,
    totals: Totals,
    #[serde(flatten)]
    report: &'a Report,
}

/// Renders the report as indented JSON.
pub(super) fn json(report: &Report) -> String {
    let document = Document { verdict: report.verdict(), totals: report.totals(|_| true), report };
    let mut text = serde_json::to_string_pretty(&document).expect("a report has text keys only");
    text.push('\n');
    text
}
