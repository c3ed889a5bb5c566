//! Lint rules about schemas: keywords, types, enumerations, required properties, alternatives.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use serde_json::Value;

use super::described::{declared_types, described};
use super::responses::is_untyped;
use super::{Report, words};
use crate::name::snake;
use crate::walk::{
    SchemaNode, elements, follow, is_3_0, join, members, schemas, strings, without_annotations,
};

const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "object", "array", "null"];
/// Keywords that apply to one kind of value only.
const KEYWORD_TYPES: &[(&[&str], &[&str])] = &[
    (&["string"], &["maxLength", "minLength", "pattern"]),
    (&["number", "integer"], &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]),
    (&["array"], &["items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"]),
    (
        &["object"],
        &[
            "properties",
            "patternProperties",
            "additionalProperties",
            "propertyNames",
            "required",
            "minProperties",
            "maxProperties",
        ],
    ),
];
const FORMAT_TYPES: &[(&[&str], &[&str])] = &[
    (&["integer", "number"], &["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]),
    (&["number", "integer"], &["float", "double", "decimal"]),
    (
        &["string"],
        &[
            "date-time",
            "date",
            "time",
            "duration",
            "email",
            "idn-email",
            "hostname",
            "ipv4",
            "ipv6",
            "uri",
            "uri-reference",
            "iri",
            "uuid",
            "password",
            "byte",
            "binary",
            "regex",
        ],
    ),
];
const ONLY_3_1: [&str; 12] = [
    "const",
    "prefixItems",
    "$defs",
    "if",
    "contains",
    "propertyNames",
    "patternProperties",
    "dependentRequired",
    "unevaluatedProperties",
    "contentEncoding",
    "contentMediaType",
    "examples",
];

pub(super) fn check(document: &Value, report: &mut Report) {
    let nodes = schemas(document);
    let old = is_3_0(document);
    for node in &nodes {
        dialect(node, old, report);
        types(node, &nodes, report);
        limits(node, report);
        enumeration(node, old, report);
        required(document, node, &nodes, report);
        property_names(node, report);
        alternatives(node, report);
        words::check(node, report);
        if node.keyword != "schemas"
            && node.parent.is_some()
            && node.value == &Value::Object(Default::default())
        {
            report.add(
                "schema-untyped",
                &node.pointer,
                format!("{} accepts any value", described(node)),
                "add a type, unless this is intended",
            );
        } else if node.keyword == "schemas" && is_untyped(node.value) {
            report.add(
                "schema-untyped",
                &node.pointer,
                format!("{} accepts any properties", described(node)),
                "add properties or a value schema, unless this is intended",
            );
        }
    }
    inline(&nodes, report);
}

fn dialect(node: &SchemaNode<'_>, old: bool, report: &mut Report) {
    let schema = node.value;
    if !old {
        if schema.get("nullable").is_some_and(Value::is_boolean) {
            report.add(
                "nullable-3.1",
                join(&node.pointer, "nullable"),
                format!("{} uses nullable of 3.0, which 3.1 ignores", described(node)),
                r#"write type: [T, "null"]"#,
            );
        }
        for keyword in ["exclusiveMinimum", "exclusiveMaximum"] {
            if schema.get(keyword).is_some_and(Value::is_boolean) {
                report.add(
                    "keyword-3.0",
                    join(&node.pointer, keyword),
                    format!("{keyword} is a boolean, as in 3.0"),
                    "write the limit as a number",
                );
            }
        }
        return;
    }
    let mut found: Vec<&str> = ONLY_3_1.into_iter().filter(|keyword| schema.get(keyword).is_some()).collect();
    if schema["type"].is_array() || schema["type"] == "null" {
        found.push("type");
    }
    for keyword in ["exclusiveMinimum", "exclusiveMaximum"] {
        if schema.get(keyword).is_some_and(Value::is_number) {
            found.push(keyword);
        }
    }
    for keyword in found {
        report.add(
            "keyword-3.1",
            join(&node.pointer, keyword),
            format!("this form of {keyword} is not in 3.0"),
            "use the form of 3.0, or change openapi to 3.1",
        );
    }
}

fn types(node: &SchemaNode<'_>, nodes: &[SchemaNode<'_>], report: &mut Report) {
    let schema = node.value;
    let declared = declared_types(schema);
    for kind in &declared {
        if !TYPES.contains(kind) {
            report.add(
                "type-unknown",
                join(&node.pointer, "type"),
                format!("{} is of type {kind:?}", described(node)),
                format!("use one of {}", TYPES.join(", ")),
            );
        }
    }
    let bad_shape = schema.get("type").is_some_and(|kind| !kind.is_string() && !kind.is_array());
    if bad_shape || (schema["type"].is_array() && declared.is_empty()) {
        report.add(
            "type-unknown",
            join(&node.pointer, "type"),
            "type is neither a string nor a list of strings",
            "write a type name",
        );
    }
    if !declared.is_empty() {
        for (kinds, keywords) in KEYWORD_TYPES {
            if kinds.iter().any(|kind| declared.contains(kind)) {
                continue;
            }
            for keyword in keywords.iter().filter(|keyword| schema.get(**keyword).is_some()) {
                report.add(
                    "keyword-type",
                    join(&node.pointer, keyword),
                    format!("{keyword} does not apply to {}", declared.join(" or ")),
                    format!("remove it, or make the type {}", kinds[0]),
                );
            }
        }
        let format = schema["format"].as_str().unwrap_or_default();
        for (kinds, formats) in FORMAT_TYPES {
            if formats.contains(&format) && !kinds.iter().any(|kind| declared.contains(kind)) {
                report.add(
                    "keyword-type",
                    join(&node.pointer, "format"),
                    format!("format {format} does not apply to {}", declared.join(" or ")),
                    format!("remove it, or make the type {}", kinds[0]),
                );
            }
        }
    } else if schema.get("$ref").is_none() && !is_branch_of_typed(node, nodes) {
        for keyword in ["properties", "items"] {
            if schema.get(keyword).is_some() {
                report.add(
                    "type-missing",
                    &node.pointer,
                    format!("{} has {keyword} but no type, so it accepts other types too", described(node)),
                    if keyword == "items" { "add type: array" } else { "add type: object" },
                );
            }
        }
    }
    if declared.contains(&"array") && schema.get("items").is_none() && schema.get("prefixItems").is_none() {
        report.add(
            "array-without-items",
            &node.pointer,
            format!("{} is an array without items", described(node)),
            "add items",
        );
    }
    let fixed = schema.get("enum").is_some() || schema.get("const").is_some();
    if declared.contains(&"integer") && schema.get("format").is_none() && !fixed {
        report.add(
            "integer-without-format",
            &node.pointer,
            format!("{} is an integer without a format", described(node)),
            "add format: int32 or int64",
        );
    }
}

fn is_branch_of_typed(node: &SchemaNode<'_>, nodes: &[SchemaNode<'_>]) -> bool {
    let mut node = node;
    while let Some(parent) = node.parent.filter(|_| is_branch(node.keyword)) {
        node = &nodes[parent];
        if node.value.get("type").is_some() {
            return true;
        }
    }
    false
}

/// Whether a schema under `keyword` applies to the same value as its parent.
fn is_branch(keyword: &str) -> bool {
    ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"].contains(&keyword)
}

fn limits(node: &SchemaNode<'_>, report: &mut Report) {
    for (low, high) in [
        ("minLength", "maxLength"),
        ("minimum", "maximum"),
        ("minItems", "maxItems"),
        ("minProperties", "maxProperties"),
    ] {
        if let (Some(low_value), Some(high_value)) = (node.value[low].as_f64(), node.value[high].as_f64())
            && low_value > high_value
        {
            report.add(
                "limits-contradict",
                join(&node.pointer, low),
                format!("{low} {low_value} is above {high} {high_value}, so no value is valid"),
                "correct one of them",
            );
        }
    }
}

fn enumeration(node: &SchemaNode<'_>, old: bool, report: &mut Report) {
    let declared = declared_types(node.value);
    let at = join(&node.pointer, "enum");
    if let Some(constant) = node.value.get("const")
        && !declared.is_empty()
        && !fits(constant, &declared)
    {
        report.add(
            "enum-type",
            join(&node.pointer, "const"),
            format!("const {constant} is not of type {}", declared.join(" or ")),
            "correct the value or the type",
        );
    }
    let Some(values) = node.value.get("enum").and_then(Value::as_array) else { return };
    if values.is_empty() {
        report.add("enum-empty", &at, "the enumeration is empty: nothing is valid", "list its values");
    }
    let mut names: HashMap<String, &str> = HashMap::new();
    for (index, value) in values.iter().enumerate() {
        if values[..index].contains(value) {
            report.add("enum-duplicate", join(&at, index), format!("{value} is listed twice"), "remove one");
            continue;
        }
        let null_by_3_0 = old && value.is_null() && node.value["nullable"] == true;
        if !declared.is_empty() && !null_by_3_0 && !fits(value, &declared) {
            report.add(
                "enum-type",
                join(&at, index),
                format!("{value} is not of type {}", declared.join(" or ")),
                "correct the value or the type",
            );
        }
        if let Some(text) = value.as_str()
            && let Some(other) = names.insert(snake(text), text)
        {
            report.add(
                "enum-name-collision",
                join(&at, index),
                format!("{text:?} and {other:?} become the same Rust name"),
                "rename one if clients do not depend on it; otherwise a variant gets a number",
            );
        }
    }
    if declared.contains(&"null") && !values.contains(&Value::Null) {
        report.add(
            "enum-null",
            &at,
            format!("the type of {} allows null, but its enum does not", described(node)),
            "add null to the enum, or remove it from the type",
        );
    }
}

fn fits(value: &Value, types: &[&str]) -> bool {
    types.iter().any(|kind| match *kind {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        // Told about as unknown.
        _ => true,
    })
}

fn required(document: &Value, node: &SchemaNode<'_>, nodes: &[SchemaNode<'_>], report: &mut Report) {
    let wanted: Vec<&str> = strings(&node.value["required"]).collect();
    if wanted.is_empty() {
        return;
    }
    let mut declared = HashSet::new();
    let mut open = false;
    // A branch describes the same object as its parent and the parent's other parts.
    let mut current = node;
    loop {
        property_set(document, current.value, &mut declared, &mut open, 0);
        match current.parent.filter(|_| is_branch(current.keyword)) {
            Some(parent) => current = &nodes[parent],
            None => break,
        }
    }
    for name in wanted {
        if !declared.contains(name) && !open {
            report.add(
                "required-undeclared",
                join(&node.pointer, "required"),
                format!("{name} is required, but not declared"),
                "declare it, or correct the name",
            );
        }
    }
}

/// The properties that a schema and its parts declare; sets `open` if other properties have a schema.
fn property_set<'a>(
    document: &'a Value,
    schema: &'a Value,
    declared: &mut HashSet<&'a str>,
    open: &mut bool,
    depth: usize,
) {
    if depth > 16 {
        return;
    }
    declared.extend(members(&schema["properties"]).map(|(name, _)| name.as_str()));
    *open |= schema["additionalProperties"].as_object().is_some_and(|values| !values.is_empty());
    *open |= schema.get("patternProperties").is_some();
    for keyword in ["allOf", "anyOf", "oneOf"] {
        for part in elements(&schema[keyword]) {
            property_set(document, part, declared, open, depth + 1);
        }
    }
    if schema.get("$ref").is_some()
        && let Some((_, target)) = follow(document, "", schema)
    {
        property_set(document, target, declared, open, depth + 1);
    }
}

fn property_names(node: &SchemaNode<'_>, report: &mut Report) {
    let mut taken: HashMap<String, &str> = HashMap::new();
    for (name, _) in members(&node.value["properties"]) {
        if let Some(other) = taken.insert(snake(name), name) {
            report.add(
                "property-name-collision",
                join(&join(&node.pointer, "properties"), name),
                format!("{name} and {other} become the same Rust name"),
                "rename one of them",
            );
        }
    }
}

fn alternatives(node: &SchemaNode<'_>, report: &mut Report) {
    for keyword in ["anyOf", "oneOf"] {
        let branches: Vec<&Value> = elements(&node.value[keyword]).collect();
        let only_required = |branch: &&Value| {
            branch.get("required").is_some()
                && members(branch)
                    .all(|(key, _)| ["required", "type", "description", "title"].contains(&key.as_str()))
        };
        if !branches.is_empty() && branches.iter().all(only_required) {
            report.add(
                "any-of-required-only",
                join(&node.pointer, keyword),
                format!("the alternatives of {} differ only in `required`", described(node)),
                "use one schema with optional properties and check the rule at the server boundary",
            );
        }
    }
}

fn inline(nodes: &[SchemaNode<'_>], report: &mut Report) {
    let mut same: IndexMap<String, Vec<&SchemaNode<'_>>> = IndexMap::new();
    for node in nodes {
        let is_object =
            node.value.get("properties").is_some() || node.value["additionalProperties"].is_object();
        let is_enum = node.value.get("enum").is_some();
        if !is_object && !is_enum {
            continue;
        }
        let mut form = without_annotations(node.value);
        if let Some(form) = form.as_object_mut() {
            form.remove("default");
        }
        same.entry(form.to_string()).or_default().push(node);
        if node.keyword != "schemas" {
            report.add(
                "schema-inline",
                &node.pointer,
                format!("{} is an inline {}", described(node), if is_enum { "enum" } else { "object" }),
                "move it to components to choose its name",
            );
        }
    }
    for places in same.into_values().filter(|places| places.len() > 1) {
        let named = places.iter().find(|node| node.keyword == "schemas");
        let first = named.unwrap_or(&places[0]);
        for node in places.iter().filter(|node| node.keyword != "schemas" && node.pointer != first.pointer) {
            report.add(
                "schema-inline-duplicate",
                &node.pointer,
                format!("is the same as {}", first.pointer),
                match named {
                    Some(_) => "reference it",
                    None => "move it to components and reference it",
                },
            );
        }
    }
}
