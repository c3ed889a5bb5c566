//! How commands tell what came of them: one JSON object on standard output for programs, or text for people.
//! Nothing is decided here.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// What a command that came to its end says by its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All is well: 0.
    Success,
    /// It was told what is not: 1.
    Failure,
}

/// Writes `value` as one JSON object, or `text` for people.
pub(super) fn print(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = if json {
        let line = serde_json::to_string_pretty(value).context("cannot write JSON")?;
        writeln!(out, "{line}")
    } else {
        let text = text();
        writeln!(out, "{}", text.trim_end_matches('\n'))
    };
    written.and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Tells on standard error what went wrong, and in an object too where one is awaited: whoever reads objects gets one
/// of every command that is understood. Nobody is left to be told when the pipe is gone.
pub(super) fn print_errors(problems: &[String], json: bool) {
    problems.iter().for_each(print_error);
    if json {
        let _ = print(true, &serde_json::json!({ "error": problems.join("; ") }), String::new);
    }
}

/// Tells on standard error what went wrong. Where nobody can be told the exit code says it; `eprintln!` would panic.
pub(super) fn print_error(words: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "error: {words}");
}

/// Rows under a heading, in columns as wide as they need to be.
pub(super) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = heading.map(|title| title.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let mut out = line(heading);
    for row in rows {
        out.push_str(&line(std::array::from_fn(|column| row[column].as_str())));
    }
    out
}
