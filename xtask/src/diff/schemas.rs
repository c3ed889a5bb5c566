//! Compares two schemas: properties, required, items, alternatives. References become pairs of their own; `scalars`
//! compares the keywords about the value itself.

use serde_json::{Value, json};

use super::containment::{bundled, counterexample, covers};
use super::finding::{Documents, Finding, Pair};
use super::message::or_none;
use super::sample::sample;
use super::scalars;
use super::view::{Node, View};
use super::{Level, Side};
use crate::walk::{collect_references, join, members, without_annotations};

/// Compares `old` with `new`, which describe the same value.
pub(super) fn compare(documents: &Documents<'_>, old: &Node, new: &Node) -> Pair {
    let mut comparer = Comparer { documents, pair: Pair::default() };
    comparer.nodes(old, new);
    comparer.pair
}

/// One comparison of two schemas.
pub(super) struct Comparer<'g, 'a> {
    pub(super) documents: &'g Documents<'a>,
    pub(super) pair: Pair,
}

impl Comparer<'_, '_> {
    pub(super) fn nodes(&mut self, old: &Node, new: &Node) {
        let old_target = old.reference().and_then(|reference| Node::target(self.documents.old, reference));
        let new_target = new.reference().and_then(|reference| Node::target(self.documents.new, reference));
        match (old_target, new_target) {
            (Some(old_target), Some(new_target)) => {
                self.annotations(&View::of(self.documents.old, old), &View::of(self.documents.new, new));
                if old_target.pointer != new_target.pointer {
                    self.renamed(&old_target, &new_target);
                }
                self.pair.leads_to.push((old_target, new_target));
                if !old.is_plain_reference() || !new.is_plain_reference() {
                    self.views(
                        &without_reference(self.documents.old, old),
                        &without_reference(self.documents.new, new),
                        false,
                    );
                }
            }
            (Some(target), None) if old.is_plain_reference() => {
                self.pair.leads_to.push((target, new.clone()))
            }
            (None, Some(target)) if new.is_plain_reference() => {
                self.pair.leads_to.push((old.clone(), target))
            }
            (Some(_), None) | (None, Some(_)) => self.merged(old, new),
            (None, None) => {
                let (old_view, new_view) =
                    (View::of(self.documents.old, old), View::of(self.documents.new, new));
                if same_parts(&old_view, &new_view) {
                    for (old, new) in old_view.all_of.iter().zip(&new_view.all_of) {
                        self.nodes(old, new);
                    }
                    self.views(&old_view, &new_view, true);
                } else {
                    self.merged(old, new);
                }
            }
        }
    }

    fn merged(&mut self, old: &Node, new: &Node) {
        self.views(&View::merged(self.documents.old, old), &View::merged(self.documents.new, new), true);
    }

    fn renamed(&mut self, old: &Node, new: &Node) {
        let name = |node: &Node| node.pointer.rsplit('/').next().unwrap_or_default().to_owned();
        let message = format!("schema {} replaces {}", name(new), name(old));
        self.pair.record(
            Finding::new("schema-renamed", Side::New, &new.pointer, message)
                .note("generated types change their name; differences in the schema are listed separately"),
        );
    }

    /// `whole`: the views are complete, so the schemas as written can be compared by containment.
    fn views(&mut self, old: &View, new: &View, whole: bool) {
        self.annotations(old, new);
        let options = self.documents.options;
        if self.same_set(old, new, whole) {
            return;
        }
        // If only one side lists alternatives, the other side is compared with the corresponding alternative.
        let one_sided = old.alternatives.is_some() != new.alternatives.is_some();
        let bare = |view: &View| {
            view.alternatives.is_some() && view.scalars.is_empty() && view.properties.is_empty()
        };
        if one_sided && (bare(old) || bare(new)) {
            self.alternatives(old, new);
            return;
        }
        let documents = (self.documents.old, self.documents.new);
        if !scalars::compare(documents, old, new, options, &mut self.pair) {
            return;
        }
        self.properties(old, new);
        match (&old.items, &new.items) {
            (Some(old), Some(new)) => self.nodes(old, new),
            (None, None) => {}
            (None, Some(items)) => self.pair.record(
                Finding::new("items-introduced", Side::New, &items.pointer, "items have a schema, had none")
                    .narrows(),
            ),
            (Some(items), None) => self.pair.record(
                Finding::new("items-dropped", Side::Old, &items.pointer, "items no longer have a schema")
                    .widens(),
            ),
        }
        self.additional(old, new);
        self.alternatives(old, new);
        self.rest(old, new);
    }

    /// Whether two schemas that are written differently (with a type list and with `anyOf`, say) accept the same values.
    /// Not used for objects, whose properties are compared one by one.
    fn same_set(&mut self, old: &View, new: &View, whole: bool) -> bool {
        let shape =
            |view: &View| view.alternatives.as_ref().map(|(keyword, branches)| (*keyword, branches.len()));
        if !whole || shape(old) == shape(new) || !old.properties.is_empty() || !new.properties.is_empty() {
            return false;
        }
        let (Some(old_schema), Some(new_schema)) = (self.alone(Side::Old, old), self.alone(Side::New, new))
        else {
            return false;
        };
        let same =
            covers(&old_schema, &new_schema) == Some(true) && covers(&new_schema, &old_schema) == Some(true);
        if same {
            let mut finding =
                Finding::new("shape-rewritten", Side::New, &new.pointer, "is written differently")
                    .note("accepts the same values; generated types may change");
            finding.by_containment = true;
            self.pair.record(finding);
        }
        same
    }

    /// The schema of a view with everything that it references.
    fn alone(&self, side: Side, view: &View) -> Option<Value> {
        let document = match side {
            Side::Old => self.documents.old,
            Side::New => self.documents.new,
        };
        Some(bundled(document, crate::walk::resolve(document, &view.pointer)?))
    }

    fn properties(&mut self, old: &View, new: &View) {
        for (name, before) in &old.properties {
            match new.properties.get(name) {
                Some(after) => {
                    self.requirement(name, old, new);
                    self.nodes(before, after);
                }
                None => {
                    let closed = new.additional.as_ref().is_some_and(|node| node.value == json!(false));
                    let mut finding = Finding::new(
                        "property-removed",
                        Side::Old,
                        &before.pointer,
                        format!("{name} was removed"),
                    )
                    .at(Level::Breaking);
                    finding = finding.note(if closed {
                        "requests with it are rejected"
                    } else {
                        "it is ignored in requests and missing from responses"
                    });
                    if before.value["deprecated"] == true {
                        finding = finding.note("it was deprecated before");
                    }
                    self.pair.record(finding);
                }
            }
        }
        for (name, after) in new.properties.iter().filter(|(name, _)| !old.properties.contains_key(*name)) {
            let wanted = new.required.contains(name) && !old.required.contains(name);
            let mut finding = Finding::new(
                if wanted { "required-property-added" } else { "property-added" },
                Side::New,
                &after.pointer,
                format!("{name} is new{}", if wanted { " and required" } else { "" }),
            );
            if wanted {
                finding = finding.narrows();
                finding.request_counterexample = self.lacking(Side::Old, old, new, name);
            }
            self.pair.record(finding);
        }
        // Required by name only, without a declared member on either side.
        let undeclared: Vec<&String> = old
            .required
            .symmetric_difference(&new.required)
            .filter(|name| !old.properties.contains_key(*name) && !new.properties.contains_key(*name))
            .collect();
        for name in undeclared {
            self.requirement(name, old, new);
        }
    }

    fn requirement(&mut self, name: &str, old: &View, new: &View) {
        let finding = match (old.required.contains(name), new.required.contains(name)) {
            (false, true) => {
                let at = join(&new.pointer, "required");
                let mut finding = Finding::new(
                    "became-required",
                    Side::New,
                    &at,
                    format!("{name} is required, was optional"),
                )
                .narrows();
                finding.request_counterexample = self.lacking(Side::Old, old, new, name);
                finding
            }
            (true, false) => {
                let at = join(&old.pointer, "required");
                let mut finding = Finding::new(
                    "became-optional",
                    Side::Old,
                    &at,
                    format!("{name} is optional, was required"),
                )
                .widens();
                finding.response_counterexample = self.lacking(Side::New, old, new, name);
                finding
            }
            _ => return,
        };
        self.pair.record(finding);
    }

    /// An object without `name` that the schema of `side` accepts and the other rejects.
    fn lacking(&self, side: Side, old: &View, new: &View, name: &str) -> Option<Value> {
        let (old_schema, new_schema) = (self.alone(Side::Old, old)?, self.alone(Side::New, new)?);
        let (accepts, refuses) = match side {
            Side::Old => (old_schema, new_schema),
            Side::New => (new_schema, old_schema),
        };
        // What the stricter schema asks for, but for this one member, so that nothing else is at fault.
        let mut candidates = Vec::new();
        for schema in [&refuses, &accepts] {
            if let Some(Value::Object(mut object)) = sample(schema, schema) {
                object.remove(name);
                candidates.push(Value::Object(object));
            }
        }
        counterexample(&accepts, &refuses, candidates)
    }

    fn additional(&mut self, old: &View, new: &View) {
        enum State<'n> {
            Open,
            Closed,
            Typed(&'n Node),
        }
        fn state(node: Option<&Node>) -> State<'_> {
            match node {
                None => State::Open,
                Some(node) if node.value == json!(true) || node.value == json!({}) => State::Open,
                Some(node) if node.value == json!(false) => State::Closed,
                Some(node) => State::Typed(node),
            }
        }
        let (side, holder) = if new.additional.is_some() { (Side::New, new) } else { (Side::Old, old) };
        let at = holder.additional.as_ref().map_or_else(String::new, |node| node.pointer.clone());
        let finding = |rule, message: &str| Finding::new(rule, side, &at, message);
        match (state(old.additional.as_ref()), state(new.additional.as_ref())) {
            (State::Typed(old), State::Typed(new)) => self.nodes(old, new),
            (State::Open, State::Closed) => {
                let finding = finding("members-closed", "other properties are rejected").narrows();
                self.pair.record(finding);
            }
            (State::Closed, State::Open) => {
                let finding = finding("members-opened", "other properties are accepted")
                    .note("clients must ignore unknown properties");
                self.pair.record(finding);
            }
            (State::Open, State::Typed(_)) => {
                let finding = finding("members-typed", "other properties have a schema").narrows();
                self.pair.record(finding);
            }
            (State::Typed(_), State::Open) => {
                let finding = finding("members-untyped", "other properties accept any value").widens();
                self.pair.record(finding);
            }
            (State::Closed, State::Typed(_)) => {
                let finding = finding("members-opened", "other properties are accepted").widens();
                self.pair.record(finding);
            }
            (State::Typed(_), State::Closed) => {
                let finding = finding("members-closed", "other properties are rejected").narrows();
                self.pair.record(finding);
            }
            (State::Open, State::Open) | (State::Closed, State::Closed) => {}
        }
    }

    /// Keywords without a rule: if they differ, the whole schemas are compared by containment.
    fn rest(&mut self, old: &View, new: &View) {
        let mut keywords: Vec<&String> = old.rest.keys().collect();
        keywords.extend(new.rest.keys().filter(|key| !old.rest.contains_key(*key)));
        for keyword in keywords {
            let (before, after) = (old.rest.get(keyword), new.rest.get(keyword));
            let plain = |value: Option<&Value>| value.map(without_annotations);
            if plain(before) == plain(after) {
                // The same words, but what they refer to may have changed.
                self.follow_equal(before);
                continue;
            }
            let message = format!("{keyword} is {}, was {}", or_none(after), or_none(before));
            self.judge_whole("shape-changed", &message, old, new);
        }
    }

    fn follow_equal(&mut self, value: Option<&Value>) {
        let mut references = Vec::new();
        if let Some(value) = value {
            collect_references(value, "", &mut references);
        }
        for (_, reference) in references {
            let old = Node::target(self.documents.old, reference);
            let new = Node::target(self.documents.new, reference);
            if let (Some(old), Some(new)) = (old, new) {
                self.pair.leads_to.push((old, new));
            }
        }
    }

    /// Compares the whole schemas by containment; an unknown result counts as breaking.
    pub(super) fn judge_whole(&mut self, rule: &'static str, message: &str, old: &View, new: &View) {
        let mut finding = Finding::new(rule, Side::New, &new.pointer, message);
        let (Some(old_schema), Some(new_schema)) = (self.alone(Side::Old, old), self.alone(Side::New, new))
        else {
            self.pair.record(
                finding.narrows().widens().note("containment could not be computed: treated as breaking"),
            );
            return;
        };
        let keeps_requests = covers(&new_schema, &old_schema);
        let keeps_responses = covers(&old_schema, &new_schema);
        finding.by_containment = keeps_requests.is_some() && keeps_responses.is_some();
        if keeps_requests != Some(true) {
            finding = finding.narrows();
            finding.request_counterexample =
                counterexample(&old_schema, &new_schema, sample(&old_schema, &old_schema));
        }
        if keeps_responses != Some(true) {
            finding = finding.widens();
            finding.response_counterexample =
                counterexample(&new_schema, &old_schema, sample(&new_schema, &new_schema));
        }
        let proven = |kept: Option<bool>, shown: &Option<Value>| kept.is_some() || shown.is_some();
        if !proven(keeps_requests, &finding.request_counterexample)
            || !proven(keeps_responses, &finding.response_counterexample)
        {
            finding = finding.note("containment is unknown: treated as breaking");
        }
        self.pair.record(finding);
    }

    fn annotations(&mut self, old: &View, new: &View) {
        for (keyword, rule) in
            [("deprecated", "deprecated"), ("readOnly", "read-only"), ("writeOnly", "write-only")]
        {
            let is = |view: &View| view.annotations.get(keyword) == Some(&json!(true));
            let at = join(&new.pointer, keyword);
            let finding = match (keyword, is(old), is(new)) {
                (_, before, after) if before == after => continue,
                ("deprecated", _, true) => {
                    Finding::new(rule, Side::New, &at, "is deprecated").at(Level::Deprecation)
                }
                ("deprecated", ..) => Finding::new(rule, Side::New, &new.pointer, "is no longer deprecated"),
                ("readOnly", _, true) => {
                    let mut finding = Finding::new(rule, Side::New, &at, "may no longer be sent");
                    finding.request = Level::Breaking;
                    finding
                }
                ("writeOnly", _, true) => {
                    let mut finding = Finding::new(rule, Side::New, &at, "is no longer returned");
                    finding.response = Level::Breaking;
                    finding
                }
                _ => Finding::new(rule, Side::New, &new.pointer, format!("is no longer {rule}")),
            };
            self.pair.record(finding);
        }
        let (before, after) = (old.annotations.get("default"), new.annotations.get("default"));
        if before != after {
            let at = if after.is_some() { join(&new.pointer, "default") } else { new.pointer.clone() };
            let message = format!("default is {}, was {}", or_none(after), or_none(before));
            let mut finding = Finding::new("default-changed", Side::New, &at, message)
                .note("requests without it may have a different effect");
            finding.response = Level::Documentation;
            self.pair.record(finding);
        }
        for keyword in ["title", "description", "example", "examples"] {
            let (before, after) = (old.annotations.get(keyword), new.annotations.get(keyword));
            if before != after {
                let at = if after.is_some() { join(&new.pointer, keyword) } else { new.pointer.clone() };
                let how = match (before, after) {
                    (None, _) => "is new",
                    (_, None) => "is gone",
                    _ => "changed",
                };
                let message = format!("{keyword} {how}");
                self.pair.record(
                    Finding::new("description-changed", Side::New, &at, message).at(Level::Documentation),
                );
            }
        }
    }
}

fn without_reference(document: &Value, node: &Node) -> View {
    let mut view = View::of(document, node);
    view.rest.shift_remove("$ref");
    // Annotations were compared before.
    view.annotations.clear();
    view
}

/// Whether both have the same `allOf` parts, so that they can be compared part by part. False if a part lost a property,
/// which may have moved to another part: only the merged objects show that.
fn same_parts(old: &View, new: &View) -> bool {
    let keeps_members = |old: &Node, new: &Node| {
        members(&old.value["properties"]).all(|(name, _)| new.value["properties"].get(name).is_some())
    };
    old.all_of.len() == new.all_of.len()
        && old
            .all_of
            .iter()
            .zip(&new.all_of)
            .all(|(old, new)| old.reference() == new.reference() && keeps_members(old, new))
        && (old.all_of.is_empty() || old.properties.keys().all(|name| new.properties.contains_key(name)))
}
