//! A test case for each lint rule: an edit of the valid document that violates it, and the pointer of the finding.

use serde_json::{Value, json};

const GET: &str = "/paths/~1books~1{bookId}/get";
const PUT: &str = "/paths/~1books~1{bookId}/put";
pub(super) const BODY: &str = "/paths/~1books~1{bookId}/put/requestBody";
const BOOK: &str = "/components/schemas/Book";
const TITLE: &str = "/components/schemas/Book/properties/title";
const COPIES: &str = "/components/schemas/Book/properties/copies";
const BINDING: &str = "/components/schemas/Book/properties/binding";
const SHELVES: &str = "/components/schemas/Book/properties/shelves";

/// Sets the member at `pointer/name`.
pub(super) fn set(document: &mut Value, pointer: &str, name: &str, value: Value) {
    document.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}"))[name] = value;
}

/// Removes the member at `pointer/name`.
fn unset(document: &mut Value, pointer: &str, name: &str) {
    let parent = document.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}"));
    parent.as_object_mut().unwrap().remove(name).unwrap_or_else(|| panic!("{pointer}/{name}"));
}

/// A rule, an edit that breaks it and the pointer the finding has (without `#`).
pub(super) type Case = (&'static str, fn(&mut Value), &'static str);

pub(super) const PATHS: &[Case] = &[
    ("openapi-version", |d| d["openapi"] = json!("2.0"), "/openapi"),
    ("path-form", |d| d["paths"]["/books/{id}.json"] = json!({}), "/paths/~1books~1{id}.json"),
    ("path-literal-conflict", |d| d["paths"]["/books/new"] = json!({}), "/paths/~1books~1{bookId}"),
    (
        "path-servers",
        |d| set(d, "/paths/~1books~1{bookId}", "servers", json!([{"url": "/"}])),
        "/paths/~1books~1{bookId}/servers",
    ),
    ("path-variable-names", |d| d["paths"]["/books/{id}/pages"] = json!({}), "/paths/~1books~1{id}~1pages"),
    (
        "path-variable-optional",
        |d| unset(d, "/components/parameters/BookId", "required"),
        "/components/parameters/BookId",
    ),
    (
        "path-variable-repeated",
        |d| d["paths"]["/shelves/{id}/{id}"] = json!({}),
        "/paths/~1shelves~1{id}~1{id}",
    ),
    ("path-variable-undeclared", |d| unset(d, "/paths/~1books~1{bookId}", "parameters"), GET),
    (
        "path-variable-unknown",
        |d| {
            set(
                d,
                GET,
                "parameters",
                json!([
                    {"name": "shelf", "in": "path", "required": true, "description": "Where.", "schema": {"type": "string"}},
                ]),
            )
        },
        "/paths/~1books~1{bookId}/get/parameters/0",
    ),
];

pub(super) const OPERATIONS: &[Case] = &[
    (
        "operation-id-collision",
        |d| set(d, PUT, "operationId", json!("get_book")),
        "/paths/~1books~1{bookId}/put/operationId",
    ),
    (
        "operation-id-duplicate",
        |d| set(d, GET, "operationId", json!("putBook")),
        "/paths/~1books~1{bookId}/put/operationId",
    ),
    ("operation-id-missing", |d| unset(d, GET, "operationId"), GET),
    ("operation-public", |d| set(d, GET, "security", json!([])), GET),
    (
        "operation-security-optional",
        |d| set(d, GET, "security", json!([{"Key": []}, {}])),
        "/paths/~1books~1{bookId}/get/security/1",
    ),
    ("operation-untagged", |d| unset(d, PUT, "tags"), PUT),
    (
        "parameter-array-in-words",
        |d| {
            set(
                d,
                GET,
                "parameters",
                json!([
                    {"name": "with", "in": "query", "description": "Comma-separated parts.", "schema": {"type": "string"}},
                ]),
            )
        },
        "/paths/~1books~1{bookId}/get/parameters/0",
    ),
    (
        "parameter-duplicate",
        |d| {
            let q =
                json!({"name": "q", "in": "query", "description": "Words.", "schema": {"type": "string"}});
            set(d, GET, "parameters", json!([q, q]));
        },
        "/paths/~1books~1{bookId}/get/parameters/1",
    ),
    (
        "parameter-header-reserved",
        |d| {
            set(
                d,
                GET,
                "parameters",
                json!([
                    {"name": "Authorization", "in": "header", "description": "Key.", "schema": {"type": "string"}},
                ]),
            )
        },
        "/paths/~1books~1{bookId}/get/parameters/0",
    ),
    (
        "parameter-place",
        |d| {
            set(
                d,
                GET,
                "parameters",
                json!([
                    {"name": "q", "in": "body", "description": "Words.", "schema": {"type": "string"}},
                ]),
            )
        },
        "/paths/~1books~1{bookId}/get/parameters/0",
    ),
    (
        "parameter-without-schema",
        |d| unset(d, "/components/parameters/BookId", "schema"),
        "/components/parameters/BookId",
    ),
    (
        "request-body-in-words",
        |d| set(d, BODY, "content", json!({"application/json": {}})),
        "/paths/~1books~1{bookId}/put/requestBody/content/application~1json",
    ),
    (
        "request-body-not-json",
        |d| set(d, BODY, "content", json!({"text/plain": {"schema": {"type": "string"}}})),
        "/paths/~1books~1{bookId}/put/requestBody/content/text~1plain",
    ),
    (
        "request-body-on-delete",
        |d| {
            let put = d.pointer(PUT).cloned().unwrap();
            set(d, "/paths/~1books~1{bookId}", "delete", put);
        },
        "/paths/~1books~1{bookId}/delete/requestBody",
    ),
    (
        "request-body-on-get",
        |d| set(d, GET, "requestBody", json!({"required": true, "content": {}})),
        "/paths/~1books~1{bookId}/get/requestBody",
    ),
    ("request-body-optional", |d| unset(d, BODY, "required"), BODY),
    (
        "request-body-all-optional",
        |d| unset(d, BOOK, "required"),
        "/paths/~1books~1{bookId}/put/requestBody/content/application~1json",
    ),
    (
        "request-media-types-several",
        |d| set(d, &format!("{BODY}/content"), "text/plain", json!({"schema": {"type": "string"}})),
        "/paths/~1books~1{bookId}/put/requestBody/content",
    ),
];

pub(super) const RESPONSES: &[Case] = &[
    (
        "response-400-missing",
        |d| set(d, PUT, "responses", json!({"409": {"description": "Taken."}})),
        "/paths/~1books~1{bookId}/put/responses",
    ),
    (
        "response-404-missing",
        |d| set(d, GET, "responses", json!({"401": {"description": "Who?"}})),
        "/paths/~1books~1{bookId}/get/responses",
    ),
    (
        "response-4xx-missing",
        |d| unset(d, &format!("{GET}/responses"), "4XX"),
        "/paths/~1books~1{bookId}/get/responses",
    ),
    (
        "response-5xx-missing",
        |d| unset(d, &format!("{GET}/responses"), "5XX"),
        "/paths/~1books~1{bookId}/get/responses",
    ),
    (
        "response-auth-missing",
        |d| unset(d, &format!("{GET}/responses"), "4XX"),
        "/paths/~1books~1{bookId}/get/responses",
    ),
    (
        "response-description-missing",
        |d| unset(d, "/components/responses/Problem", "description"),
        "/components/responses/Problem",
    ),
    (
        "response-media-types-several",
        |d| {
            set(d, &format!("{GET}/responses/200/content"), "text/csv", json!({"schema": {"type": "string"}}))
        },
        "/paths/~1books~1{bookId}/get/responses/200/content",
    ),
    (
        "response-not-json",
        |d| {
            set(
                d,
                &format!("{GET}/responses/200"),
                "content",
                json!({"text/csv": {"schema": {"type": "string"}}}),
            )
        },
        "/paths/~1books~1{bookId}/get/responses/200/content/text~1csv",
    ),
    (
        "response-redirect",
        |d| set(d, &format!("{GET}/responses"), "302", json!({"description": "Elsewhere."})),
        "/paths/~1books~1{bookId}/get/responses/302",
    ),
    (
        "response-status",
        |d| set(d, &format!("{GET}/responses"), "2xy", json!({"description": "What?"})),
        "/paths/~1books~1{bookId}/get/responses/2xy",
    ),
    (
        "response-success-missing",
        |d| unset(d, &format!("{PUT}/responses"), "204"),
        "/paths/~1books~1{bookId}/put/responses",
    ),
    (
        "response-successes-several",
        |d| set(d, &format!("{GET}/responses"), "202", json!({"description": "Later."})),
        "/paths/~1books~1{bookId}/get/responses",
    ),
    (
        "response-untyped",
        |d| {
            d["components"]["schemas"]["Book"] = json!({"type": "object", "description": "Any book.", "properties": {
            "success": {"type": "boolean"}, "data": {"$ref": "#/components/schemas/Any"}}});
            d["components"]["schemas"]["Any"] = json!({"type": "object", "additionalProperties": true});
        },
        "/paths/~1books~1{bookId}/get/responses/200/content/application~1json",
    ),
    (
        "response-without-schema",
        |d| unset(d, "/components/responses/Problem/content/application~1json", "schema"),
        "/components/responses/Problem/content/application~1json",
    ),
];

pub(super) const COMPONENTS: &[Case] = &[
    (
        "component-name",
        |d| d["components"]["schemas"]["A Book"] = json!({"type": "string"}),
        "/components/schemas/A Book",
    ),
    (
        "component-unused",
        |d| {
            // Two that only use each other are unused as well.
            d["components"]["schemas"]["A"] =
                json!({"type": "array", "items": {"$ref": "#/components/schemas/B"}});
            d["components"]["schemas"]["B"] =
                json!({"type": "array", "items": {"$ref": "#/components/schemas/A"}});
        },
        "/components/schemas/A",
    ),
    ("description-missing", |d| unset(d, BOOK, "description"), BOOK),
    (
        "ref-circle",
        |d| {
            d["components"]["schemas"]["A"] = json!({"$ref": "#/components/schemas/B"});
            d["components"]["schemas"]["B"] = json!({"$ref": "#/components/schemas/A"});
        },
        "/components/schemas/A/$ref",
    ),
    (
        "ref-external",
        |d| set(d, BOOK, "allOf", json!([{"$ref": "https://example.com/thing.json"}])),
        "/components/schemas/Book/allOf/0/$ref",
    ),
    ("ref-siblings", |d| set(d, TITLE, "$ref", json!("#/components/schemas/Problem")), TITLE),
    (
        "ref-siblings-ignored",
        |d| {
            d["openapi"] = json!("3.0.3");
            set(d, TITLE, "$ref", json!("#/components/schemas/Problem"));
        },
        TITLE,
    ),
    (
        "ref-unresolved",
        |d| set(d, TITLE, "$ref", json!("#/components/schemas/Title")),
        "/components/schemas/Book/properties/title/$ref",
    ),
    (
        "schema-duplicate",
        |d| {
            let book = d["components"]["schemas"]["Book"].clone();
            d["components"]["schemas"]["Volume"] = book;
            d["components"]["schemas"]["Volume"]["description"] = json!("In other words.");
        },
        BOOK,
    ),
    (
        "schema-name-collision",
        |d| d["components"]["schemas"]["book"] = json!({"type": "string"}),
        "/components/schemas/book",
    ),
    (
        "security-scheme-undeclared",
        |d| set(d, GET, "security", json!([{"Lock": []}])),
        "/paths/~1books~1{bookId}/get/security/0/Lock",
    ),
    (
        "security-scheme-unused",
        |d| d["components"]["securitySchemes"]["Lock"] = json!({"type": "http"}),
        "/components/securitySchemes/Lock",
    ),
    (
        "security-scope-undeclared",
        |d| {
            d["components"]["securitySchemes"]["Key"] =
                json!({"type": "oauth2", "flows": {"implicit": {"scopes": {"read": "Read."}}}});
            set(d, GET, "security", json!([{"Key": ["read", "write"]}]));
        },
        "/paths/~1books~1{bookId}/get/security/0/Key",
    ),
    ("tag-undeclared", |d| set(d, GET, "tags", json!(["Novels"])), "/paths/~1books~1{bookId}/get/tags/0"),
    ("tag-unused", |d| d["tags"] = json!([{"name": "Books"}, {"name": "Novels"}]), "/tags/1"),
];

pub(super) const SCHEMAS: &[Case] = &[
    (
        "any-of-required-only",
        |d| set(d, BOOK, "anyOf", json!([{"required": ["title"]}, {"required": ["copies"]}])),
        "/components/schemas/Book/anyOf",
    ),
    ("array-without-items", |d| unset(d, SHELVES, "items"), SHELVES),
    (
        "enum-duplicate",
        |d| set(d, BINDING, "enum", json!(["paper", "paper", null])),
        "/components/schemas/Book/properties/binding/enum/1",
    ),
    (
        "enum-empty",
        |d| set(d, BINDING, "enum", json!([])),
        "/components/schemas/Book/properties/binding/enum",
    ),
    ("enum-in-words", |d| set(d, TITLE, "description", json!("One of `Emma`, `Persuasion`.")), TITLE),
    (
        "enum-name-collision",
        |d| set(d, BINDING, "enum", json!(["full-cloth", "full_cloth", null])),
        "/components/schemas/Book/properties/binding/enum/1",
    ),
    (
        "enum-null",
        |d| set(d, BINDING, "enum", json!(["paper"])),
        "/components/schemas/Book/properties/binding/enum",
    ),
    (
        "enum-type",
        |d| set(d, BINDING, "enum", json!(["paper", 7, null])),
        "/components/schemas/Book/properties/binding/enum/1",
    ),
    (
        "format-in-words",
        |d| set(d, &format!("{BOOK}/properties"), "coverUrl", json!({"type": "string"})),
        "/components/schemas/Book/properties/coverUrl",
    ),
    ("integer-without-format", |d| unset(d, COPIES, "format"), COPIES),
    (
        "keyword-3.0",
        |d| set(d, COPIES, "exclusiveMinimum", json!(true)),
        "/components/schemas/Book/properties/copies/exclusiveMinimum",
    ),
    ("keyword-3.1", |d| d["openapi"] = json!("3.0.3"), "/components/schemas/Book/properties/binding/type"),
    (
        "keyword-type",
        |d| set(d, COPIES, "maxLength", json!(3)),
        "/components/schemas/Book/properties/copies/maxLength",
    ),
    (
        "limits-contradict",
        |d| set(d, COPIES, "minimum", json!(100)),
        "/components/schemas/Book/properties/copies/minimum",
    ),
    (
        "nullable-3.1",
        |d| set(d, TITLE, "nullable", json!(true)),
        "/components/schemas/Book/properties/title/nullable",
    ),
    (
        "pattern-invalid",
        |d| set(d, TITLE, "pattern", json!("(")),
        "/components/schemas/Book/properties/title/pattern",
    ),
    (
        "property-name-collision",
        |d| set(d, &format!("{BOOK}/properties"), "Title", json!({"type": "boolean"})),
        "/components/schemas/Book/properties/Title",
    ),
    (
        "required-undeclared",
        |d| set(d, BOOK, "required", json!(["titel"])),
        "/components/schemas/Book/required",
    ),
    (
        "schema-inline",
        |d| {
            set(
                d,
                &format!("{BOOK}/properties"),
                "author",
                json!({"type": "object", "properties": {"name": {"type": "string"}}}),
            )
        },
        "/components/schemas/Book/properties/author",
    ),
    (
        "schema-inline-duplicate",
        |d| {
            let binding = d.pointer(BINDING).cloned().unwrap();
            set(d, &format!("{BOOK}/properties"), "reprint", binding);
        },
        "/components/schemas/Book/properties/reprint",
    ),
    (
        "schema-untyped",
        |d| set(d, &format!("{BOOK}/properties"), "extra", json!({})),
        "/components/schemas/Book/properties/extra",
    ),
    ("type-missing", |d| unset(d, BOOK, "type"), BOOK),
    (
        "type-unknown",
        |d| set(d, TITLE, "type", json!("text")),
        "/components/schemas/Book/properties/title/type",
    ),
    (
        "default-invalid",
        |d| set(d, TITLE, "default", json!(5)),
        "/components/schemas/Book/properties/title/default",
    ),
    (
        "example-invalid",
        |d| set(d, &format!("{GET}/responses/200/content/application~1json"), "example", json!({})),
        "/paths/~1books~1{bookId}/get/responses/200/content/application~1json/example",
    ),
    (
        "schema-invalid",
        |d| set(d, TITLE, "maxLength", json!("long")),
        "/components/schemas/Book/properties/title/maxLength",
    ),
];
