//! A report as JSON: its own shape with verdict and sums before it. What reads it back gets the report alone.

use serde::Serialize;

use super::{Report, Totals, Verdict};

#[derive(Serialize)]
struct Document<'a> {
    verdict: Verdict,
    totals: Totals,
    #[serde(flatten)]
    report: &'a Report,
}

/// The report as JSON, indented.
pub(super) fn json(report: &Report) -> String {
    let document = Document { verdict: report.verdict(), totals: report.totals(|_| true), report };
    let mut text = serde_json::to_string_pretty(&document).expect("a report has text keys only");
    text.push('\n');
    text
}
