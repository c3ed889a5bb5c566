//! Tests that each lint rule reports its test case and nothing else.

use serde_json::json;

use super::cases::{BODY, COMPONENTS, Case, OPERATIONS, PATHS, RESPONSES, SCHEMAS, set};
use super::{places, sound};
use crate::lint::lint;
use crate::lint::rules::RULES;

fn cases() -> impl Iterator<Item = &'static Case> {
    [PATHS, OPERATIONS, RESPONSES, COMPONENTS, SCHEMAS].into_iter().flatten()
}

#[test]
fn each_rule_reports_its_violation_only() {
    let before = lint(&sound());
    for (rule, break_it, pointer) in cases() {
        let pointer = format!("#{pointer}");
        assert!(
            !places(&before, rule).contains(&pointer.as_str()),
            "{rule} already has a finding at {pointer}"
        );
        let mut document = sound();
        break_it(&mut document);
        let after = lint(&document);
        let found = places(&after, rule);
        assert!(found.contains(&pointer.as_str()), "{rule} expected at {pointer}, is at {found:?}");
    }
}

#[test]
fn each_rule_has_a_test_case() {
    let without: Vec<_> =
        RULES.iter().map(|rule| rule.id).filter(|id| !cases().any(|(rule, ..)| rule == id)).collect();
    assert_eq!(without, Vec::<&str>::new());
}

#[test]
fn accepts_unusual_but_valid_documents() {
    let mut document = sound();
    let schemas = &mut document["components"]["schemas"];
    // Required names that another part of the same object declares.
    schemas["Novel"] = json!({
        "description": "A long book.",
        "allOf": [{"$ref": "#/components/schemas/Book"}, {"type": "object", "required": ["copies"]}],
    });
    schemas["Loan"] = json!({
        "type": "object", "description": "Who has it.",
        "properties": {"reader": {"type": "string"}, "desk": {"type": "string"}, "$ref": {"type": "string"}},
        "anyOf": [{"required": ["reader"]}, {"required": ["desk"]}],
    });
    // A property that is named like a keyword.
    schemas["Odd"] = json!({
        "type": "object", "description": "Odd names.",
        "properties": {
            "nullable": {"type": "boolean"}, "enum": {"$ref": "#/components/schemas/Novel"},
            "default": {"$ref": "#/components/schemas/Loan"},
        },
    });
    schemas["Book"]["properties"]["odd"] = json!({"$ref": "#/components/schemas/Odd"});
    // Free values that look like schemas and references.
    schemas["Odd"]["example"] = json!({"nullable": true, "$ref": "nowhere", "schema": {"nullable": true}});
    // A named example that is used by reference.
    document["components"]["examples"] = json!({"Emma": {"value": {"title": "Emma"}}});
    set(
        &mut document,
        &format!("{BODY}/content/application~1json"),
        "examples",
        json!({"emma": {"$ref": "#/components/examples/Emma"}}),
    );
    let findings: Vec<_> = lint(&document)
        .into_iter()
        .filter(|finding| finding.severity != crate::lint::Severity::Note)
        .map(|finding| finding.to_string())
        .collect();
    let [only] = &findings[..] else { panic!("{findings:#?}") };
    assert!(only.contains("any-of-required-only"), "{only}");
}
