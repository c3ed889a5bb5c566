//! The coverage file: the responses that a run covered. Later runs are compared with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::words::cell_name;
use super::{Report, State};

/// Covered responses by operation: `{ "getBook": ["200 application/json", "404 application/json BOOK_NOT_FOUND"] }`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Coverage {
    // Sorted, so that the order of the contract does not change the file.
    cells: BTreeMap<String, BTreeSet<String>>,
}

impl Coverage {
    /// The coverage of a run.
    pub fn of(report: &Report) -> Self {
        let mut cells: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for operation in &report.operations {
            let covered = operation.cells.iter().filter(|cell| cell.state == State::Covered);
            let covered: BTreeSet<String> = covered.map(cell_name).collect();
            if !covered.is_empty() {
                cells.entry(operation.id.clone()).or_default().extend(covered);
            }
        }
        Self { cells }
    }

    /// This coverage extended by that of a run.
    #[must_use]
    pub fn with(&self, report: &Report) -> Self {
        let mut cells = self.cells.clone();
        for (operation, covered) in Self::of(report).cells {
            cells.entry(operation).or_default().extend(covered);
        }
        Self { cells }
    }

    /// Reads the file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the coverage file {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "{} is not a coverage file: an object of lists such as {{\"getBook\": [\"200 application/json\"]}}; \
                 write it again with --accept-coverage",
                path.display()
            )
        })
    }

    /// Writes the file, sorted and with one line per response, so that diffs are readable.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text).with_context(|| format!("cannot write the coverage file {}", path.display()))
    }

    /// Describes responses that the file lists and the run did not cover. Only operations for which `looked_at` is
    /// true are compared.
    pub fn lost(&self, report: &Report, looked_at: impl Fn(&str) -> bool) -> Vec<String> {
        let now = Self::of(report);
        let mut lost = Vec::new();
        for (operation, cells) in self.cells.iter().filter(|(operation, _)| looked_at(operation)) {
            for cell in cells.iter().filter(|cell| !now.has(operation, cell)) {
                lost.push(format!(
                    "{operation}: {cell} was covered, {}",
                    loss_reason(report, operation, cell)
                ));
            }
        }
        lost
    }

    /// Describes responses that the run covered and the file does not list.
    pub fn gained(&self, report: &Report) -> Vec<String> {
        let mut gained = Vec::new();
        for (operation, cells) in &Self::of(report).cells {
            for cell in cells.iter().filter(|cell| !self.has(operation, cell)) {
                gained.push(format!("{operation}: {cell} is newly covered"));
            }
        }
        gained
    }

    fn has(&self, operation: &str, cell: &str) -> bool {
        self.cells.get(operation).is_some_and(|cells| cells.contains(cell))
    }
}

/// Why a response is no longer covered.
fn loss_reason(report: &Report, id: &str, cell: &str) -> String {
    let Some(operation) = report.operations.iter().find(|operation| operation.id == id) else {
        return "but the contract no longer has the operation".to_owned();
    };
    match operation.cells.iter().find(|candidate| cell_name(candidate) == cell).map(|cell| &cell.state) {
        // An error within a range such as `4XX` is listed only if a request caused or expected it.
        None => "but was not seen, or is no longer documented".to_owned(),
        Some(State::Unreachable(reason)) => format!("but is declared unreachable now: {reason}"),
        Some(State::Violated) => "but is violated now".to_owned(),
        Some(_) if !operation.built => "but the operation is no longer implemented".to_owned(),
        Some(_) => "but was not seen".to_owned(),
    }
}
