//! The committed list of what a run covers, and what another run lost or gained against it. Whether a loss
//! fails a run is not decided here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::words::cell_name;
use super::{Report, State};

/// Covered cells by operation: `{ "getBook": ["200 application/json", "404 application/json BOOK_NOT_FOUND"] }`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Coverage {
    // Sorted, so that a change of the contract's order is none of the file.
    cells: BTreeMap<String, BTreeSet<String>>,
}

impl Coverage {
    /// What a run covered.
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

    /// This and what a run covered.
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
                 write it anew from a run",
                path.display()
            )
        })
    }

    /// Writes the file: sorted, a line for each cell, so that a difference reads as what was lost and gained.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text).with_context(|| format!("cannot write the coverage file {}", path.display()))
    }

    /// Cells that the file has and the run does not cover, in words. Only operations that the run looked at
    /// count; `looked_at` gets their ids.
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

    /// Cells that the run covers and the file does not have, in words.
    pub fn gained(&self, report: &Report) -> Vec<String> {
        let mut gained = Vec::new();
        for (operation, cells) in &Self::of(report).cells {
            for cell in cells.iter().filter(|cell| !self.has(operation, cell)) {
                gained.push(format!("{operation}: {cell} is covered now"));
            }
        }
        gained
    }

    fn has(&self, operation: &str, cell: &str) -> bool {
        self.cells.get(operation).is_some_and(|cells| cells.contains(cell))
    }
}

/// What became of a cell that is not covered.
fn loss_reason(report: &Report, id: &str, cell: &str) -> String {
    let Some(operation) = report.operations.iter().find(|operation| operation.id == id) else {
        return "and the contract has no such operation any more".to_owned();
    };
    match operation.cells.iter().find(|candidate| cell_name(candidate) == cell).map(|cell| &cell.state) {
        // An error that a range stands for is no cell where nothing aimed at it.
        None => "and was not seen this time, or is not documented any more".to_owned(),
        Some(State::Unreachable(reason)) => format!("and is called unreachable now: {reason}"),
        Some(State::Violated) => "and is violated now".to_owned(),
        Some(_) if !operation.built => "and the operation is not built any more".to_owned(),
        Some(_) => "and was not seen this time".to_owned(),
    }
}
