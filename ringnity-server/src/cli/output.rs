//! Output of commands: one JSON object on standard output, or text.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// Exit status of a command that ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Exit code 0.
    Success,
    /// Exit code 1; the output says why.
    Failure,
}

/// Prints `value` as one JSON object, or `text`.
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

/// Prints errors on standard error and, with `--json`, as an object on standard output. A closed pipe is ignored.
pub(super) fn print_errors(problems: &[String], json: bool) {
    problems.iter().for_each(print_error);
    if json {
        let _ = print(true, &serde_json::json!({ "error": problems.join("; ") }), String::new);
    }
}

/// Prints an error on standard error. If it is closed, the exit code has to do; `eprintln!` would panic.
pub(super) fn print_error(message: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "error: {message}");
}

/// A table with aligned columns.
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
