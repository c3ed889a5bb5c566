//! The pairs of schemas to compare and the operations that use them. Each pair is compared once; its findings list every
//! operation that uses it, and in which direction.

use std::collections::{HashSet, VecDeque};

use indexmap::{IndexMap, IndexSet};
use serde_json::Value;

use super::finding::{Documents, Finding};
use super::schemas::compare;
use super::view::Node;
use super::{Change, Direction, Level, Options, Side};
use crate::walk::{join, members};

/// An operation and the direction in which it uses a schema.
pub(super) type Use = (String, Direction);

/// The pairs of schemas under comparison.
pub(super) struct Graph<'a> {
    documents: Documents<'a>,
    pairs: IndexMap<(String, String), Entry>,
}

struct Entry {
    findings: Vec<Finding>,
    leads_to: Vec<usize>,
    uses: IndexSet<Use>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(old: &'a Value, new: &'a Value, options: Options) -> Self {
        Self { documents: Documents { old, new, options }, pairs: IndexMap::new() }
    }

    /// Compares two schemas that `operation` uses in `direction`.
    pub(super) fn compare(&mut self, old: Node, new: Node, operation: &str, direction: Direction) {
        let pair = self.pair(old, new);
        self.pairs[pair].uses.insert((operation.to_owned(), direction));
    }

    /// The index of a pair. Compares it and everything that it references, unless done before.
    fn pair(&mut self, old: Node, new: Node) -> usize {
        let key = (old.pointer.clone(), new.pointer.clone());
        if let Some(index) = self.pairs.get_index_of(&key) {
            return index;
        }
        let entry = Entry { findings: Vec::new(), leads_to: Vec::new(), uses: IndexSet::new() };
        let (index, _) = self.pairs.insert_full(key, entry);
        let mut waiting = VecDeque::from([(index, old, new)]);
        while let Some((index, old, new)) = waiting.pop_front() {
            let pair = compare(&self.documents, &old, &new);
            self.pairs[index].findings = pair.findings;
            for (old, new) in pair.leads_to {
                let key = (old.pointer.clone(), new.pointer.clone());
                let next = self.pairs.get_index_of(&key).unwrap_or_else(|| {
                    let entry = Entry { findings: Vec::new(), leads_to: Vec::new(), uses: IndexSet::new() };
                    let (next, _) = self.pairs.insert_full(key, entry);
                    waiting.push_back((next, old, new));
                    next
                });
                self.pairs[index].leads_to.push(next);
            }
        }
        index
    }

    /// All changes of schemas that operations use, and of named schemas that none uses.
    pub(super) fn finish(mut self) -> Vec<Change> {
        self.spread_uses();
        let mut unused = self.unused_components();
        let mut changes: Vec<Change> = self
            .pairs
            .values()
            .filter(|entry| !entry.uses.is_empty())
            .flat_map(|entry| entry.findings.iter().map(|finding| change(finding, &entry.uses)))
            .collect();
        changes.append(&mut unused);
        changes
    }

    /// Adds the uses of each pair to the pairs that it references.
    fn spread_uses(&mut self) {
        let mut waiting: VecDeque<usize> = (0..self.pairs.len()).collect();
        while let Some(index) = waiting.pop_front() {
            let uses = self.pairs[index].uses.clone();
            for next in self.pairs[index].leads_to.clone() {
                let before = self.pairs[next].uses.len();
                self.pairs[next].uses.extend(uses.iter().cloned());
                if self.pairs[next].uses.len() > before {
                    waiting.push_back(next);
                }
            }
        }
    }

    /// Named schemas that were added, removed, or changed without a use.
    fn unused_components(&mut self) -> Vec<Change> {
        const SCHEMAS: &str = "#/components/schemas";
        let schemas = |document: &Value| -> IndexMap<String, Value> {
            members(&document["components"]["schemas"])
                .map(|(name, schema)| (name.clone(), schema.clone()))
                .collect()
        };
        let (old, new) = (schemas(self.documents.old), schemas(self.documents.new));
        let mut found = Vec::new();
        for name in old.keys().filter(|name| !new.contains_key(*name)) {
            let finding = Finding::new(
                "schema-removed",
                Side::Old,
                &join(SCHEMAS, name),
                format!("schema {name} was removed"),
            )
            .note("generated code loses the type; its uses are listed separately");
            found.push(change(&finding, &IndexSet::new()));
        }
        for name in new.keys().filter(|name| !old.contains_key(*name)) {
            let finding = Finding::new(
                "schema-added",
                Side::New,
                &join(SCHEMAS, name),
                format!("schema {name} is new"),
            );
            found.push(change(&finding, &IndexSet::new()));
        }
        let used: HashSet<String> = self
            .pairs
            .iter()
            .filter(|(_, entry)| !entry.uses.is_empty())
            .map(|((_, new), _)| new.clone())
            .collect();
        for (name, schema) in new {
            let pointer = join(SCHEMAS, &name);
            let Some(before) = old.get(&name).filter(|_| !used.contains(&pointer)) else { continue };
            let pair = self.pair(Node::new(&pointer, before.clone()), Node::new(&pointer, schema));
            found.extend(self.pairs[pair].findings.iter().map(|finding| {
                let mut change = change(finding, &IndexSet::new());
                change.level = Level::Documentation;
                change.note = Some("no operation uses this schema".to_owned());
                change
            }));
        }
        found
    }
}

fn change(finding: &Finding, uses: &IndexSet<Use>) -> Change {
    let mut operations = IndexSet::new();
    let mut directions = Vec::new();
    for (operation, direction) in uses {
        operations.insert(operation.clone());
        directions.push(*direction);
    }
    directions.sort();
    directions.dedup();
    let level_of = |direction: &Direction| match direction {
        Direction::Request => finding.request,
        Direction::Response => finding.response,
    };
    let level = directions.iter().map(level_of).min().unwrap_or(finding.request.max(finding.response));
    let breaks: Vec<Direction> =
        directions.iter().copied().filter(|direction| level_of(direction) == Level::Breaking).collect();
    let mut broken_operations = IndexSet::new();
    for (operation, _) in uses.iter().filter(|(_, direction)| breaks.contains(direction)) {
        broken_operations.insert(operation.clone());
    }
    let counterexample = breaks.iter().find_map(|direction| match direction {
        Direction::Request => finding.request_counterexample.clone(),
        Direction::Response => finding.response_counterexample.clone(),
    });
    Change {
        level,
        rule: finding.rule,
        document: finding.side,
        pointer: finding.pointer.clone(),
        message: finding.message.clone(),
        operations: operations.into_iter().collect(),
        directions,
        breaks,
        broken_operations: broken_operations.into_iter().collect(),
        note: finding.note.clone(),
        counterexample,
        by_containment: finding.by_containment,
    }
}
