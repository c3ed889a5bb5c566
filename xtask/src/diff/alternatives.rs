//! Compares `anyOf` and `oneOf`: matches the alternatives and classifies added and removed ones.

use std::collections::HashSet;

use super::containment::{bundled, counterexample, covers};
use super::finding::Finding;
use super::sample::sample;
use super::schemas::Comparer;
use super::view::{Node, View};
use super::{Level, Side};
use crate::walk::{resolve, without_annotations};

/// Whether two alternatives correspond to each other.
type Matcher<'f> = &'f dyn Fn(&Node, &Node) -> bool;

impl Comparer<'_, '_> {
    pub(super) fn alternatives(&mut self, old: &View, new: &View) {
        let (before, after) = match (&old.alternatives, &new.alternatives) {
            (None, None) => return,
            (Some((_, before)), Some((_, after))) => (before.clone(), after.clone()),
            (None, Some((_, after))) => match self.only_alternative(Side::Old, old, new) {
                Some(before) => (vec![before], after.clone()),
                None => {
                    self.judge_whole("alternatives-introduced", "must match an alternative", old, new);
                    return;
                }
            },
            (Some((_, before)), None) => match self.only_alternative(Side::New, new, old) {
                Some(after) => (before.clone(), vec![after]),
                None => {
                    self.judge_whole(
                        "alternatives-dropped",
                        "no longer has to match an alternative",
                        old,
                        new,
                    );
                    return;
                }
            },
        };
        let pairs = matched(&before, &after);
        for (old, new) in &pairs {
            self.nodes(&before[*old], &after[*new]);
        }
        let (old_used, new_used): (HashSet<usize>, HashSet<usize>) = pairs.into_iter().unzip();
        for (index, branch) in before.iter().enumerate().filter(|(index, _)| !old_used.contains(index)) {
            self.branch("alternative-removed", Side::Old, branch, new, index);
        }
        for (index, branch) in after.iter().enumerate().filter(|(index, _)| !new_used.contains(index)) {
            self.branch("alternative-added", Side::New, branch, old, index);
        }
    }

    /// The schema as a single alternative, if the other side consists of alternatives only.
    fn only_alternative(&self, side: Side, plain: &View, other: &View) -> Option<Node> {
        let document = match side {
            Side::Old => self.documents.old,
            Side::New => self.documents.new,
        };
        let says = !plain.scalars.is_empty() || !plain.properties.is_empty();
        let bare = other.scalars.is_empty() && other.properties.is_empty() && other.rest.is_empty();
        let value = resolve(document, &plain.pointer)?;
        (says && bare).then(|| Node::new(plain.pointer.clone(), value.clone()))
    }

    /// Reports an added or removed alternative; it is compatible if the others accept its values.
    fn branch(&mut self, rule: &'static str, side: Side, branch: &Node, other: &View, index: usize) {
        let (mine, theirs) = match side {
            Side::Old => (self.documents.old, self.documents.new),
            Side::New => (self.documents.new, self.documents.old),
        };
        let what = branch.reference().map_or_else(
            || branch.value["title"].as_str().map_or_else(|| format!("alternative {index}"), str::to_owned),
            |reference| reference.rsplit('/').next().unwrap_or_default().to_owned(),
        );
        let is_null = branch.value["type"] == "null";
        let (rule, message) = match (side, is_null) {
            (Side::Old, true) => ("null-refused", "may no longer be null".to_owned()),
            (Side::New, true) => ("null-allowed", "may be null".to_owned()),
            (Side::Old, false) => (rule, format!("{what} is no longer an alternative")),
            (Side::New, false) => (rule, format!("{what} is a new alternative")),
        };
        let mut finding = Finding::new(rule, side, &branch.pointer, message);
        finding = if side == Side::Old { finding.narrows() } else { finding.widens() };
        let alone = bundled(mine, &branch.value);
        let whole = resolve(theirs, &other.pointer).map(|value| bundled(theirs, value));
        if let Some(whole) = whole {
            if covers(&whole, &alone) == Some(true) {
                finding = finding.at(Level::Compatible).note("the other alternatives accept its values");
                finding.by_containment = true;
            } else {
                let found = counterexample(&alone, &whole, sample(&alone, &alone));
                match side {
                    Side::Old => finding.request_counterexample = found,
                    Side::New => finding.response_counterexample = found,
                }
            }
        }
        self.pair.record(finding);
    }
}

/// Pairs the alternatives of `before` and `after`: by reference, by equal schema, by title, or by type if each side has
/// only one of that type.
fn matched(before: &[Node], after: &[Node]) -> Vec<(usize, usize)> {
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    let type_of = |node: &Node| node.value.get("type").cloned().unwrap_or_default();
    let lone = |nodes: &[Node], node: &Node| {
        nodes.iter().filter(|other| type_of(other) == type_of(node)).count() == 1
    };
    // The only alternative besides null corresponds to its counterpart.
    let is_null = |node: &Node| node.value["type"] == "null";
    let real = |nodes: &[Node]| nodes.iter().filter(|node| !is_null(node)).count();
    let single = real(before) == 1 && real(after) == 1;
    let matchers: [Matcher<'_>; 5] = [
        &|old, new| old.reference().is_some() && old.reference() == new.reference(),
        &|old, new| without_annotations(&old.value) == without_annotations(&new.value),
        &|old, new| old.value["title"].is_string() && old.value["title"] == new.value["title"],
        &|old, new| {
            old.reference().is_none()
                && new.reference().is_none()
                && type_of(old).is_string()
                && type_of(old) == type_of(new)
                && lone(before, old)
                && lone(after, new)
        },
        &|old, new| single && !is_null(old) && !is_null(new),
    ];
    for matches in matchers {
        for (old_index, old) in before.iter().enumerate() {
            if pairs.iter().any(|(used, _)| *used == old_index) {
                continue;
            }
            let free = |index: &usize| !pairs.iter().any(|(_, used)| used == index);
            if let Some(new_index) = (0..after.len()).filter(free).find(|index| matches(old, &after[*index]))
            {
                pairs.push((old_index, new_index));
            }
        }
    }
    pairs
}
