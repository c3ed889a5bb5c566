//! The table of lint rules: id, severity, whether it blocks code generation, and what it requires. The checks are in
//! the other files, one per part of a document.

use super::Rule;
use super::Severity::{self, Error, Note, Warning};

/// No code is generated for a document with such a finding.
const BLOCKS: bool = true;
/// Code is generated despite such a finding.
const PASSES: bool = false;

const fn rule(id: &'static str, severity: Severity, blocks_generation: bool, summary: &'static str) -> Rule {
    Rule { id, severity, blocks_generation, summary }
}

/// Every rule, by the part of the document it is about.
pub(crate) const RULES: &[Rule] = &[
    // Document and paths.
    rule("openapi-version", Error, BLOCKS, "the document states its OpenAPI version, 3.0 or 3.1"),
    rule("path-form", Error, BLOCKS, "a path begins with / and has neither a query nor a partial variable"),
    rule("path-literal-conflict", Warning, PASSES, "a literal and a variable segment share a position"),
    rule("path-servers", Note, PASSES, "a path or operation has servers of its own, so its base URL differs"),
    rule("path-variable-names", Error, PASSES, "a path position has the same variable name in all paths"),
    rule("path-variable-optional", Error, PASSES, "a path parameter is required"),
    rule("path-variable-repeated", Error, BLOCKS, "a template names each variable once"),
    rule("path-variable-undeclared", Error, BLOCKS, "each variable of the template is a declared parameter"),
    rule("path-variable-unknown", Error, BLOCKS, "each declared path parameter is in the template"),
    // Operations.
    rule("operation-id-collision", Error, BLOCKS, "operationIds are different Rust names"),
    rule("operation-id-duplicate", Error, BLOCKS, "an operationId names one operation"),
    rule("operation-id-missing", Error, PASSES, "every operation has an operationId"),
    rule("operation-public", Note, PASSES, "the operation requires no credentials"),
    rule(
        "operation-security-optional",
        Note,
        PASSES,
        "credentials are optional, so the principal is an Option",
    ),
    rule("operation-untagged", Warning, PASSES, "an operation has a tag: code is split by it"),
    rule("parameter-array-in-words", Warning, PASSES, "a list is an array, not a string described as a list"),
    rule("parameter-duplicate", Error, BLOCKS, "a parameter is declared once"),
    rule(
        "parameter-header-reserved",
        Warning,
        PASSES,
        "Accept, Content-Type and Authorization are not parameters",
    ),
    rule("parameter-place", Error, BLOCKS, "a parameter is in path, query, header or cookie"),
    rule("parameter-without-schema", Error, BLOCKS, "a parameter has a schema"),
    rule("request-body-in-words", Warning, PASSES, "a body's content has a schema"),
    rule("request-body-not-json", Note, PASSES, "the body is not JSON"),
    rule("request-body-on-delete", Warning, PASSES, "DELETE with a body: some intermediaries drop it"),
    rule("request-body-on-get", Error, PASSES, "GET and HEAD have no body"),
    rule("request-body-optional", Note, PASSES, "the body is optional"),
    rule(
        "request-body-all-optional",
        Note,
        PASSES,
        "no member of the body is required: {} is a valid request",
    ),
    rule("request-media-types-several", Warning, PASSES, "a body has one media type"),
    // Responses.
    rule("response-400-missing", Warning, PASSES, "an operation with input documents 400 or 422"),
    rule("response-404-missing", Warning, PASSES, "an operation with a path variable documents 404"),
    rule("response-4xx-missing", Error, PASSES, "an operation documents a client error"),
    rule("response-5xx-missing", Warning, PASSES, "an operation documents a server error or a default"),
    rule("response-auth-missing", Error, PASSES, "a secured operation documents 401 or 403"),
    rule("response-description-missing", Error, PASSES, "a response has a description"),
    rule("response-media-types-several", Warning, PASSES, "a success response has one media type"),
    rule("response-not-json", Note, PASSES, "a success response is not JSON"),
    rule("response-redirect", Note, PASSES, "a success is a redirect"),
    rule("response-status", Error, BLOCKS, "a status is 100 to 599, 1XX to 5XX or default"),
    rule("response-success-missing", Error, PASSES, "an operation documents a success"),
    rule("response-successes-several", Note, PASSES, "several success responses with different bodies"),
    rule("response-untyped", Warning, PASSES, "a success response has a specific schema"),
    rule("response-without-schema", Warning, PASSES, "a response's content has a schema"),
    // Components, references, names.
    rule("component-name", Error, PASSES, "a component name has only letters, digits and . - _"),
    rule("component-unused", Warning, PASSES, "a component is used by an operation"),
    rule("description-missing", Note, PASSES, "operations, parameters and schemas have a description"),
    rule("ref-circle", Error, BLOCKS, "references do not form a cycle"),
    rule("ref-external", Error, BLOCKS, "references stay within the document"),
    rule("ref-siblings", Note, PASSES, "keywords beside $ref apply, in 3.1"),
    rule("ref-siblings-ignored", Warning, PASSES, "keywords beside $ref are ignored, in 3.0"),
    rule("ref-unresolved", Error, BLOCKS, "references resolve"),
    rule("schema-duplicate", Warning, PASSES, "named schemas are different"),
    rule("schema-name-collision", Error, PASSES, "schema names are different Rust names"),
    rule("security-scheme-undeclared", Error, BLOCKS, "a security requirement names a declared scheme"),
    rule("security-scheme-unused", Warning, PASSES, "a declared security scheme is used"),
    rule("security-scope-undeclared", Warning, PASSES, "a required OAuth scope is declared by a flow"),
    rule("tag-undeclared", Warning, PASSES, "a tag that is used is declared"),
    rule("tag-unused", Warning, PASSES, "a tag that is declared is used"),
    // Schemas.
    rule("any-of-required-only", Warning, PASSES, "alternatives differ in more than `required`"),
    rule("array-without-items", Error, PASSES, "an array has items"),
    rule("enum-duplicate", Error, PASSES, "an enumeration lists each value once"),
    rule("enum-empty", Error, BLOCKS, "an enumeration has a value"),
    rule("enum-in-words", Warning, PASSES, "a closed set of values is an enum"),
    rule("enum-name-collision", Warning, PASSES, "values of an enum are different Rust names"),
    rule("enum-null", Warning, PASSES, "an enum whose type allows null lists null"),
    rule("enum-type", Error, PASSES, "enum and const values have the declared type"),
    rule("format-in-words", Warning, PASSES, "a URL, date or email address has its format"),
    rule("integer-without-format", Warning, PASSES, "an integer has a format: int32 or int64"),
    rule("keyword-3.0", Error, PASSES, "a 3.1 document has no keywords of 3.0 only"),
    rule("keyword-3.1", Error, PASSES, "a 3.0 document has no keywords of 3.1 only"),
    rule("keyword-type", Error, PASSES, "a keyword applies to the declared type"),
    rule("limits-contradict", Error, PASSES, "a lower limit is not above the upper one"),
    rule("nullable-3.1", Error, PASSES, "3.1 ignores nullable; null is a type"),
    rule("pattern-invalid", Error, PASSES, "a pattern is a regular expression"),
    rule("property-name-collision", Error, PASSES, "property names are different Rust names"),
    rule("required-undeclared", Error, PASSES, "required properties are declared"),
    rule("schema-inline", Note, PASSES, "an inline object or enum gets a generated name"),
    rule("schema-inline-duplicate", Warning, PASSES, "an inline object or enum is not repeated"),
    rule("schema-untyped", Note, PASSES, "a schema without a type accepts any value"),
    rule("type-missing", Warning, PASSES, "a schema with properties or items has a type"),
    rule("type-unknown", Error, BLOCKS, "a type is a JSON Schema type"),
    // Values.
    rule("default-invalid", Error, PASSES, "a default is valid against its schema"),
    rule("example-invalid", Error, PASSES, "an example is valid against its schema"),
    rule("schema-invalid", Error, PASSES, "a schema can be compiled"),
];
