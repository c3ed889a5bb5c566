//! Collects the changes of operations that are not about schemas.

use super::{Change, Level, Side};

/// Collects changes.
#[derive(Default)]
pub(super) struct ChangeLog {
    pub(super) changes: Vec<Change>,
}

impl ChangeLog {
    /// Records a change that is not about a value; `operation` may be empty.
    pub(super) fn record(
        &mut self,
        level: Level,
        rule: &'static str,
        document: Side,
        pointer: String,
        message: String,
        operation: &str,
    ) -> &mut Change {
        let operations = if operation.is_empty() { Vec::new() } else { vec![operation.to_owned()] };
        let broken_operations = if level == Level::Breaking { operations.clone() } else { Vec::new() };
        self.changes.push(Change {
            level,
            rule,
            document,
            pointer,
            message,
            operations,
            directions: Vec::new(),
            breaks: Vec::new(),
            broken_operations,
            note: None,
            counterexample: None,
            by_containment: false,
        });
        let last = self.changes.len() - 1;
        &mut self.changes[last]
    }
}
