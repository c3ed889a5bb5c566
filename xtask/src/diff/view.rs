//! A schema split into parts for comparison: value keywords, properties, alternatives, annotations. Can merge `allOf` and
//! follow references, so that equivalent objects compare as equal.

use std::collections::{BTreeSet, HashSet};

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::walk::{elements, join, members, resolve, strings};

/// A schema and its pointer.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// JSON pointer.
    pub(super) pointer: String,
    /// The schema.
    pub(super) value: Value,
}

impl Node {
    pub(super) fn new(pointer: impl Into<String>, value: Value) -> Self {
        Self { pointer: pointer.into(), value }
    }

    /// The target of a local reference.
    pub(super) fn target(document: &Value, reference: &str) -> Option<Self> {
        Some(Self::new(reference, resolve(document, reference)?.clone()))
    }

    /// Its `$ref`, if it has one.
    pub(super) fn reference(&self) -> Option<&str> {
        self.value.get("$ref").and_then(Value::as_str)
    }

    /// Whether it is only a reference, apart from annotations.
    pub(super) fn is_plain_reference(&self) -> bool {
        let word = |key: &str| ["$ref", "description", "title"].contains(&key) || key.starts_with("x-");
        self.reference().is_some() && members(&self.value).all(|(key, _)| word(key))
    }
}

/// Whether a keyword has no influence on which values are accepted.
pub(super) fn is_annotation(keyword: &str) -> bool {
    // `nullable` has no meaning in 3.1; documents of 3.0 were converted.
    const ANNOTATIONS: [&str; 14] = [
        "$comment",
        "$id",
        "$schema",
        "default",
        "deprecated",
        "description",
        "example",
        "examples",
        "externalDocs",
        "nullable",
        "readOnly",
        "title",
        "writeOnly",
        "xml",
    ];
    ANNOTATIONS.contains(&keyword) || keyword.starts_with("x-")
}

/// Upper limits: a smaller number accepts less.
pub(super) const UPPER: [&str; 5] = ["maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties"];
/// Lower limits: a larger number accepts less.
pub(super) const LOWER: [&str; 5] = ["minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties"];

/// A schema split into parts.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// JSON pointer.
    pub(super) pointer: String,
    /// Keywords about the value itself: type, enum, limits, format, pattern …
    pub(super) scalars: Map<String, Value>,
    /// Declared properties.
    pub(super) properties: IndexMap<String, Node>,
    /// Names of required properties.
    pub(super) required: BTreeSet<String>,
    /// The schema of array items.
    pub(super) items: Option<Node>,
    /// The schema of undeclared properties.
    pub(super) additional: Option<Node>,
    /// Parts of `allOf`, unless merged.
    pub(super) all_of: Vec<Node>,
    /// Alternatives with the keyword that lists them.
    pub(super) alternatives: Option<(&'static str, Vec<Node>)>,
    /// All other keywords that constrain values.
    pub(super) rest: Map<String, Value>,
    /// Descriptions, examples and the like.
    pub(super) annotations: Map<String, Value>,
}

const SCALARS: [&str; 7] = ["type", "enum", "const", "format", "pattern", "multipleOf", "uniqueItems"];

impl View {
    /// Splits `node` as written.
    pub(super) fn of(document: &Value, node: &Node) -> Self {
        let mut view = Self { pointer: node.pointer.clone(), ..Self::default() };
        view.absorb(document, node, None);
        view
    }

    /// Splits `node` with references resolved and `allOf` merged.
    pub(super) fn merged(document: &Value, node: &Node) -> Self {
        let mut view = Self { pointer: node.pointer.clone(), ..Self::default() };
        view.absorb(document, node, Some(&mut HashSet::new()));
        view
    }

    /// `merging` has the references that are already merged, so that cycles end.
    fn absorb(&mut self, document: &Value, node: &Node, mut merging: Option<&mut HashSet<String>>) {
        if node.value == Value::Bool(false) {
            self.rest.insert("not".to_owned(), json!({}));
        }
        // Annotations beside a reference override those of its target.
        for (key, value) in members(&node.value).filter(|(key, _)| is_annotation(key)) {
            self.annotations.entry(key).or_insert_with(|| value.clone());
        }
        for (key, value) in members(&node.value).filter(|(key, _)| !is_annotation(key)) {
            let at = join(&node.pointer, key);
            match key.as_str() {
                "$ref" => {
                    let reference = value.as_str().unwrap_or_default();
                    match (merging.as_deref_mut(), Node::target(document, reference)) {
                        (Some(merged), Some(target)) => {
                            if merged.insert(reference.to_owned()) {
                                self.absorb(document, &target, Some(merged));
                            }
                        }
                        _ => self.keep_rest(key, value),
                    }
                }
                "allOf" => {
                    for (index, part) in elements(value).enumerate() {
                        let part = Node::new(join(&at, index), part.clone());
                        match merging.as_deref_mut() {
                            Some(merged) => self.absorb(document, &part, Some(merged)),
                            None => self.all_of.push(part),
                        }
                    }
                }
                "properties" => {
                    for (name, property) in members(value) {
                        let property = Node::new(join(&at, name), property.clone());
                        merge_node(self.properties.entry(name.clone()), property);
                    }
                }
                "required" => self.required.extend(strings(value).map(str::to_owned)),
                "items" => merge_option(&mut self.items, Node::new(at, value.clone())),
                "additionalProperties" => merge_option(&mut self.additional, Node::new(at, value.clone())),
                "anyOf" | "oneOf" => {
                    let keyword = if key == "anyOf" { "anyOf" } else { "oneOf" };
                    let branches = elements(value)
                        .enumerate()
                        .map(|(index, branch)| Node::new(join(&at, index), branch.clone()))
                        .collect();
                    if self.alternatives.is_none() {
                        self.alternatives = Some((keyword, branches));
                    } else {
                        self.keep_rest("allOf", &json!([{ keyword: value }]));
                    }
                }
                key if SCALARS.contains(&key) || UPPER.contains(&key) || LOWER.contains(&key) => {
                    self.keep_scalar(key, value);
                }
                key => self.keep_rest(key, value),
            }
        }
    }

    fn keep_rest(&mut self, key: &str, value: &Value) {
        match (self.rest.get_mut(key), value) {
            (Some(Value::Array(kept)), Value::Array(more)) => kept.extend(more.iter().cloned()),
            _ => {
                self.rest.insert(key.to_owned(), value.clone());
            }
        }
    }

    /// Adds a keyword. If another part has it too, the tighter value applies.
    fn keep_scalar(&mut self, key: &str, value: &Value) {
        let Some(kept) = self.scalars.get(key) else {
            self.scalars.insert(key.to_owned(), value.clone());
            return;
        };
        if kept == value {
            return;
        }
        let tighter = match (key, kept.as_f64(), value.as_f64()) {
            (key, Some(kept), Some(more)) if UPPER.contains(&key) => Some(more < kept),
            (key, Some(kept), Some(more)) if LOWER.contains(&key) => Some(more > kept),
            _ => None,
        };
        match tighter {
            Some(true) => {
                self.scalars.insert(key.to_owned(), value.clone());
            }
            Some(false) => {}
            None if key == "type" || key == "enum" => {
                let more = as_list(value);
                let both: Vec<Value> = as_list(kept).into_iter().filter(|one| more.contains(one)).collect();
                self.scalars.insert(key.to_owned(), Value::Array(both));
            }
            None => self.keep_rest("allOf", &json!([{ key: value }])),
        }
    }

    /// The types it accepts; `None` for any.
    pub(super) fn types(&self) -> Option<Vec<String>> {
        let types: Vec<String> =
            as_list(self.scalars.get("type")?).iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Some(types)
    }

    /// The values listed by `enum` or `const`.
    pub(super) fn listed_values(&self) -> Option<Vec<Value>> {
        match self.scalars.get("const") {
            Some(constant) => Some(vec![constant.clone()]),
            None => self.scalars.get("enum")?.as_array().cloned(),
        }
    }

    /// The keywords about the value itself, as a schema.
    pub(super) fn scalar_schema(&self) -> Value {
        Value::Object(self.scalars.clone())
    }
}

fn as_list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

fn merge_option(kept: &mut Option<Node>, more: Node) {
    match kept {
        Some(kept) => both(kept, more),
        None => *kept = Some(more),
    }
}

fn merge_node(entry: indexmap::map::Entry<'_, String, Node>, more: Node) {
    match entry {
        indexmap::map::Entry::Occupied(mut kept) => both(kept.get_mut(), more),
        indexmap::map::Entry::Vacant(place) => {
            place.insert(more);
        }
    }
}

/// Combines two schemas with `allOf`.
fn both(kept: &mut Node, more: Node) {
    if kept.value != more.value {
        kept.value = json!({"allOf": [kept.value, more.value]});
    }
}
