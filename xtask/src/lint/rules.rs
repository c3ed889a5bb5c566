//! The table of lint rules: id, weight, whether code can be generated all the same, and what it asks for.
//! The checks themselves stand beside it, one file per part of a document.

use super::Rule;
use super::Severity::{self, Error, Note, Warning};

/// Code cannot be generated while such a finding stands.
const BLOCKS: bool = true;
/// Code can be generated all the same.
const PASSES: bool = false;

const fn rule(id: &'static str, severity: Severity, blocks_generation: bool, summary: &'static str) -> Rule {
    Rule { id, severity, blocks_generation, summary }
}

/// Every rule, by the part of the document it is about.
pub(crate) const RULES: &[Rule] = &[
    // Document and paths.
    rule("openapi-version", Error, BLOCKS, "the document says which OpenAPI it is, 3.0 or 3.1"),
    rule("path-form", Error, BLOCKS, "a path begins with / and holds no query and no half variable"),
    rule("path-literal-conflict", Warning, PASSES, "a literal and a variable segment share a position"),
    rule("path-servers", Note, PASSES, "servers below the document's own: the base address differs there"),
    rule("path-variable-names", Error, PASSES, "one position has one variable name in all paths"),
    rule("path-variable-optional", Error, PASSES, "a path parameter is required"),
    rule("path-variable-repeated", Error, BLOCKS, "a template names each variable once"),
    rule("path-variable-undeclared", Error, BLOCKS, "each variable of the template is a declared parameter"),
    rule("path-variable-unknown", Error, BLOCKS, "each declared path parameter is in the template"),
    // Operations.
    rule("operation-id-collision", Error, BLOCKS, "operationIds stay different as Rust names"),
    rule("operation-id-duplicate", Error, BLOCKS, "an operationId names one operation"),
    rule("operation-id-missing", Error, PASSES, "every operation has an operationId"),
    rule("operation-public", Note, PASSES, "no security is asked for"),
    rule("operation-security-optional", Note, PASSES, "security may be left out: the principal is optional"),
    rule("operation-untagged", Warning, PASSES, "an operation has a tag: code is split by it"),
    rule("parameter-array-in-words", Warning, PASSES, "a list is an array, not a string that says so"),
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
    rule("request-body-optional", Note, PASSES, "the body may be left out"),
    rule(
        "request-body-all-optional",
        Note,
        PASSES,
        "no member of the body is required: {} is a valid request",
    ),
    rule("request-media-types-several", Warning, PASSES, "a body has one media type"),
    // Responses.
    rule("response-400-missing", Warning, PASSES, "what takes input can answer 400 or 422"),
    rule("response-404-missing", Warning, PASSES, "what names one thing in its path can answer 404"),
    rule("response-4xx-missing", Error, PASSES, "an operation documents a client error"),
    rule("response-5xx-missing", Warning, PASSES, "an operation documents a server error or a default"),
    rule("response-auth-missing", Error, PASSES, "a secured operation can answer 401 or 403"),
    rule("response-description-missing", Error, PASSES, "a response has a description"),
    rule("response-media-types-several", Warning, PASSES, "a success response has one media type"),
    rule("response-not-json", Note, PASSES, "a success response is not JSON"),
    rule("response-redirect", Note, PASSES, "a success is a redirect"),
    rule("response-status", Error, BLOCKS, "a status is 100 to 599, 1XX to 5XX or default"),
    rule("response-success-missing", Error, PASSES, "an operation documents a success"),
    rule("response-successes-several", Note, PASSES, "several success responses with different bodies"),
    rule("response-untyped", Warning, PASSES, "a success says what it carries"),
    rule("response-without-schema", Warning, PASSES, "a response's content has a schema"),
    // Components, references, names.
    rule("component-name", Error, PASSES, "a component name holds letters, digits, . - _ only"),
    rule("component-unused", Warning, PASSES, "a component is used by an operation"),
    rule("description-missing", Note, PASSES, "operations, parameters and schemas say what they are for"),
    rule("ref-circle", Error, BLOCKS, "references lead to something"),
    rule("ref-external", Error, BLOCKS, "references stay within the document"),
    rule("ref-siblings", Note, PASSES, "keywords beside $ref count, in 3.1"),
    rule("ref-siblings-ignored", Warning, PASSES, "keywords beside $ref are ignored, in 3.0"),
    rule("ref-unresolved", Error, BLOCKS, "references lead to something that is there"),
    rule("schema-duplicate", Warning, PASSES, "two named schemas are not the same"),
    rule("schema-name-collision", Error, PASSES, "schema names stay different as Rust names"),
    rule("security-scheme-undeclared", Error, BLOCKS, "a security requirement names a declared scheme"),
    rule("security-scheme-unused", Warning, PASSES, "a declared security scheme is used"),
    rule(
        "security-scope-undeclared",
        Warning,
        PASSES,
        "an OAuth scope that is asked for is declared by its flow",
    ),
    rule("tag-undeclared", Warning, PASSES, "a tag that is used is declared"),
    rule("tag-unused", Warning, PASSES, "a tag that is declared is used"),
    // Schemas.
    rule("any-of-required-only", Warning, PASSES, "alternatives differ in more than what they require"),
    rule("array-without-items", Error, PASSES, "an array says what it holds"),
    rule("enum-duplicate", Error, PASSES, "an enumeration lists each value once"),
    rule("enum-empty", Error, BLOCKS, "an enumeration has a value"),
    rule("enum-in-words", Warning, PASSES, "a closed set of values is an enum"),
    rule("enum-name-collision", Warning, PASSES, "values of an enum stay different as Rust names"),
    rule("enum-null", Warning, PASSES, "an enum that allows null by type lists null"),
    rule("enum-type", Error, PASSES, "enum and const values are of the type they stand under"),
    rule("format-in-words", Warning, PASSES, "a url, a date or a mail address has its format"),
    rule("integer-without-format", Warning, PASSES, "an integer says how wide it is"),
    rule("keyword-3.0", Error, PASSES, "a 3.1 document has no keywords that only 3.0 knows"),
    rule("keyword-3.1", Error, PASSES, "a 3.0 document has no keywords that only 3.1 knows"),
    rule("keyword-type", Error, PASSES, "a keyword stands under a type it says something about"),
    rule("limits-contradict", Error, PASSES, "a lower limit is not above the upper one"),
    rule("nullable-3.1", Error, PASSES, "in 3.1 null is a type; nullable means nothing"),
    rule("pattern-invalid", Error, PASSES, "a pattern is a regular expression"),
    rule("property-name-collision", Error, PASSES, "property names stay different as Rust names"),
    rule("required-undeclared", Error, PASSES, "what is required is a declared property"),
    rule("schema-inline", Note, PASSES, "an inline object or enum: a name is made up for it"),
    rule(
        "schema-inline-duplicate",
        Warning,
        PASSES,
        "the same inline object or enum stands in several places",
    ),
    rule("schema-untyped", Note, PASSES, "a schema without a type: anything goes"),
    rule("type-missing", Warning, PASSES, "a schema with properties or items says its type"),
    rule("type-unknown", Error, BLOCKS, "a type is one of JSON Schema's"),
    // Values.
    rule("default-invalid", Error, PASSES, "a default is valid against its schema"),
    rule("example-invalid", Error, PASSES, "an example is valid against its schema"),
    rule("schema-invalid", Error, PASSES, "a schema can be compiled"),
];
