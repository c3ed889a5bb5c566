//! Tests of each kind of change on a small contract, in both directions: rule, severity, operations, counterexample.

mod operations;
mod schemas;

use serde_json::{Value, json};

use super::{Change, Direction, Level, Options, Report, diff};

/// A contract with one schema for requests (`NewItem`), one for responses (`Item`) and one for both (`Label`).
fn contract() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Store", "version": "1"},
        "servers": [{"url": "https://one.example/api"}],
        "paths": {
            "/items": {
                "get": {
                    "operationId": "listItems",
                    "security": [{"Key": []}],
                    "x-store-scopes": ["items:read"],
                    "parameters": [
                        {"$ref": "#/components/parameters/Limit"},
                        {"name": "q", "in": "query", "schema": {"type": "string"}},
                    ],
                    "responses": {
                        "200": {
                            "description": "Items.",
                            "headers": {"X-Count": {"required": true, "schema": {"type": "integer"}}},
                            "content": {
                                "application/json": {"schema": {
                                    "type": "array", "items": {"$ref": "#/components/schemas/Item"},
                                }},
                                "text/csv": {"schema": {"type": "string"}},
                            },
                        },
                        "4XX": {"description": "No."},
                    },
                },
                "post": {
                    "operationId": "createItem",
                    "security": [{"Key": []}],
                    "requestBody": {"required": true, "content": {"application/json": {
                        "schema": {"$ref": "#/components/schemas/NewItem"},
                    }}},
                    "responses": {"201": {"description": "Made.", "content": {"application/json": {
                        "schema": {"$ref": "#/components/schemas/Item"},
                    }}}},
                },
            },
            "/labels/{label}": {"put": {
                "operationId": "putLabel",
                "parameters": [
                    {"name": "label", "in": "path", "required": true, "schema": {"type": "string"}},
                    {"$ref": "#/components/parameters/Limit"},
                ],
                "requestBody": {"content": {"application/json": {
                    "schema": {"$ref": "#/components/schemas/Label"},
                }}},
                "responses": {"200": {"description": "Put.", "content": {"application/json": {
                    "schema": {"$ref": "#/components/schemas/Label"},
                }}}},
            }},
        },
        "components": {
            "securitySchemes": {
                "Key": {"type": "http", "scheme": "bearer"},
                "Cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
            },
            "parameters": {"Limit": {
                "name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100},
            }},
            "schemas": {
                "NewItem": {
                    "type": "object", "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "maxLength": 20},
                        "kind": {"type": "string", "enum": ["small", "large"]},
                        "count": {"type": "integer", "format": "int64", "minimum": 0},
                        "tags": {"type": "array", "items": {"type": "string"}},
                    },
                },
                "Item": {
                    "type": "object", "required": ["id", "name"],
                    "properties": {
                        "id": {"type": "string"},
                        "name": {"type": "string", "maxLength": 20},
                        "kind": {"type": "string", "enum": ["small", "large"]},
                        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
                    },
                },
                "Label": {"type": "object", "properties": {"text": {"type": "string"}}},
            },
        },
    })
}

/// Sets the member at `pointer/name`.
fn set(document: &mut Value, pointer: &str, name: &str, value: Value) {
    document.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}"))[name] = value;
}

/// Removes the member at `pointer/name`.
fn unset(document: &mut Value, pointer: &str, name: &str) {
    let parent = document.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}"));
    parent.as_object_mut().unwrap().remove(name).unwrap_or_else(|| panic!("{pointer}/{name}"));
}

/// The contract before and after an edit.
fn edited(edit: impl Fn(&mut Value)) -> (Value, Value) {
    let (before, mut after) = (contract(), contract());
    edit(&mut after);
    assert_ne!(before, after, "the edit does nothing");
    (before, after)
}

/// What an edit is called and what it means: forwards, then undone.
struct Case {
    edit: fn(&mut Value),
    forwards: (&'static str, Level),
    backwards: (&'static str, Level),
}

fn check(name: &str, case: &Case) {
    let (before, after) = edited(case.edit);
    for (way, old, new, expected) in
        [("forwards", &before, &after, case.forwards), ("backwards", &after, &before, case.backwards)]
    {
        let report = diff(old, new, Options::default());
        let worst = report.changes.first().map(|change| (change.rule, change.level));
        assert_eq!(worst, Some(expected), "{name} {way}: {:#?}", report.changes);
        for change in &report.changes {
            let document = if change.document == super::Side::Old { old } else { new };
            assert!(crate::walk::resolve(document, &change.pointer).is_some(), "{name}: {change:#?}");
        }
    }
}

/// The only change of a report.
fn only(report: &Report) -> &Change {
    let [change] = &report.changes[..] else { panic!("{:#?}", report.changes) };
    change
}

#[test]
fn document_equals_itself() {
    assert_eq!(diff(&contract(), &contract(), Options::default()), Report::default());
    let published = crate::source::read_document(&crate::source::root().join("openapi.json")).unwrap();
    assert_eq!(diff(&published, &published, Options::default()), Report::default());
}

#[test]
fn overlay_changes_are_classified() {
    let inputs = crate::source::Inputs { contract: None, overlay: None, settings: None };
    let source = crate::source::load(&inputs).unwrap();
    let report = diff(&source.published, &source.effective, Options::default());
    let at = |pointer: &str, rule: &str| {
        let found = report.changes.iter().find(|change| change.pointer == pointer && change.rule == rule);
        found.unwrap_or_else(|| panic!("{rule} at {pointer}"))
    };
    // 3.1 did not allow null; now it may be returned. Accepting it in requests is compatible.
    let returned = at("#/components/schemas/OwnerClient/properties/name/type", "null-allowed");
    assert_eq!((returned.level, returned.counterexample.clone()), (Level::Breaking, Some(Value::Null)));
    let sent =
        at("#/components/schemas/AssignConversationRequest/properties/assignedAgentId/type", "null-allowed");
    assert_eq!((sent.level, &sent.directions[..]), (Level::Compatible, &[Direction::Request][..]));
    assert!(report.changes.iter().any(|change| change.rule == "scope-added"));
    assert!(!report.changes.iter().any(|change| change.rule == "operation-removed"));
}

#[test]
fn compares_3_0_with_its_3_1_translation() {
    let mut old = contract();
    old["openapi"] = json!("3.0.3");
    let text = json!({"type": "string", "nullable": true});
    set(&mut old, "/components/schemas/Label/properties", "text", text);
    let mut new = contract();
    set(&mut new, "/components/schemas/Label/properties", "text", json!({"type": ["string", "null"]}));
    assert_eq!(diff(&old, &new, Options::default()), Report::default());
}

#[test]
fn reports_shared_changes_once() {
    let (old, new) = edited(|d| set(d, "/components/parameters/Limit/schema", "maximum", json!(50)));
    let report = diff(&old, &new, Options::default());
    let change = only(&report);
    assert_eq!(change.operations, ["listItems", "putLabel"]);
    assert_eq!(change.pointer, "#/components/parameters/Limit/schema/maximum");
    assert_eq!(change.counterexample, Some(json!(51)));
    let (old, new) = edited(|d| set(d, "/components/parameters/Limit", "required", json!(true)));
    let report = diff(&old, &new, Options::default());
    assert_eq!(only(&report).operations, ["listItems", "putLabel"]);
}

#[test]
fn groups_text_by_operation_and_component() {
    let (old, new) = edited(|d| {
        set(d, "/components/schemas/Item/properties/name", "maxLength", json!(30));
        unset(d, "/paths/~1items/get/parameters/1", "schema");
        set(d, "/paths/~1items/get/parameters/1", "schema", json!({"type": "string", "maxLength": 3}));
        set(d, "/paths/~1items/get", "description", json!("Items, that is."));
    });
    let report = diff(&old, &new, Options::default());
    let text = super::text::render(&report, false);
    assert_eq!(
        text,
        "listItems\n  \
           breaking    limit-tightened  #/paths/~1items/get/parameters/1/schema/maxLength: \
             maxLength is 3, was not limited\n              no longer accepted: \"aaaa\"\n\
         \nschema Item\n  \
           breaking    limit-loosened  #/components/schemas/Item/properties/name/maxLength: \
             maxLength is 30, was 20\n              \
             breaks responses of listItems, createItem\n              \
             newly possible: \"aaaaaaaaaaaaaaaaaaaaa\"\n\n"
    );
    assert!(super::text::render(&report, true).contains("docs        description-changed"));
    assert_eq!(super::text::summary(&report), "2 breaking, 0 deprecated, 0 compatible, 1 documentation only");
}

#[test]
fn malformed_documents_do_not_panic() {
    let odd = [
        json!({}),
        json!({"openapi": "3.1.0", "paths": [], "components": 3}),
        json!({"openapi": "3.1.0", "paths": {"/a": {"get": {"parameters": [{"$ref": "#/nowhere"}], "responses": {"200": {
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}}}}},
            "components": {"schemas": {"A": {"$ref": "#/components/schemas/A"}}}}),
        json!({"openapi": "3.1.0", "paths": {"/a": {"get": {"responses": {"200": {
            "content": {"application/json": {"schema": {"type": 4, "enum": {}, "items": [], "allOf": [true, false, 1]}}}}}}}}}),
    ];
    for old in &odd {
        for new in &odd {
            let _ = diff(old, new, Options::default());
        }
    }
}
