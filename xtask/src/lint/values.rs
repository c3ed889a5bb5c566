//! Lint rules that need a validator: invalid schemas, patterns, defaults and examples.

use jsonschema::{Draft, Registry};
use serde_json::{Value, json};

use super::Report;
use super::operations::is_json;
use crate::dialect::to_3_1;
use crate::walk::{follow, join, members, schemas};

/// The URI of the document in the validator's registry.
const DOCUMENT: &str = "urn:openapi-document";

pub(super) fn check(document: &Value, report: &mut Report) {
    let converted = to_3_1(document);
    for node in schemas(&converted).iter().filter(|node| node.parent.is_none()) {
        // Other rules check the keywords of 3.0; this checks the schema after its conversion to 3.1.
        if let Err(error) = jsonschema::meta::validate(node.value) {
            let pattern = error.instance_path().as_str().ends_with("/pattern");
            report.add(
                if pattern { "pattern-invalid" } else { "schema-invalid" },
                format!("{}{}", node.pointer, error.instance_path().as_str()),
                format!("is not a valid JSON Schema: {error}"),
                "correct the keyword",
            );
        }
    }
    patterns(&converted, report);
    let Ok(registry) = Registry::new()
        .draft(Draft::Draft202012)
        .add(DOCUMENT, converted.clone())
        .and_then(|builder| builder.prepare())
    else {
        report.add(
            "schema-invalid",
            "#",
            "the validator cannot read the document's schemas",
            "fix the findings about references first",
        );
        return;
    };
    let checker = ExampleChecker { registry: &registry };
    for node in schemas(&converted) {
        for keyword in ["default", "example"] {
            if let Some(value) = node.value.get(keyword) {
                let rule = if keyword == "default" { "default-invalid" } else { "example-invalid" };
                checker.check(rule, &node.pointer, value, &join(&node.pointer, keyword), report);
            }
        }
        if let Some(Value::Array(examples)) = node.value.get("examples") {
            for (index, value) in examples.iter().enumerate() {
                let at = join(&join(&node.pointer, "examples"), index);
                checker.check("example-invalid", &node.pointer, value, &at, report);
            }
        }
    }
    outside(&converted, &converted, "#", &checker, report);
}

fn patterns(document: &Value, report: &mut Report) {
    for node in schemas(document) {
        let Some(pattern) = node.value["pattern"].as_str() else { continue };
        if jsonschema::options().build(&json!({"pattern": pattern})).is_err() {
            report.add(
                "pattern-invalid",
                join(&node.pointer, "pattern"),
                format!("{pattern:?} is not a valid regular expression"),
                "use the syntax of ECMA-262",
            );
        }
    }
}

/// Examples of media types, parameters and headers: `example` or `examples` beside `schema`.
fn outside(
    document: &Value,
    value: &Value,
    pointer: &str,
    checker: &ExampleChecker<'_>,
    report: &mut Report,
) {
    let media =
        pointer.rsplit_once("/content/").map(|(_, media)| media.replace("~1", "/").replace("~0", "~"));
    let readable = media.is_none_or(|media| media.contains('/') && is_json(&media));
    if value.get("schema").is_some() && readable {
        let schema_at = join(pointer, "schema");
        if let Some(example) = value.get("example") {
            checker.check("example-invalid", &schema_at, example, &join(pointer, "example"), report);
        }
        for (name, example) in members(&value["examples"]) {
            let at = join(&join(pointer, "examples"), name);
            if let Some((at, example)) = follow(document, &at, example)
                && let Some(example) = example.get("value")
            {
                checker.check("example-invalid", &schema_at, example, &join(&at, "value"), report);
            }
        }
    }
    for (key, child) in members(value) {
        if !key.starts_with("x-") && !["schema", "schemas", "example", "examples"].contains(&key.as_str()) {
            outside(document, child, &join(pointer, key), checker, report);
        }
    }
    if let Value::Array(items) = value {
        for (index, child) in items.iter().enumerate() {
            outside(document, child, &join(pointer, index), checker, report);
        }
    }
}

struct ExampleChecker<'a> {
    registry: &'a Registry<'a>,
}

impl ExampleChecker<'_> {
    /// Checks `value` at pointer `at` against the schema at pointer `schema`.
    fn check(&self, rule: &str, schema: &str, value: &Value, at: &str, report: &mut Report) {
        let fragment = schema.trim_start_matches('#');
        let reference = json!({"$ref": format!("{DOCUMENT}#{}", percent_encode(fragment))});
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_registry(self.registry)
            .should_validate_formats(true)
            .build(&reference);
        match validator {
            Ok(validator) => {
                if let Err(error) = validator.validate(value) {
                    let place = error.instance_path().as_str();
                    let within = if place.is_empty() { String::new() } else { format!(" at {place}") };
                    report.add(
                        rule,
                        at,
                        format!("is invalid against its schema{within}: {error}"),
                        "correct the value or the schema",
                    );
                }
            }
            Err(error) => report.add(
                "schema-invalid",
                schema,
                format!("cannot be compiled: {error}"),
                "fix the findings about references and patterns first",
            ),
        }
    }
}

/// Escapes characters that are not allowed in a URI fragment, such as braces and spaces.
fn percent_encode(pointer: &str) -> String {
    pointer
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~/$&'()*+,;=:@!?".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
