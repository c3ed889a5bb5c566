//! What comparing two schemas finds: changes with a severity for each direction, and the referenced pairs.

use serde_json::Value;

use super::view::Node;
use super::{Level, Options, Side};

/// The two documents, and the options of the comparison.
pub(super) struct Documents<'a> {
    /// The older document.
    pub(super) old: &'a Value,
    /// The newer document.
    pub(super) new: &'a Value,
    pub(super) options: Options,
}

/// A schema change and its severity in each direction. The uses of the schema decide which one applies.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) rule: &'static str,
    pub(super) side: Side,
    pub(super) pointer: String,
    pub(super) message: String,
    /// The severity in requests.
    pub(super) request: Level,
    /// The severity in responses.
    pub(super) response: Level,
    pub(super) note: Option<String>,
    pub(super) request_counterexample: Option<Value>,
    pub(super) response_counterexample: Option<Value>,
    pub(super) by_containment: bool,
}

impl Finding {
    /// A compatible change.
    pub(super) fn new(rule: &'static str, side: Side, pointer: &str, message: impl Into<String>) -> Self {
        Self {
            rule,
            side,
            pointer: pointer.to_owned(),
            message: message.into(),
            request: Level::Compatible,
            response: Level::Compatible,
            note: None,
            request_counterexample: None,
            response_counterexample: None,
            by_containment: false,
        }
    }

    /// Some values are no longer accepted: breaking in requests.
    pub(super) fn narrows(mut self) -> Self {
        self.request = Level::Breaking;
        self
    }

    /// Some values are newly accepted: breaking in responses.
    pub(super) fn widens(mut self) -> Self {
        self.response = Level::Breaking;
        self
    }

    /// Sets the same level in both directions.
    pub(super) fn at(mut self, level: Level) -> Self {
        (self.request, self.response) = (level, level);
        self
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// The findings about two schemas, and the pairs that they reference.
#[derive(Default)]
pub(super) struct Pair {
    pub(super) findings: Vec<Finding>,
    pub(super) leads_to: Vec<(Node, Node)>,
}

impl Pair {
    pub(super) fn record(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}
