//! The report formats by name.

use clap::ValueEnum;

use super::Report;
use super::html::html;
use super::json::json;
use super::junit::junit;
use super::markdown::markdown;
use super::text::text;

/// A report format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal
    Text,
    /// For programs; can be parsed back into a report
    Json,
    /// JUnit XML, for CI systems
    Junit,
    /// A self-contained HTML page
    Html,
    /// For a comment on a pull request
    Markdown,
}

impl Format {
    /// Renders the report. Colors apply to text only.
    pub fn render(self, report: &Report, color: bool) -> String {
        match self {
            Self::Text => text(report, color),
            Self::Json => json(report),
            Self::Junit => junit(report),
            Self::Html => html(report),
            Self::Markdown => markdown(report),
        }
    }
}
