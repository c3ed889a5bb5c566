//! Generates a simple value that a schema probably accepts. The caller validates it; `None` if there is no simple one.

use serde_json::{Map, Value, json};

use super::view::{Node, View};

/// A value for `schema`, whose references resolve in `document`.
pub(super) fn sample(document: &Value, schema: &Value) -> Option<Value> {
    of(document, schema, 0)
}

fn of(document: &Value, schema: &Value, depth: usize) -> Option<Value> {
    if depth > 12 {
        return None;
    }
    if schema == &Value::Bool(false) {
        return None;
    }
    let view = View::merged(document, &Node::new("", schema.clone()));
    if let Some(values) = view.listed_values() {
        return values.into_iter().next();
    }
    for keyword in ["example", "default"] {
        if let Some(value) = view.annotations.get(keyword) {
            return Some(value.clone());
        }
    }
    if let Some((_, branches)) = &view.alternatives {
        return branches.iter().find_map(|branch| {
            // The value must match the branch and the keywords beside it.
            let mut together = schema.as_object().cloned().unwrap_or_default();
            together.remove("anyOf");
            together.remove("oneOf");
            let together = json!({"allOf": [Value::Object(together), branch.value]});
            let view = View::merged(document, &Node::new("", together.clone()));
            // Nested alternatives are followed to a limited depth.
            if view.alternatives.is_some() && depth > 4 { None } else { of(document, &together, depth + 1) }
        });
    }
    let types = view.types();
    let has = |kind: &str| types.as_ref().is_some_and(|types| types.iter().any(|one| one == kind));
    let is_object = has("object") || (types.is_none() && !view.properties.is_empty());
    if is_object || !view.required.is_empty() {
        object(document, &view, depth)
    } else if has("array") {
        array(document, &view, depth)
    } else if has("string") {
        string(&view)
    } else if has("integer") || has("number") {
        number(&view, has("integer"))
    } else if has("boolean") {
        Some(json!(true))
    } else if has("null") {
        Some(Value::Null)
    } else if types.is_none() {
        Some(json!({}))
    } else {
        None
    }
}

fn object(document: &Value, view: &View, depth: usize) -> Option<Value> {
    let mut made = Map::new();
    for name in &view.required {
        let value = match (view.properties.get(name), &view.additional) {
            (Some(property), _) => of(document, &property.value, depth + 1)?,
            (None, Some(additional)) => of(document, &additional.value, depth + 1)?,
            (None, None) => json!("value"),
        };
        made.insert(name.clone(), value);
    }
    Some(Value::Object(made))
}

fn array(document: &Value, view: &View, depth: usize) -> Option<Value> {
    let least = view.scalars.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(100);
    let mut made = Vec::new();
    for _ in 0..least {
        made.push(match &view.items {
            Some(items) => of(document, &items.value, depth + 1)?,
            None => json!(made.len()),
        });
    }
    Some(Value::Array(made))
}

fn string(view: &View) -> Option<Value> {
    let formatted = match view.scalars.get("format").and_then(Value::as_str) {
        Some("date-time") => "2030-01-02T03:04:05Z",
        Some("date") => "2030-01-02",
        Some("time") => "03:04:05Z",
        Some("email" | "idn-email") => "someone@example.com",
        Some("uri" | "uri-reference" | "iri") => "https://example.com/",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        Some("ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        Some("hostname") => "example.com",
        _ => "",
    };
    if !formatted.is_empty() {
        return Some(json!(formatted));
    }
    let least = view.scalars.get("minLength").and_then(Value::as_u64).unwrap_or(0);
    let most = view.scalars.get("maxLength").and_then(Value::as_u64).unwrap_or(u64::MAX);
    string_of(least.max(most.min(5)))
}

/// A string of `length` letters, up to 100,000.
pub(super) fn string_of(length: u64) -> Option<Value> {
    let length = usize::try_from(length).ok().filter(|length| *length <= 100_000)?;
    Some(Value::String("a".repeat(length)))
}

fn number(view: &View, whole: bool) -> Option<Value> {
    let limit = |key: &str| view.scalars.get(key).and_then(Value::as_f64);
    let step = limit("multipleOf").filter(|step| *step > 0.0).unwrap_or(if whole { 1.0 } else { 0.5 });
    let value = if let Some(minimum) = limit("minimum") {
        (minimum / step).ceil() * step
    } else if let Some(minimum) = limit("exclusiveMinimum") {
        ((minimum / step).floor() + 1.0) * step
    } else if let Some(maximum) = limit("maximum") {
        (maximum / step).floor() * step
    } else if let Some(maximum) = limit("exclusiveMaximum") {
        ((maximum / step).ceil() - 1.0) * step
    } else {
        0.0
    };
    number_of(value)
}

/// A number as JSON, without a fraction where it has none.
pub(super) fn number_of(value: f64) -> Option<Value> {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        // The bounds above keep the cast exact.
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
        return Some(json!(value as i64));
    }
    serde_json::Number::from_f64(value).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_valid() {
        let document = json!({"components": {"schemas": {"Name": {"type": "string", "minLength": 7}}}});
        for schema in [
            json!({"type": "object", "required": ["a", "b"], "properties": {
                "a": {"$ref": "#/components/schemas/Name"}, "b": {"type": "integer", "exclusiveMinimum": 4}}}),
            json!({"allOf": [{"type": "object", "properties": {"a": {"const": 3}}}, {"required": ["a"]}]}),
            json!({"type": "object", "properties": {"a": {"type": "null"}, "b": {}},
                "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}),
            json!({"type": "array", "minItems": 2, "items": {"enum": ["x", "y"]}}),
            json!({"type": "string", "format": "date-time"}),
            json!({"type": "number", "maximum": -2, "multipleOf": 0.75}),
        ] {
            let value = sample(&document, &schema).expect("a value");
            let alone = super::super::containment::bundled(&document, &schema);
            assert!(jsonschema::is_valid(&alone, &value), "{schema}: {value}");
        }
        assert_eq!(sample(&document, &json!(false)), None);
        // A recursive schema has no finite sample.
        let endless = json!({"components": {"schemas": {"A": {"type": "object", "required": ["a"],
            "properties": {"a": {"$ref": "#/components/schemas/A"}}}}}});
        assert_eq!(sample(&endless, &json!({"$ref": "#/components/schemas/A"})), None);
    }
}
