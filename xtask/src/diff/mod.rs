//! `cargo xtask diff`: what changed between two contracts, and for whom it breaks.
//!
//! A request that narrows breaks callers, a response that widens breaks readers. Operations are compared
//! one by one; schemas once per pair, however many operations use them.

mod alternatives;
mod bodies;
mod command;
mod containment;
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

/// What a change means for those who use the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Somebody who followed the old contract may fail.
    Breaking,
    /// It still works and is announced to go.
    Deprecation,
    /// Nobody who followed the old contract fails.
    Compatible,
    /// Only words changed, or something no operation uses.
    Documentation,
}

/// Which way a value travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the caller to the server.
    Request,
    /// From the server to the caller.
    Response,
}

/// Which of the two documents a pointer is about.
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
    /// What it means.
    pub level: Level,
    /// What kind of change it is.
    pub rule: &'static str,
    /// Which document `pointer` is about.
    pub document: Side,
    /// Where it is, as `#/json/pointer`.
    pub pointer: String,
    /// What changed.
    pub message: String,
    /// The operations that it reaches, in the order of the new document.
    pub operations: Vec<String>,
    /// The ways in which the changed value travels; empty when it is not about a value.
    pub directions: Vec<Direction>,
    /// The ways in which it breaks.
    pub breaks: Vec<Direction>,
    /// The operations that it breaks, of those that it reaches.
    pub broken_operations: Vec<String>,
    /// What else to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// A value that was accepted and is not any more (requests), or that was not sent and now may be
    /// (responses). Checked with a validator against both documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterexample: Option<Value>,
    /// Whether set containment decided it, rather than a rule about the keyword.
    pub by_containment: bool,
}

/// Everything that differs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Breaking changes first, then by place in the document.
    pub changes: Vec<Change>,
}

impl Report {
    /// Whether anything breaks.
    pub fn breaks(&self) -> bool {
        self.count(Level::Breaking) > 0
    }

    /// How many changes are of `level`.
    pub fn count(&self, level: Level) -> usize {
        self.changes.iter().filter(|change| change.level == level).count()
    }
}

/// How strictly some changes are judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Readers refuse enum values they do not know: a new one in a response breaks them.
    pub closed_enums: bool,
}

/// Compares two documents.
pub fn diff(old: &Value, new: &Value, options: Options) -> Report {
    let (old, new) = (crate::dialect::modern(old), crate::dialect::modern(new));
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

/// One entry per difference: what several operations share (a parameter, a response) names them all.
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
                for ways in [&mut other.directions, &mut other.breaks] {
                    ways.sort();
                    ways.dedup();
                }
                other.counterexample = other.counterexample.take().or(change.counterexample);
            }
            None => merged.push(change),
        }
    }
    merged.sort_by_key(|change| change.level);
    merged
}
