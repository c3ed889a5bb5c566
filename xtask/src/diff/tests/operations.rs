//! Changes of operations: paths, parameters, bodies, responses, security, servers.

use serde_json::json;

use super::Level::{Breaking, Compatible, Deprecation, Documentation};
use super::{Case, check, diff, edited, only, set, unset};
use crate::diff::{Direction, Options};

const LIST: &str = "/paths/~1items/get";
const CREATE: &str = "/paths/~1items/post";
const PUT: &str = "/paths/~1labels~1{label}/put";

#[test]
fn compares_added_and_removed_operations() {
    let cases = [
        (
            "removed",
            Case {
                edit: |d| unset(d, "/paths/~1items", "post"),
                forwards: ("operation-removed", Breaking),
                backwards: ("operation-added", Compatible),
            },
        ),
        (
            "moved",
            Case {
                edit: |d| {
                    let list = d.pointer(LIST).cloned().unwrap();
                    unset(d, "/paths/~1items", "get");
                    set(d, "/paths", "/things", json!({"get": list}));
                },
                forwards: ("operation-moved", Breaking),
                backwards: ("operation-moved", Breaking),
            },
        ),
        (
            "renamed",
            Case {
                edit: |d| set(d, LIST, "operationId", json!("allItems")),
                forwards: ("operation-renamed", Compatible),
                backwards: ("operation-renamed", Compatible),
            },
        ),
        (
            "deprecated",
            Case {
                edit: |d| set(d, LIST, "deprecated", json!(true)),
                forwards: ("deprecated", Deprecation),
                backwards: ("deprecated", Compatible),
            },
        ),
        (
            "described",
            Case {
                edit: |d| set(d, LIST, "description", json!("All of them.")),
                forwards: ("description-changed", Documentation),
                backwards: ("description-changed", Documentation),
            },
        ),
        (
            "path variable renamed",
            Case {
                edit: |d| {
                    let mut put = d.pointer(PUT).cloned().unwrap();
                    put["parameters"][0]["name"] = json!("name");
                    unset(d, "/paths", "/labels/{label}");
                    set(d, "/paths", "/labels/{name}", json!({"put": put}));
                },
                forwards: ("path-variable-renamed", Compatible),
                backwards: ("path-variable-renamed", Compatible),
            },
        ),
        (
            "another server",
            Case {
                edit: |d| set(d, "", "servers", json!([{"url": "https://two.example/api"}])),
                forwards: ("server-removed", Breaking),
                backwards: ("server-removed", Breaking),
            },
        ),
        (
            "a server more",
            Case {
                edit: |d| {
                    d["servers"].as_array_mut().unwrap().push(json!({"url": "https://two.example/api"}))
                },
                forwards: ("server-added", Compatible),
                backwards: ("server-removed", Breaking),
            },
        ),
    ];
    for (name, case) in &cases {
        check(name, case);
    }
}

#[test]
fn compares_parameters_and_request_bodies() {
    let cases = [
        (
            "parameter removed",
            Case {
                edit: |d| {
                    d.pointer_mut(LIST).unwrap()["parameters"].as_array_mut().unwrap().remove(1);
                },
                forwards: ("parameter-removed", Breaking),
                backwards: ("parameter-added", Compatible),
            },
        ),
        (
            "parameter required",
            Case {
                edit: |d| set(d, "/paths/~1items/get/parameters/1", "required", json!(true)),
                forwards: ("parameter-became-required", Breaking),
                backwards: ("parameter-became-optional", Compatible),
            },
        ),
        (
            "required parameter added",
            Case {
                edit: |d| {
                    set(
                        d,
                        CREATE,
                        "parameters",
                        json!([
                            {"name": "Idempotency-Key", "in": "header", "required": true, "schema": {"type": "string"}},
                        ]),
                    )
                },
                forwards: ("required-parameter-added", Breaking),
                backwards: ("parameter-removed", Breaking),
            },
        ),
        (
            "parameter deprecated",
            Case {
                edit: |d| set(d, "/paths/~1items/get/parameters/1", "deprecated", json!(true)),
                forwards: ("deprecated", Deprecation),
                // Removing a deprecation is compatible.
                backwards: ("deprecated", Compatible),
            },
        ),
        (
            "parameter style",
            Case {
                edit: |d| set(d, "/paths/~1items/get/parameters/1", "style", json!("spaceDelimited")),
                forwards: ("parameter-style-changed", Breaking),
                backwards: ("parameter-style-changed", Breaking),
            },
        ),
        (
            "parameter schema",
            Case {
                edit: |d| set(d, "/paths/~1items/get/parameters/1/schema", "minLength", json!(2)),
                forwards: ("limit-tightened", Breaking),
                backwards: ("limit-loosened", Compatible),
            },
        ),
        (
            "body removed",
            Case {
                edit: |d| unset(d, CREATE, "requestBody"),
                forwards: ("body-removed", Breaking),
                backwards: ("required-body-added", Breaking),
            },
        ),
        (
            "optional body removed",
            Case {
                edit: |d| unset(d, PUT, "requestBody"),
                forwards: ("body-removed", Breaking),
                backwards: ("body-added", Compatible),
            },
        ),
        (
            "body required",
            Case {
                edit: |d| set(d, "/paths/~1labels~1{label}/put/requestBody", "required", json!(true)),
                forwards: ("body-became-required", Breaking),
                backwards: ("body-became-optional", Compatible),
            },
        ),
        (
            "media type of a body",
            Case {
                edit: |d| {
                    set(
                        d,
                        "/paths/~1items/post/requestBody/content",
                        "text/csv",
                        json!({"schema": {"type": "string"}}),
                    )
                },
                forwards: ("media-type-added", Compatible),
                backwards: ("media-type-removed", Breaking),
            },
        ),
        (
            "encoding of a part",
            Case {
                edit: |d| {
                    set(
                        d,
                        "/paths/~1items/post/requestBody/content/application~1json",
                        "encoding",
                        json!({"a": {}}),
                    )
                },
                forwards: ("encoding-changed", Breaking),
                backwards: ("encoding-changed", Breaking),
            },
        ),
        (
            "a body without schema",
            Case {
                edit: |d| unset(d, "/paths/~1items/post/requestBody/content/application~1json", "schema"),
                forwards: ("schema-presence", Compatible),
                backwards: ("schema-presence", Breaking),
            },
        ),
    ];
    for (name, case) in &cases {
        check(name, case);
    }
}

#[test]
fn compares_responses() {
    let cases = [
        (
            "success removed",
            Case {
                edit: |d| {
                    let made = d.pointer("/paths/~1items/post/responses/201").cloned().unwrap();
                    set(d, "/paths/~1items/post/responses", "200", made);
                },
                forwards: ("response-added", Breaking),
                backwards: ("response-removed", Breaking),
            },
        ),
        (
            "error added",
            Case {
                edit: |d| set(d, "/paths/~1items/post/responses", "5XX", json!({"description": "Broken."})),
                forwards: ("response-added", Compatible),
                backwards: ("response-removed", Compatible),
            },
        ),
        (
            "errors documented one by one",
            Case {
                edit: |d| set(d, "/paths/~1items/get/responses", "404", json!({"description": "None."})),
                forwards: ("description-changed", Documentation),
                backwards: ("description-changed", Documentation),
            },
        ),
        (
            "media type of a response",
            Case {
                edit: |d| unset(d, "/paths/~1items/get/responses/200/content", "text/csv"),
                forwards: ("media-type-removed", Breaking),
                backwards: ("media-type-added", Compatible),
            },
        ),
        (
            "header removed",
            Case {
                edit: |d| unset(d, "/paths/~1items/get/responses/200/headers", "X-Count"),
                forwards: ("header-removed", Breaking),
                backwards: ("header-added", Compatible),
            },
        ),
        (
            "header optional",
            Case {
                edit: |d| unset(d, "/paths/~1items/get/responses/200/headers/X-Count", "required"),
                forwards: ("header-became-optional", Breaking),
                backwards: ("header-became-required", Compatible),
            },
        ),
        (
            "header schema",
            Case {
                edit: |d| {
                    set(
                        d,
                        "/paths/~1items/get/responses/200/headers/X-Count",
                        "schema",
                        json!({"type": "number"}),
                    )
                },
                forwards: ("type-changed", Breaking),
                backwards: ("type-changed", Compatible),
            },
        ),
        (
            "callbacks",
            Case {
                edit: |d| set(d, LIST, "callbacks", json!({"done": {}})),
                forwards: ("callbacks-changed", Breaking),
                backwards: ("callbacks-changed", Breaking),
            },
        ),
        (
            "webhooks",
            Case {
                edit: |d| d["webhooks"] = json!({"made": {}}),
                forwards: ("webhooks-changed", Breaking),
                backwards: ("webhooks-changed", Breaking),
            },
        ),
    ];
    for (name, case) in &cases {
        check(name, case);
    }
}

#[test]
fn compares_security_requirements() {
    let cases = [
        (
            "public becomes secured",
            Case {
                edit: |d| set(d, PUT, "security", json!([{"Key": []}])),
                forwards: ("security-tightened", Breaking),
                backwards: ("security-loosened", Compatible),
            },
        ),
        (
            "credentials become optional",
            Case {
                edit: |d| set(d, LIST, "security", json!([{"Key": []}, {}])),
                forwards: ("security-loosened", Compatible),
                backwards: ("security-tightened", Breaking),
            },
        ),
        (
            "another way in",
            Case {
                edit: |d| set(d, LIST, "security", json!([{"Key": []}, {"Cookie": []}])),
                forwards: ("security-loosened", Compatible),
                backwards: ("security-tightened", Breaking),
            },
        ),
        (
            "both are needed",
            Case {
                edit: |d| set(d, LIST, "security", json!([{"Key": [], "Cookie": []}])),
                forwards: ("security-tightened", Breaking),
                backwards: ("security-loosened", Compatible),
            },
        ),
        (
            "a scope of the requirement",
            Case {
                edit: |d| set(d, LIST, "security", json!([{"Key": ["read"]}])),
                forwards: ("security-tightened", Breaking),
                backwards: ("security-loosened", Compatible),
            },
        ),
        (
            "the scheme is another",
            Case {
                edit: |d| set(d, "/components/securitySchemes/Key", "scheme", json!("basic")),
                forwards: ("security-scheme-changed", Breaking),
                backwards: ("security-scheme-changed", Breaking),
            },
        ),
        (
            "a scope of the extension",
            Case {
                edit: |d| set(d, LIST, "x-store-scopes", json!(["items:read", "items:all"])),
                forwards: ("scope-added", Breaking),
                backwards: ("scope-removed", Compatible),
            },
        ),
        (
            "one of two scopes where it had to be this one",
            Case {
                edit: |d| set(d, LIST, "x-store-scopes", json!([["items:read", "items:all"]])),
                forwards: ("scope-removed", Compatible),
                backwards: ("scope-added", Breaking),
            },
        ),
        (
            "the extension is new",
            Case {
                edit: |d| set(d, CREATE, "x-store-scopes", json!(["items:write"])),
                forwards: ("scope-added", Breaking),
                backwards: ("scope-removed", Compatible),
            },
        ),
        (
            "a role where none was needed",
            Case {
                edit: |d| set(d, CREATE, "x-store-roles", json!(["owner"])),
                forwards: ("role-needed", Breaking),
                backwards: ("role-not-needed", Compatible),
            },
        ),
    ];
    for (name, case) in &cases {
        check(name, case);
    }
    let (mut old, mut new) = edited(|d| set(d, LIST, "x-store-principals", json!(["agent"])));
    set(&mut old, LIST, "x-store-principals", json!(["agent", "admin"]));
    let report = diff(&old, &new, Options::default());
    assert_eq!((only(&report).rule, only(&report).level), ("principal-removed", Breaking));
    unset(&mut new, LIST, "x-store-principals");
    unset(&mut old, LIST, "x-store-principals");
    set(&mut old, LIST, "x-store-roles", json!(["owner"]));
    set(&mut new, LIST, "x-store-roles", json!(["owner", "admin"]));
    let report = diff(&old, &new, Options::default());
    assert_eq!((only(&report).rule, only(&report).level), ("role-added", Compatible));
    let report = diff(&new, &old, Options::default());
    assert_eq!((only(&report).rule, only(&report).level), ("role-removed", Breaking));
    unset(&mut old, LIST, "x-store-roles");
    unset(&mut new, LIST, "x-store-roles");
    set(&mut new, CREATE, "x-store-feature", json!("imports"));
    let report = diff(&old, &new, Options::default());
    assert_eq!((only(&report).rule, only(&report).level), ("feature-documented", Documentation));
    let report = diff(&new, &old, Options::default());
    assert_eq!((only(&report).rule, only(&report).level), ("feature-not-needed", Compatible));
    set(&mut old, CREATE, "x-store-feature", json!("exports"));
    let report = diff(&old, &new, Options::default());
    let rules: Vec<_> = report.changes.iter().map(|change| (change.rule, change.level)).collect();
    assert_eq!(rules, [("feature-needed", Breaking), ("feature-not-needed", Compatible)]);
    unset(&mut new, CREATE, "x-store-feature");
    unset(&mut old, CREATE, "x-store-feature");
    // The same said by the document instead of by the operation.
    unset(&mut new, LIST, "security");
    unset(&mut new, CREATE, "security");
    set(&mut new, "", "security", json!([{"Key": []}]));
    set(&mut new, PUT, "security", json!([]));
    assert_eq!(diff(&old, &new, Options::default()).changes, []);
}

#[test]
fn removed_media_type_names_its_direction() {
    let (old, new) = edited(|d| unset(d, "/paths/~1items/get/responses/200/content", "text/csv"));
    let report = diff(&old, &new, Options::default());
    assert_eq!(only(&report).breaks, [Direction::Response]);
    assert_eq!(only(&report).operations, ["listItems"]);
}

#[test]
fn notes_that_a_removed_operation_was_deprecated() {
    let (mut old, new) = edited(|d| unset(d, "/paths/~1items", "post"));
    set(&mut old, CREATE, "deprecated", json!(true));
    let report = diff(&old, &new, Options::default());
    assert_eq!(only(&report).level, Breaking);
    assert_eq!(only(&report).note.as_deref(), Some("it was deprecated before"));
}
