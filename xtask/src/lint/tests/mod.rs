//! Each lint rule against a document that breaks it and one that does not, and all rules against the
//! published contract.

mod cases;
mod published;
mod rules;

use serde_json::{Value, json};

use super::{Finding, Severity, lint};

/// A small document that no rule has anything against but for notes.
fn sound() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Lending", "version": "1"},
        "tags": [{"name": "Books", "description": "What is lent."}],
        "paths": {
            "/books/{bookId}": {
                "parameters": [{"$ref": "#/components/parameters/BookId"}],
                "get": {
                    "operationId": "getBook", "tags": ["Books"], "description": "One book.",
                    "security": [{"Key": []}],
                    "responses": {
                        "200": {"description": "The book.", "content": {"application/json": {
                            "schema": {"$ref": "#/components/schemas/Book"},
                            "example": {"title": "Emma", "copies": 2},
                        }}},
                        "4XX": {"$ref": "#/components/responses/Problem"},
                        "5XX": {"$ref": "#/components/responses/Problem"},
                    },
                },
                "put": {
                    "operationId": "putBook", "tags": ["Books"], "description": "Replaces a book.",
                    "security": [{"Key": []}],
                    "requestBody": {"required": true, "content": {"application/json": {
                        "schema": {"$ref": "#/components/schemas/Book"},
                    }}},
                    "responses": {
                        "204": {"description": "Replaced."},
                        "default": {"$ref": "#/components/responses/Problem"},
                    },
                },
            },
        },
        "components": {
            "securitySchemes": {"Key": {"type": "http", "scheme": "bearer"}},
            "parameters": {"BookId": {
                "name": "bookId", "in": "path", "required": true, "description": "Which book.",
                "schema": {"type": "string"},
            }},
            "responses": {"Problem": {"description": "It failed.", "content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
            }}}},
            "schemas": {
                "Book": {
                    "type": "object", "description": "A book.", "required": ["title"],
                    "properties": {
                        "title": {"type": "string", "maxLength": 200, "default": "Untitled"},
                        "copies": {"type": "integer", "format": "int64", "minimum": 0, "maximum": 99},
                        "binding": {"type": ["string", "null"], "enum": ["paper", "cloth", null]},
                        "shelves": {"type": "array", "items": {"type": "string", "pattern": "^[A-Z]$"}},
                    },
                },
                "Problem": {
                    "type": "object", "description": "What failed.", "required": ["message"],
                    "properties": {"message": {"type": "string", "example": "no such book"}},
                },
            },
        },
    })
}

/// The pointers of the findings of `rule`.
fn places<'a>(findings: &'a [Finding], rule: &str) -> Vec<&'a str> {
    findings.iter().filter(|finding| finding.rule == rule).map(|finding| finding.pointer.as_str()).collect()
}

#[test]
fn accepts_a_valid_document() {
    let findings: Vec<_> =
        lint(&sound()).into_iter().filter(|finding| finding.severity != Severity::Note).collect();
    assert_eq!(findings, []);
}

#[test]
fn sorts_errors_first_and_deterministically() {
    let mut document = sound();
    document["paths"]["/books/{bookId}"]["get"]["tags"] = json!(["Novels"]);
    document["components"]["schemas"]["Book"]["properties"]["title"]["nullable"] = json!(true);
    let findings = lint(&document);
    let weights: Vec<_> = findings.iter().map(|finding| finding.severity).collect();
    assert!(weights.is_sorted());
    assert_eq!(weights[0], Severity::Error);
    assert_eq!(findings, lint(&document));
}

#[test]
fn reports_malformed_documents_without_panicking() {
    for document in [
        json!({}),
        json!(null),
        json!({"openapi": 3, "paths": [], "components": "none", "tags": {}}),
        json!({"openapi": "3.1.0", "paths": {"": {"get": {"responses": {"": {}, "é2": {}}, "parameters": [1, {}]}}}}),
        json!({"openapi": "3.1.0", "components": {"schemas": {"A": {"type": 7, "enum": 1, "required": "a",
            "properties": [], "anyOf": {}, "pattern": "("}}}}),
    ] {
        let findings = lint(&document);
        assert!(findings.iter().any(|finding| finding.severity == Severity::Error), "{document}");
    }
}
