//! Decides whether one schema accepts everything that another accepts, and finds counterexamples. The only module that
//! uses the experimental `canonical` module of jsonschema; `None` means unknown.

use std::collections::BTreeMap;

use jsonschema::Draft;
use jsonschema::canonical::{self, CanonicalSchema, Containment};
use serde_json::{Value, json};

use super::sample;
use crate::walk::{join, resolve};

/// `schema` with everything that it references under `$defs`, so that it is self-contained.
pub(super) fn bundled(document: &Value, schema: &Value) -> Value {
    let mut definitions: BTreeMap<String, Option<Value>> = BTreeMap::new();
    let mut alone = rebased(schema, &mut definitions);
    while let Some(reference) =
        definitions.iter().find(|(_, body)| body.is_none()).map(|(reference, _)| reference.clone())
    {
        // Marked before descending: a schema may refer to itself.
        definitions.insert(reference.clone(), Some(json!(true)));
        let body = resolve(document, &reference).map(|target| rebased(target, &mut definitions));
        definitions.insert(reference, Some(body.unwrap_or(json!(true))));
    }
    if !definitions.is_empty() {
        let bodies: serde_json::Map<String, Value> = definitions
            .into_iter()
            .map(|(reference, body)| (key(&reference), body.unwrap_or(json!(true))))
            .collect();
        if alone.is_boolean() {
            alone = json!({});
        }
        alone["$defs"] = Value::Object(bodies);
    }
    alone
}

/// The key of a definition: the last segment if it is unambiguous, or the pointer without slashes.
fn key(reference: &str) -> String {
    match reference.strip_prefix("#/components/schemas/") {
        Some(name) if !name.contains('/') => name.to_owned(),
        _ => reference.replace(['/', '#', '~', '%', '{', '}'], "_"),
    }
}

fn rebased(value: &Value, definitions: &mut BTreeMap<String, Option<Value>>) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(key, _)| !key.starts_with("x-") && *key != "discriminator")
            .map(|(name, value)| match (name.as_str(), value.as_str()) {
                ("$ref", Some(reference)) => {
                    definitions.entry(reference.to_owned()).or_insert(None);
                    (name.clone(), Value::String(join("#/$defs", key(reference))))
                }
                ("example" | "examples" | "default" | "enum" | "const", _) => (name.clone(), value.clone()),
                _ => (name.clone(), rebased(value, definitions)),
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(|item| rebased(item, definitions)).collect(),
        other => other.clone(),
    }
}

fn canonical(schema: &Value) -> Option<CanonicalSchema> {
    canonical::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .offline()
        .canonicalize(schema)
        .ok()
}

/// Whether `wide` accepts everything that `narrow` accepts. Both must be self-contained.
pub(super) fn covers(wide: &Value, narrow: &Value) -> Option<bool> {
    match canonical(wide)?.covers(&canonical(narrow)?).ok()? {
        Containment::Yes => Some(true),
        Containment::No => Some(false),
        Containment::Unknown => None,
    }
}

/// A value that `accepts` accepts and `rejects` rejects: one of `candidates`, or a sample of the difference of the
/// schemas. Checked with a validator. Both schemas must be self-contained.
pub(super) fn counterexample(
    accepts: &Value,
    rejects: &Value,
    candidates: impl IntoIterator<Item = Value>,
) -> Option<Value> {
    let accepting = validator(accepts)?;
    let rejecting = validator(rejects)?;
    let shows = |value: &Value| accepting.is_valid(value) && !rejecting.is_valid(value);
    if let Some(value) = candidates.into_iter().find(&shows) {
        return Some(value);
    }
    let difference = canonical(accepts)?.subtract(&canonical(rejects)?).ok()?.to_json_schema();
    let value = sample::sample(&difference, &difference)?;
    shows(&value).then_some(value)
}

fn validator(schema: &Value) -> Option<jsonschema::Validator> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .offline()
        .build(schema)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_references_including_cycles() {
        let document = json!({"components": {"schemas": {
            "Tree": {"type": "object", "properties": {"left": {"$ref": "#/components/schemas/Tree"},
                "name": {"$ref": "#/components/schemas/Name"}}},
            "Name": {"type": "string"},
            "Other": {"type": "string"},
        }}});
        let alone = bundled(&document, &json!({"$ref": "#/components/schemas/Tree"}));
        assert_eq!(alone["$ref"], "#/$defs/Tree");
        assert_eq!(alone["$defs"]["Tree"]["properties"]["left"]["$ref"], "#/$defs/Tree");
        assert!(alone["$defs"].get("Name").is_some() && alone["$defs"].get("Other").is_none());
    }

    #[test]
    fn compares_schemas_written_differently() {
        let by_type = json!({"type": ["string", "null"]});
        let by_parts = json!({"anyOf": [{"type": "string"}, {"type": "null"}]});
        assert_eq!(covers(&by_type, &by_parts), Some(true));
        assert_eq!(covers(&by_parts, &by_type), Some(true));
        assert_eq!(covers(&json!({"type": "string"}), &by_type), Some(false));
    }

    #[test]
    fn validator_confirms_each_example() {
        let wide = json!({"type": "integer"});
        let narrow = json!({"type": "integer", "minimum": 3});
        let value = counterexample(&wide, &narrow, [json!(5), json!("no")]).expect("a value");
        assert!(value.as_i64().is_some_and(|value| value < 3));
        assert_eq!(counterexample(&narrow, &wide, [json!(5)]), None);
    }
}
