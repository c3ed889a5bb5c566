//! `cargo xtask diff`: compares two contracts and classifies the changes.
//!
//! A request that accepts less breaks callers; a response that may contain more breaks clients that read it. Operations
//! are compared one by one, and each pair of schemas once, however many operations use it.

mod alternatives;
mod bodies;
mod change_log;
mod command;
mod containment;
mod finding;
mod graph;
mod message;
mod operations;
mod sample;
mod scalars;
mod schemas;
mod security;
#[cfg(test)]
mod tests;
mod text;
mod view;

use serde::Serialize;
use serde_json::Value;

pub use command::{Args, run};

/// What a change means for users of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A client or server that follows the old contract may fail.
    Breaking,
    /// It still works, but will be removed.
    Deprecation,
    /// Clients and servers that follow the old contract still work.
    Compatible,
    /// Only descriptions changed, or something that no operation uses.
    Documentation,
}

/// Whether a value is sent or received by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the caller to the server.
    Request,
    /// From the server to the caller.
    Response,
}

/// The document that a pointer refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The older document.
    Old,
    /// The newer document.
    New,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The severity.
    pub level: Level,
    /// The kind of change.
    pub rule: &'static str,
    /// The document that `pointer` refers to.
    pub document: Side,
    /// The place, as `#/json/pointer`.
    pub pointer: String,
    /// What changed.
    pub message: String,
    /// The operations that use the changed part, in the order of the new document.
    pub operations: Vec<String>,
    /// The directions in which the changed value is sent; empty if the change is not about a value.
    pub directions: Vec<Direction>,
    /// The directions in which the change is breaking.
    pub breaks: Vec<Direction>,
    /// Those of `operations` for which the change is breaking.
    pub broken_operations: Vec<String>,
    /// Further information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// A value that was accepted and no longer is (requests), or that was never sent and now may be (responses).
    /// Checked with a validator against both documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterexample: Option<Value>,
    /// Whether the level was decided by comparing the sets of accepted values, rather than by a rule about the keyword.
    pub by_containment: bool,
}

/// All differences.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Breaking changes first, then by place in the document.
    pub changes: Vec<Change>,
}

impl Report {
    /// Whether there is a breaking change.
    pub fn breaks(&self) -> bool {
        self.count(Level::Breaking) > 0
    }

    /// The number of changes of `level`.
    pub fn count(&self, level: Level) -> usize {
        self.changes.iter().filter(|change| change.level == level).count()
    }
}

/// Options of the comparison.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Clients reject unknown enum values, so a new value in a response is breaking.
    pub closed_enums: bool,
}

/// Compares two documents.
pub fn diff(old: &Value, new: &Value, options: Options) -> Report {
    let (old, new) = (crate::dialect::to_3_1(old), crate::dialect::to_3_1(new));
    let mut graph = graph::Graph::new(&old, &new, options);
    let mut changes = operations::compare(&old, &new, &mut graph);
    changes.extend(graph.finish());
    Report { changes: merged(changes) }
}

fn add_missing(names: &mut Vec<String>, more: Vec<String>) {
    for name in more {
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

/// Merges equal changes: a change of a shared parameter or response lists all operations that use it.
fn merged(changes: Vec<Change>) -> Vec<Change> {
    let mut merged: Vec<Change> = Vec::new();
    for change in changes {
        let same = merged.iter_mut().find(|other| {
            other.rule == change.rule
                && other.level == change.level
                && other.document == change.document
                && other.pointer == change.pointer
                && other.message == change.message
        });
        match same {
            Some(other) => {
                add_missing(&mut other.operations, change.operations);
                add_missing(&mut other.broken_operations, change.broken_operations);
                other.directions.extend(change.directions);
                other.breaks.extend(change.breaks);
                for directions in [&mut other.directions, &mut other.breaks] {
                    directions.sort();
                    directions.dedup();
                }
                other.counterexample = other.counterexample.take().or(change.counterexample);
            }
            None => merged.push(change),
        }
    }
    merged.sort_by_key(|change| change.level);
    merged
}
