//! Lint on the published contract against the list of its defects that was made by hand and kept as a fixture.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

use super::places;
use crate::lint::{Finding, lint};
use crate::walk::{elements, operations, resolve, strings};

static PUBLISHED: LazyLock<Value> = LazyLock::new(|| {
    crate::source::read_document(&crate::source::root().join("openapi.json")).expect("the contract reads")
});
static DEFECTS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../tests/fixtures/published-defects.json")).expect("JSON")
});
static FINDINGS: LazyLock<Vec<Finding>> = LazyLock::new(|| lint(&PUBLISHED));

/// The operations for which `rule` has findings.
fn reported_operations(rule: &str) -> BTreeSet<String> {
    let places = places(&FINDINGS, rule);
    operations(&PUBLISHED)
        .into_iter()
        .filter(|operation| {
            let pointer = operation.pointer();
            places.iter().any(|place| *place == pointer || place.starts_with(&format!("{pointer}/")))
        })
        .filter_map(|operation| operation.id().map(str::to_owned))
        .collect()
}

/// Operation names: the elements of the list, or the first elements of its elements.
fn listed_operations(kind: &str) -> BTreeSet<String> {
    let list = DEFECTS.get(kind).unwrap_or_else(|| panic!("no {kind} in the fixture"));
    elements(list).map(|item| item.as_str().or(item[0].as_str()).expect("a name").to_owned()).collect()
}

/// Pointers reported by `rule`, in the short form of the list: `Schema/properties/name` or `param:Name`.
fn reported_schemas(rule: &str) -> BTreeSet<String> {
    places(&FINDINGS, rule)
        .into_iter()
        .map(|place| {
            let place = place.trim_start_matches("#/components/schemas/");
            match place.strip_prefix("#/components/parameters/") {
                Some(parameter) => format!("param:{}", parameter.trim_end_matches("/schema")),
                None => place.to_owned(),
            }
        })
        .collect()
}

fn listed_schemas(kind: &str) -> BTreeSet<String> {
    let list = DEFECTS.get(kind).unwrap_or_else(|| panic!("no {kind} in the fixture"));
    strings(list).map(|place| place.trim_start_matches("#/components/schemas/").to_owned()).collect()
}

#[test]
fn reports_the_listed_operations() {
    for (rule, kind) in [
        ("path-variable-undeclared", "path_template_mismatch"),
        ("response-4xx-missing", "no_4xx_at_all"),
        ("response-5xx-missing", "no_error_default_5xx"),
        ("response-auth-missing", "secured_no_401_403_4XX"),
        ("response-404-missing", "pathparam_no404"),
        ("operation-public", "no_security_key"),
        ("operation-security-optional", "optional_security"),
        ("response-media-types-several", "multi_resp_ct"),
        ("response-not-json", "nonjson_resp"),
        ("request-media-types-several", "multi_req_ct"),
        ("request-body-not-json", "nonjson_req"),
        ("request-body-on-delete", "delete_with_body"),
        ("request-body-optional", "optional_body"),
        ("response-redirect", "3xx"),
        ("parameter-array-in-words", "query_array_as_string"),
        ("response-untyped", "ops_returning_untyped_data"),
    ] {
        assert_eq!(reported_operations(rule), listed_operations(kind), "{rule} against {kind}");
    }
    // Declared once for a whole path; each operation is reported about it.
    let unknown: BTreeSet<_> = FINDINGS
        .iter()
        .filter(|finding| finding.rule == "path-variable-unknown")
        .filter_map(|finding| finding.message.split(' ').next().map(str::to_owned))
        .collect();
    assert_eq!(unknown, listed_operations("path_template_mismatch"));
    let bad_input: BTreeSet<_> =
        listed_operations("body_no_400_422").union(&listed_operations("query_no_400")).cloned().collect();
    assert_eq!(reported_operations("response-400-missing"), bad_input);
}

#[test]
fn reports_the_listed_schemas() {
    for (rule, kind) in [
        ("integer-without-format", "integer_no_format"),
        ("format-in-words", "uri_no_format"),
        ("any-of-required-only", "anyOf_other"),
    ] {
        let reported: BTreeSet<_> = reported_schemas(rule)
            .into_iter()
            .map(|place| place.trim_end_matches("/anyOf").to_owned())
            .collect();
        assert_eq!(reported, listed_schemas(kind), "{rule} against {kind}");
    }
    let nullable: BTreeSet<_> = reported_schemas("nullable-3.1")
        .into_iter()
        .map(|place| place.trim_end_matches("/nullable").to_owned())
        .collect();
    assert_eq!(nullable, listed_schemas("nullable_true"));
    let siblings: BTreeSet<_> =
        elements(&DEFECTS["ref_siblings"]).filter_map(|entry| entry[0].as_str()).collect();
    assert_eq!(places(&FINDINGS, "ref-siblings").into_iter().collect::<BTreeSet<_>>(), siblings);
    let unused: BTreeSet<_> = strings(&DEFECTS["unused_securitySchemes"]).map(str::to_owned).collect();
    let reported: BTreeSet<_> = places(&FINDINGS, "security-scheme-unused")
        .into_iter()
        .map(|place| place.trim_start_matches("#/components/securitySchemes/").to_owned())
        .collect();
    assert_eq!(reported, unused);
}

#[test]
fn reports_enumerations_written_as_prose() {
    let reported = reported_schemas("enum-in-words");
    for place in listed_schemas("status_like_no_enum") {
        // The one entry of another form: a query parameter of an operation.
        if place == "listAgentConversations?status" {
            assert!(reported_operations("enum-in-words").contains("listAgentConversations"));
        } else {
            assert!(reported.contains(&place), "{place}");
        }
    }
}

#[test]
fn reports_duplicates_inline_schemas_servers_and_literals() {
    let first_names: BTreeSet<_> = elements(&DEFECTS["duplicate_schemas"])
        .filter_map(|names| names[0].as_str())
        .map(str::to_owned)
        .collect();
    assert_eq!(reported_schemas("schema-duplicate"), first_names);

    let inline = places(&FINDINGS, "schema-inline");
    let mut listed: Vec<&str> = strings(&DEFECTS["inline_objects"]).collect();
    listed.extend(crate::walk::members(&DEFECTS["inline_enums"]).flat_map(|(_, places)| strings(places)));
    for place in listed {
        assert!(inline.contains(&place), "{place}");
    }

    let servers: Vec<_> = places(&FINDINGS, "path-servers");
    let listed: Vec<_> = strings(&DEFECTS["path_servers"])
        .map(|path| format!("{}/servers", crate::walk::join("#/paths", path)))
        .collect();
    assert_eq!(servers, listed);

    let conflicts: Vec<_> =
        FINDINGS.iter().filter(|finding| finding.rule == "path-literal-conflict").collect();
    assert_eq!(conflicts.len(), elements(&DEFECTS["literal_vs_variable"]).count());
    for (finding, listed) in conflicts.iter().zip([1, 0].map(|index| &DEFECTS["literal_vs_variable"][index]))
    {
        assert!(finding.message.contains(listed[0].as_str().expect("a path")), "{finding}");
    }
}

#[test]
fn reports_nothing_that_is_not_listed() {
    for (kind, rules) in [
        ("unresolved_refs", &["ref-unresolved", "ref-external", "ref-circle"][..]),
        ("unused_schemas", &["component-unused"]),
        ("unused_parameters", &["component-unused"]),
        ("unused_responses", &["component-unused"]),
        ("undeclared_securitySchemes", &["security-scheme-undeclared"]),
        ("nonempty_scope_requirements", &["security-scope-undeclared"]),
        ("unused_tags", &["tag-unused"]),
        ("undeclared_tags", &["tag-undeclared"]),
        ("diff_var_names_same_position", &["path-variable-names"]),
    ] {
        assert_eq!(elements(&DEFECTS[kind]).count(), 0, "{kind}");
        for rule in rules {
            assert_eq!(places(&FINDINGS, rule), Vec::<&str>::new(), "{rule}");
        }
    }
    // Every operationId is there and different.
    assert_eq!(DEFECTS["opids_unique"], operations(&PUBLISHED).len());
    assert!(places(&FINDINGS, "operation-id-duplicate").is_empty());
    // Names required in a branch, which the object they belong to declares.
    assert!(places(&FINDINGS, "required-undeclared").is_empty());
}

#[test]
fn pointers_resolve_unless_the_target_is_missing() {
    for finding in FINDINGS.iter() {
        assert!(resolve(&PUBLISHED, &finding.pointer).is_some(), "{finding}");
    }
}

#[test]
fn effective_contract_has_no_errors() {
    let inputs = crate::source::Inputs { contract: None, overlay: None, settings: None };
    let effective = crate::source::load(&inputs).expect("the contract reads").effective;
    let errors: Vec<_> = lint(&effective)
        .into_iter()
        .filter(|finding| finding.severity == crate::lint::Severity::Error)
        .map(|finding| finding.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}
