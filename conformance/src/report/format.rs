//! Which renderings there are, by name. None of them is written here.

use clap::ValueEnum;

use super::Report;
use super::html::html;
use super::json::json;
use super::junit::junit;
use super::markdown::markdown;
use super::text::text;

/// How a report is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal
    Text,
    /// For programs; can be read back
    Json,
    /// JUnit XML, for CI systems
    Junit,
    /// One self-contained page, for people
    Html,
    /// For a comment on a pull request
    Markdown,
}

impl Format {
    /// The report in this format. Colours are for text only.
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
