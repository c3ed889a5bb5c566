//! Values for small schemas and for documents of other projects: valid values, boundaries and mutants.

use std::collections::BTreeMap;

use conformance::values::{Cases, Document};
use serde_json::{Value, json};

fn document(schema: Value) -> Document {
    Document::new(json!({ "s": schema })).expect("a document")
}

fn mutants(schema: Value) -> Cases {
    let document = document(schema);
    let schema = document.schema("#/s").expect("a schema");
    let validator = schema.validator().expect("a validator");
    let cases = schema.mutants(None).expect("mutants");
    assert!(cases.cases.iter().all(|mutant| !validator.is_valid(&mutant.value)));
    cases
}

fn broken(schema: Value) -> BTreeMap<String, Vec<Value>> {
    let mut out: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for mutant in mutants(schema).cases {
        out.entry(format!("{} {}", mutant.schema, mutant.instance_path)).or_default().push(mutant.value);
    }
    out
}

#[test]
fn samples_are_valid_and_reproducible() {
    let schemas = [
        json!({ "type": ["string", "null"], "minLength": 2, "maxLength": 3 }),
        json!({ "type": "string", "pattern": "^[a-z]{2}-\\d+$", "maxLength": 8 }),
        json!({ "type": "integer", "exclusiveMinimum": 3, "maximum": 20, "multipleOf": 5 }),
        json!({ "type": "number", "minimum": 0.5, "exclusiveMaximum": 0.75 }),
        json!({ "type": "array", "items": { "enum": ["a", "b", 3] }, "minItems": 2, "uniqueItems": true }),
        json!({ "type": "object", "required": ["a"], "properties": { "a": { "format": "uuid" } }, "additionalProperties": { "type": "integer" } }),
        json!({ "oneOf": [{ "type": "integer", "minimum": 0 }, { "type": "integer", "maximum": 5 }] }),
        json!({ "type": "integer", "minimum": 0, "maximum": 9, "not": { "const": 4 } }),
        json!({ "allOf": [{ "properties": { "a": { "minLength": 3 } } }, { "required": ["a"], "properties": { "a": { "type": "string", "maxLength": 4 } } }] }),
        json!({ "type": "object", "properties": { "a": {}, "b": {} }, "anyOf": [{ "required": ["a"] }, { "required": ["b"] }] }),
        json!({ "type": "object", "properties": { "kind": { "const": "leaf" }, "children": { "type": "array", "items": { "$ref": "#/s" } } }, "required": ["kind", "children"] }),
        json!({ "minProperties": 2, "maxProperties": 3 }),
        json!(true),
    ];
    for schema in schemas {
        let document = document(schema.clone());
        let place = document.schema("#/s").expect("a schema");
        let validator = place.validator().expect("a validator");
        let samples = place.samples(50, 1).expect("samples");
        assert!(samples.iter().all(|value| validator.is_valid(value)), "{schema}");
        assert_eq!(samples, place.samples(50, 1).expect("samples"), "{schema}");
        assert_ne!(samples, place.samples(50, 2).expect("samples"), "{schema}");
        assert!(validator.is_valid(&place.minimal().expect("a plain value")), "{schema}");
    }
}

#[test]
fn optional_members_are_absent_null_or_present() {
    let document =
        document(json!({ "type": "object", "properties": { "a": { "type": ["integer", "null"] } } }));
    let samples = document.schema("#/s").expect("a schema").samples(60, 3).expect("samples");
    assert!(samples.contains(&json!({})));
    assert!(samples.contains(&json!({ "a": null })));
    assert!(samples.iter().any(|value| value["a"].is_i64()));
}

#[test]
fn unsatisfiable_schema_is_an_error_with_its_pointer() {
    for schema in [
        json!({ "type": "integer", "minimum": 3, "maximum": 2 }),
        json!({ "type": "object", "required": ["a"], "properties": { "a": { "$ref": "#/s" } } }),
        json!(false),
        json!({ "allOf": [{ "type": "string" }, { "type": "integer" }] }),
    ] {
        let document = document(schema.clone());
        let error = document.schema("#/s").expect("a schema").samples(1, 0).expect_err("refused");
        assert!(error.to_string().starts_with('#'), "{schema}: {error}");
    }
    let document = document(json!({ "$ref": "#/nowhere" }));
    let error = document.schema("#/s").expect("a schema").minimal().expect_err("refused").to_string();
    assert_eq!(error, "#/s/$ref: #/nowhere: the document has nothing at this pointer");
}

#[test]
fn every_mutant_breaks_exactly_one_keyword() {
    let broken = broken(json!({
        "type": "object",
        "required": ["name", "tags"],
        "additionalProperties": false,
        "properties": {
            "name": { "type": "string", "minLength": 2, "maxLength": 5 },
            "mail": { "type": "string", "format": "email", "maxLength": 254 },
            "code": { "type": "string", "pattern": "^[A-Z]+$" },
            "count": { "type": "integer", "minimum": 1, "exclusiveMaximum": 10 },
            "price": { "type": "number", "multipleOf": 0.25 },
            "tags": { "type": "array", "minItems": 1, "maxItems": 2, "uniqueItems": true, "items": { "enum": ["a", "b", "c"] } },
            "on": { "const": true },
        },
    }));
    let values = |key: &str| broken.get(key).unwrap_or_else(|| panic!("no mutant at {key}: {broken:#?}"));
    assert_eq!(values("#/s/required "), &[json!({ "tags": ["a"] }), json!({ "name": "text" })]);
    assert_eq!(values("#/s/properties/name/minLength /name"), &[json!({ "name": "a", "tags": ["a"] })]);
    assert_eq!(values("#/s/properties/name/maxLength /name"), &[json!({ "name": "abcdef", "tags": ["a"] })]);
    assert_eq!(values("#/s/properties/name/type /name").len(), 2);
    assert_eq!(values("#/s/properties/count/type /count").len(), 3);
    assert_eq!(values("#/s/properties/count/minimum /count")[0]["count"], json!(0));
    assert_eq!(values("#/s/properties/count/exclusiveMaximum /count")[0]["count"], json!(10));
    assert_eq!(values("#/s/properties/tags/minItems /tags")[0]["tags"], json!([]));
    assert_eq!(values("#/s/properties/tags/maxItems /tags")[0]["tags"].as_array().map(Vec::len), Some(3));
    assert_eq!(values("#/s/properties/tags/uniqueItems /tags")[0]["tags"], json!(["a", "a"]));
    assert_eq!(values("#/s/properties/tags/items/enum /tags/0")[1]["tags"], json!(["A"]));
    assert_eq!(values("#/s/properties/on/const /on")[0]["on"], json!(false));
    let mail = values("#/s/properties/mail/maxLength /mail")[0]["mail"].as_str().map(str::len);
    assert_eq!(mail, Some(255));
    for key in [
        "#/s/additionalProperties ",
        "#/s/type ",
        "#/s/properties/code/pattern /code",
        "#/s/properties/price/multipleOf /price",
        "#/s/properties/mail/format /mail",
    ] {
        assert!(!values(key).is_empty());
    }
}

#[test]
fn mutants_break_choices_and_member_rules() {
    let broken = broken(json!({
        "type": "object",
        "properties": { "a": { "anyOf": [{ "type": "integer" }, { "type": "null" }] }, "b": { "type": "boolean" }, "c": { "not": { "const": 1 } } },
        "anyOf": [{ "required": ["a"] }, { "required": ["b"] }],
        "dependentRequired": { "c": ["b"] },
        "maxProperties": 2,
    }));
    assert_eq!(broken["#/s/anyOf "], [json!({})]);
    assert_eq!(broken["#/s/properties/a/anyOf /a"], [json!({ "a": "none of these" })]);
    assert!(
        broken.contains_key("#/s/dependentRequired ") && broken.contains_key("#/s/maxProperties "),
        "{broken:#?}"
    );
}

#[test]
fn mutant_changes_one_place_of_its_base() {
    let document = document(json!({ "type": "object", "required": ["id"], "properties": {
        "id": { "type": "string", "maxLength": 40 }, "note": { "type": "string", "maxLength": 3 } } }));
    let base = json!({ "id": "a real id", "unnamed": [1] });
    let cases = document.schema("#/s").expect("a schema").mutants(Some(&base)).expect("mutants");
    let note = cases
        .cases
        .iter()
        .find(|mutant| mutant.instance_path == "/note" && mutant.keyword == "maxLength")
        .expect("a mutant");
    assert_eq!(note.value, json!({ "id": "a real id", "unnamed": [1], "note": "abcd" }));
    let error =
        document.schema("#/s").expect("a schema").mutants(Some(&json!({}))).expect_err("refused").to_string();
    assert!(error.contains("not valid") && error.contains("\"id\" is a required property"), "{error}");
}

#[test]
fn skipped_keywords_have_a_reason() {
    let cases = mutants(json!({ "type": "object", "properties": {
        "a": { "type": "string", "minLength": 0, "format": "password" },
        "b": { "anyOf": [{ "type": "string" }, true] },
        "c": { "type": "object", "patternProperties": { "^x": true } },
    } }));
    let reasons: Vec<(&str, &str)> =
        cases.skipped.iter().map(|skipped| (skipped.schema.as_str(), skipped.reason.as_str())).collect();
    assert_eq!(
        reasons,
        [
            ("#/s/properties/a/minLength", "there is nothing shorter"),
            ("#/s/properties/a/format", "the format asserts nothing"),
            ("#/s/properties/c/patternProperties", "breaking this keyword is not supported"),
            ("#/s/properties/b/anyOf/0/type", "the rest of the schema allows it"),
            ("#/s/properties/b/anyOf", "the rest of the schema allows it"),
        ]
    );
}

#[test]
fn boundaries_are_valid_and_complete() {
    let document = document(json!({ "type": "object", "required": ["name"], "properties": {
        "name": { "type": "string", "minLength": 2, "maxLength": 4 },
        "count": { "type": ["integer", "null"], "minimum": 0, "maximum": 9 },
        "kind": { "enum": ["x", "y"] },
        "list": { "type": "array", "items": { "type": "boolean" }, "maxItems": 2 },
    } }));
    let schema = document.schema("#/s").expect("a schema");
    let validator = schema.validator().expect("a validator");
    let cases = schema.boundaries(None).expect("boundaries");
    assert!(cases.skipped.is_empty(), "{:?}", cases.skipped);
    let values: Vec<Value> = cases.cases.into_iter().map(|case| case.value).collect();
    assert!(values.iter().all(|value| validator.is_valid(value)));
    for expected in [
        json!({ "name": "ab" }),
        json!({ "name": "abcd" }),
        json!({ "name": "text", "count": 0 }),
        json!({ "name": "text", "count": 9 }),
        json!({ "name": "text", "count": null }),
        json!({ "name": "text", "kind": "x" }),
        json!({ "name": "text", "kind": "y" }),
        json!({ "name": "text", "list": [] }),
        json!({ "name": "text", "list": [false, false] }),
        json!({ "name": "text", "count": 1, "kind": "x", "list": [] }),
    ] {
        assert!(values.contains(&expected), "{expected} is missing in {values:#?}");
    }
}

#[test]
fn reads_schemas_of_other_documents() {
    for text in [
        include_str!("../../xtask/tests/documents/keeper.json"),
        include_str!("../../xtask/tests/documents/museum.json"),
    ] {
        let document = Document::new(serde_json::from_str(text).expect("JSON")).expect("a document");
        let schemas = document.root()["components"]["schemas"].as_object().expect("schemas");
        let mut mutants = 0;
        for name in schemas.keys() {
            let schema = document.schema(&format!("#/components/schemas/{name}")).expect("a schema");
            assert_eq!(schema.samples(8, 1).expect("samples").len(), 8);
            schema.boundaries(None).expect("boundaries");
            let cases = schema.mutants(None).expect("mutants");
            let reasons = cases.skipped.iter().map(|skipped| skipped.reason.as_str());
            assert_eq!(reasons.filter(|reason| *reason != "the format asserts nothing").count(), 0, "{name}");
            mutants += cases.cases.len();
        }
        assert!(mutants > 50, "{mutants}");
    }
}
