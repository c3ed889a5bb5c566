//! Changes of schemas: direction, containment, witnesses, references.

use serde_json::{Value, json};

use super::Level::{Breaking, Compatible, Deprecation, Documentation};
use super::{Case, Direction, Options, check, contract, diff, edited, only, set, unset};

const SENT: &str = "/components/schemas/NewItem";
const ANSWERED: &str = "/components/schemas/Item";

/// An edit of a property that narrows what it accepts; the value that only the wider one accepts.
type Narrowing = (&'static str, Value, Value, Value);

#[test]
fn narrowing_breaks_requests_and_widening_breaks_responses() {
    let text = || json!({"type": "string"});
    let cases: Vec<Narrowing> = vec![
        ("limit-tightened", text(), json!({"type": "string", "maxLength": 3}), json!("aaaa")),
        ("limit-tightened", text(), json!({"type": "string", "minLength": 3}), json!("aa")),
        ("limit-tightened", json!({"type": "integer"}), json!({"type": "integer", "maximum": 7}), json!(8)),
        (
            "limit-tightened",
            json!({"type": "number"}),
            json!({"type": "number", "exclusiveMinimum": 0}),
            json!(0),
        ),
        (
            "limit-tightened",
            json!({"type": "array", "items": {"type": "boolean"}}),
            json!({"type": "array", "items": {"type": "boolean"}, "maxItems": 1}),
            json!([true, true]),
        ),
        (
            "limit-tightened",
            json!({"type": "object", "additionalProperties": {"type": "integer"}}),
            json!({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1}),
            json!({}),
        ),
        (
            "keyword-changed",
            json!({"type": "array", "items": {"const": 4}}),
            json!({"type": "array", "items": {"const": 4}, "uniqueItems": true}),
            json!([4, 4]),
        ),
        ("keyword-changed", text(), json!({"type": "string", "pattern": "^[a-z]+$"}), json!("")),
        (
            "keyword-changed",
            json!({"type": "integer", "multipleOf": 2}),
            json!({"type": "integer", "multipleOf": 4}),
            json!(2),
        ),
        ("null-refused", json!({"type": ["string", "null"]}), text(), Value::Null),
        ("null-refused", json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), text(), Value::Null),
        ("type-changed", json!({"type": "number"}), json!({"type": "integer"}), json!(0.5)),
        ("format-changed", text(), json!({"type": "string", "format": "email"}), json!("text")),
        ("enum-introduced", text(), json!({"type": "string", "enum": ["a"]}), json!("some other value")),
        (
            "alternative-removed",
            json!({"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}]}),
            json!({"oneOf": [{"type": "string"}, {"type": "boolean"}]}),
            json!(0),
        ),
    ];
    for (rule, wide, narrow, value) in cases {
        for (schema, breaks_when_narrowed) in [(SENT, true), (ANSWERED, false)] {
            let with = |property: &Value| {
                let mut document = contract();
                set(&mut document, &format!("{schema}/properties"), "extra", property.clone());
                document
            };
            for narrowed in [true, false] {
                let (old, new) = if narrowed { (&wide, &narrow) } else { (&narrow, &wide) };
                let report = diff(&with(old), &with(new), Options::default());
                let change = only(&report);
                let breaks = narrowed == breaks_when_narrowed;
                let context = format!("{rule} in {schema}, narrowed: {narrowed}: {change:#?}");
                assert_eq!(change.level, if breaks { Breaking } else { Compatible }, "{context}");
                if narrowed {
                    assert_eq!(change.rule, rule, "{context}");
                }
                assert_eq!(change.counterexample, breaks.then(|| value.clone()), "{context}");
                assert!(change.pointer.starts_with(&format!("#{schema}/properties/extra")), "{context}");
            }
        }
    }
}

#[test]
fn compares_properties_and_required() {
    let cases = [
        (
            "optional member of a request",
            Case {
                edit: |d| set(d, &format!("{SENT}/properties"), "note", json!({"type": "string"})),
                forwards: ("property-added", Compatible),
                backwards: ("property-removed", Breaking),
            },
        ),
        (
            "member of a response",
            Case {
                edit: |d| unset(d, &format!("{ANSWERED}/properties"), "kind"),
                forwards: ("property-removed", Breaking),
                backwards: ("property-added", Compatible),
            },
        ),
        (
            "required in a request",
            Case {
                edit: |d| set(d, SENT, "required", json!(["name", "kind"])),
                forwards: ("became-required", Breaking),
                backwards: ("became-optional", Compatible),
            },
        ),
        (
            "required in a response",
            Case {
                edit: |d| set(d, ANSWERED, "required", json!(["id", "name", "kind"])),
                forwards: ("became-required", Compatible),
                backwards: ("became-optional", Breaking),
            },
        ),
        (
            "new and required in a request",
            Case {
                edit: |d| {
                    set(d, &format!("{SENT}/properties"), "note", json!({"type": "string"}));
                    set(d, SENT, "required", json!(["name", "note"]));
                },
                forwards: ("required-property-added", Breaking),
                backwards: ("property-removed", Breaking),
            },
        ),
        (
            "new and required in a response",
            Case {
                edit: |d| {
                    set(d, &format!("{ANSWERED}/properties"), "note", json!({"type": "string"}));
                    set(d, ANSWERED, "required", json!(["id", "name", "note"]));
                },
                forwards: ("required-property-added", Compatible),
                backwards: ("property-removed", Breaking),
            },
        ),
        (
            "other members refused",
            Case {
                edit: |d| set(d, SENT, "additionalProperties", json!(false)),
                forwards: ("members-closed", Breaking),
                backwards: ("members-opened", Compatible),
            },
        ),
        (
            "other members typed",
            Case {
                edit: |d| set(d, ANSWERED, "additionalProperties", json!({"type": "string"})),
                forwards: ("members-typed", Compatible),
                backwards: ("members-untyped", Breaking),
            },
        ),
        (
            "what a list holds",
            Case {
                edit: |d| unset(d, &format!("{SENT}/properties/tags"), "items"),
                forwards: ("items-dropped", Compatible),
                backwards: ("items-introduced", Breaking),
            },
        ),
        (
            "deprecated member",
            Case {
                edit: |d| set(d, &format!("{ANSWERED}/properties/kind"), "deprecated", json!(true)),
                forwards: ("deprecated", Deprecation),
                backwards: ("deprecated", Compatible),
            },
        ),
        (
            "read-only member",
            Case {
                edit: |d| set(d, &format!("{SENT}/properties/kind"), "readOnly", json!(true)),
                forwards: ("read-only", Breaking),
                backwards: ("read-only", Compatible),
            },
        ),
        (
            "write-only member",
            Case {
                edit: |d| set(d, &format!("{ANSWERED}/properties/kind"), "writeOnly", json!(true)),
                forwards: ("write-only", Breaking),
                backwards: ("write-only", Compatible),
            },
        ),
        (
            "default of a request",
            Case {
                edit: |d| set(d, &format!("{SENT}/properties/kind"), "default", json!("small")),
                forwards: ("default-changed", Compatible),
                backwards: ("default-changed", Compatible),
            },
        ),
        (
            "default of a response",
            Case {
                edit: |d| set(d, &format!("{ANSWERED}/properties/kind"), "default", json!("small")),
                forwards: ("default-changed", Documentation),
                backwards: ("default-changed", Documentation),
            },
        ),
        (
            "words",
            Case {
                edit: |d| set(d, SENT, "description", json!("Something new.")),
                forwards: ("description-changed", Documentation),
                backwards: ("description-changed", Documentation),
            },
        ),
        (
            "width of an integer",
            Case {
                edit: |d| set(d, &format!("{SENT}/properties/count"), "format", json!("int32")),
                forwards: ("format-changed", Breaking),
                backwards: ("format-changed", Compatible),
            },
        ),
        (
            "width of an integer is stated",
            Case {
                edit: |d| unset(d, &format!("{SENT}/properties/count"), "format"),
                forwards: ("format-changed", Compatible),
                backwards: ("format-changed", Compatible),
            },
        ),
    ];
    for (name, case) in &cases {
        check(name, case);
    }
}

#[test]
fn shows_an_object_without_the_new_required_property() {
    let (old, new) = edited(|d| set(d, SENT, "required", json!(["name", "kind"])));
    let report = diff(&old, &new, Options::default());
    assert_eq!(only(&report).counterexample, Some(json!({"name": "aaaaa"})));
    let (old, new) = edited(|d| set(d, ANSWERED, "required", json!(["name"])));
    let report = diff(&old, &new, Options::default());
    assert_eq!(only(&report).counterexample, Some(json!({"name": "aaaaa"})));
}

#[test]
fn response_enums_are_open_unless_declared_closed() {
    let values = |list: Value| {
        move |d: &mut Value| set(d, "/components/schemas/Item/properties/kind", "enum", list.clone())
    };
    let (old, new) = edited(values(json!(["small", "large", "huge"])));
    let open = diff(&old, &new, Options::default());
    assert_eq!((only(&open).rule, only(&open).level), ("enum-value-added", Compatible));
    assert!(only(&open).note.as_deref().is_some_and(|note| note.contains("--closed-enums")));
    let closed = diff(&old, &new, Options { closed_enums: true });
    assert_eq!((only(&closed).level, only(&closed).counterexample.clone()), (Breaking, Some(json!("huge"))));
    // In the other direction only requests break.
    assert!(!diff(&new, &old, Options::default()).breaks());
    let (old, new) =
        edited(|d| set(d, "/components/schemas/NewItem/properties/kind", "enum", json!(["small"])));
    let report = diff(&old, &new, Options::default());
    assert_eq!((only(&report).rule, only(&report).level), ("enum-value-removed", Breaking));
    assert_eq!(only(&report).counterexample, Some(json!("large")));
    // A constant is no enumeration: another value is another thing.
    let with = |constant: &str| {
        let mut document = contract();
        set(&mut document, "/components/schemas/Item/properties", "kind", json!({"const": constant}));
        document
    };
    assert!(diff(&with("a"), &with("b"), Options::default()).breaks());
}

#[test]
fn reports_the_direction_that_breaks() {
    let (old, new) = edited(|d| set(d, "/components/schemas/Label/properties/text", "maxLength", json!(5)));
    let report = diff(&old, &new, Options::default());
    let change = only(&report);
    assert_eq!(change.directions, [Direction::Request, Direction::Response]);
    assert_eq!(change.breaks, [Direction::Request]);
    assert_eq!(change.operations, ["putLabel"]);
    // An operation that only returns it does not break.
    let with = |limit: u64| {
        let mut document = contract();
        let answer = json!({"description": "All.", "content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/Label"}}}});
        set(
            &mut document,
            "/paths",
            "/labels",
            json!({"get": {"operationId": "listLabels", "responses": {"200": answer}}}),
        );
        set(&mut document, "/components/schemas/Label/properties/text", "maxLength", json!(limit));
        document
    };
    let report = diff(&with(5), &with(4), Options::default());
    assert_eq!(only(&report).operations, ["putLabel", "listLabels"]);
    assert_eq!(only(&report).broken_operations, ["putLabel"]);
    assert!(
        crate::diff::text::render(&report, false)
            .contains("breaks requests of putLabel; does not break listLabels")
    );
}

#[test]
fn equivalent_schemas_are_compatible() {
    let rewritten: [(Value, Value); 6] = [
        (json!({"type": "string", "const": "a"}), json!({"type": "string", "enum": ["a"]})),
        (json!({"type": ["string", "null"]}), json!({"anyOf": [{"type": "string"}, {"type": "null"}]})),
        (json!({"type": "integer", "minimum": 1, "maximum": 1}), json!({"type": "integer", "const": 1})),
        (json!({"type": "integer", "minimum": 1}), json!({"type": "integer", "exclusiveMinimum": 0})),
        (json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}), json!({"type": ["string", "integer"]})),
        (json!({"allOf": [{"type": "string"}, {"maxLength": 4}]}), json!({"type": "string", "maxLength": 4})),
    ];
    for (one, other) in rewritten {
        for (before, after) in [(&one, &other), (&other, &one)] {
            let with = |schema: &Value| {
                let mut document = contract();
                set(&mut document, "/components/schemas/Label/properties", "text", schema.clone());
                document
            };
            let report = diff(&with(before), &with(after), Options::default());
            assert!(!report.breaks(), "{before} to {after}: {:#?}", report.changes);
        }
    }
}

#[test]
fn redundant_alternative_is_compatible() {
    let with = |branches: Value| {
        let mut document = contract();
        set(&mut document, "/components/schemas/Label/properties", "text", json!({"anyOf": branches}));
        document
    };
    let old = with(json!([{"type": "string"}, {"type": "integer"}]));
    let new = with(json!([{"type": "string"}, {"type": "integer"}, {"type": "integer", "minimum": 3}]));
    let report = diff(&old, &new, Options::default());
    assert_eq!((only(&report).level, only(&report).by_containment), (Compatible, true));
    assert!(!diff(&new, &old, Options::default()).breaks());
}

#[test]
fn compares_other_keywords_by_containment() {
    let with = |extra: Value| {
        let mut document = contract();
        set(&mut document, "/components/schemas/Label/properties", "text", extra);
        document
    };
    let old = with(json!({"type": "string"}));
    let new = with(json!({"type": "string", "not": {"const": "forbidden"}}));
    let report = diff(&old, &new, Options::default());
    let change = only(&report);
    assert_eq!((change.rule, change.level, change.by_containment), ("shape-changed", Breaking, true));
    assert_eq!(
        (&change.breaks[..], change.counterexample.clone()),
        (&[Direction::Request][..], Some(json!("forbidden")))
    );
    // A rule about which members have to be there.
    let with = |rule: bool| {
        let mut document = contract();
        if rule {
            set(&mut document, SENT, "anyOf", json!([{"required": ["kind"]}, {"required": ["tags"]}]));
        }
        document
    };
    let report = diff(&with(false), &with(true), Options::default());
    assert_eq!((only(&report).rule, only(&report).level), ("alternatives-introduced", Breaking));
    assert_eq!(only(&report).counterexample, Some(json!({"name": "aaaaa"})));
    assert!(!diff(&with(true), &with(false), Options::default()).breaks());
}

#[test]
fn undecidable_changes_count_as_breaking() {
    let with = |conditions: Value| {
        let mut document = contract();
        set(&mut document, SENT, "if", conditions);
        set(&mut document, SENT, "then", json!({"unevaluatedProperties": {"$dynamicRef": "#x"}}));
        document
    };
    let report =
        diff(&with(json!({"minProperties": 3})), &with(json!({"minProperties": 4})), Options::default());
    assert!(report.breaks());
    let note = report.changes[0].note.as_deref().unwrap_or_default();
    assert!(note.contains("treated as breaking"), "{:#?}", report.changes);
}

#[test]
fn all_of_equals_the_merged_object() {
    let parts = |d: &mut Value| {
        d["components"]["schemas"]["Named"] = json!({
            "type": "object", "required": ["name"], "properties": {"name": {"type": "string", "maxLength": 20}},
        });
        unset(d, &format!("{ANSWERED}/properties"), "name");
        let mut rest = d.pointer(ANSWERED).cloned().unwrap();
        rest["required"] = json!(["id"]);
        d["components"]["schemas"]["Item"] = json!({"allOf": [{"$ref": "#/components/schemas/Named"}, rest]});
    };
    let (old, new) = edited(parts);
    for report in [diff(&old, &new, Options::default()), diff(&new, &old, Options::default())] {
        let rules: Vec<_> = report.changes.iter().map(|change| change.rule).collect();
        assert!(rules == ["schema-added"] || rules == ["schema-removed"], "{:#?}", report.changes);
    }
}

#[test]
fn compares_inlined_and_renamed_schemas() {
    let (old, new) = edited(|d| {
        let mut label = d.pointer("/components/schemas/Label").cloned().unwrap();
        label["properties"]["text"]["maxLength"] = json!(9);
        set(d, "/paths/~1labels~1{label}/put/requestBody/content/application~1json", "schema", label);
    });
    let report = diff(&old, &new, Options::default());
    assert_eq!((only(&report).rule, only(&report).level), ("limit-tightened", Breaking));
    let (old, new) = edited(|d| {
        let item = d.pointer(SENT).cloned().unwrap();
        unset(d, "/components/schemas", "NewItem");
        d["components"]["schemas"]["ItemInput"] = item;
        let body = "/paths/~1items/post/requestBody/content/application~1json/schema";
        set(d, body, "$ref", json!("#/components/schemas/ItemInput"));
    });
    let report = diff(&old, &new, Options::default());
    assert!(!report.breaks(), "{:#?}", report.changes);
    assert!(report.changes.iter().any(|change| change.rule == "schema-renamed"));
}

#[test]
fn unused_schemas_count_as_documentation() {
    let with = |limit: u64| {
        let mut document = contract();
        document["components"]["schemas"]["Spare"] = json!({"type": "string", "maxLength": limit});
        document
    };
    let report = diff(&with(5), &with(3), Options::default());
    assert_eq!((only(&report).rule, only(&report).level), ("limit-tightened", Documentation));
}

#[test]
fn compares_recursive_schemas_once() {
    let (old, new) = edited(|d| unset(d, &format!("{ANSWERED}/properties/parts"), "items"));
    let report = diff(&old, &new, Options::default());
    assert_eq!(only(&report).rule, "items-dropped");
    let (old, new) = edited(|d| set(d, &format!("{ANSWERED}/properties/id"), "maxLength", json!(3)));
    assert_eq!(only(&diff(&new, &old, Options::default())).operations, ["listItems", "createItem"]);
}
