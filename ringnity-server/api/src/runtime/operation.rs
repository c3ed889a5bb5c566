//! Operations as constants: what the contract says about each. Generated code consists of these.

use serde_json::Value;

use super::problem::Problem;

/// One operation of the contract.
#[derive(Debug)]
pub struct Operation {
    /// Position in the contract's list of operations.
    pub index: usize,
    /// The contract's `operationId`.
    pub id: &'static str,
    /// The same in snake case: name of the handler.
    pub name: &'static str,
    /// Upper-case HTTP method.
    pub method: &'static str,
    /// Path as a client sends it.
    pub path: &'static str,
    /// JSON pointer of the operation in the document.
    pub pointer: &'static str,
    /// First tag.
    pub tag: &'static str,
    /// Status of its (first) success.
    pub success: u16,
    /// Whether it is an addition to the published contract.
    pub addition: bool,
    /// Whether the request names a tenant without a credential.
    pub tenant: bool,
    /// Parameters.
    pub params: &'static [Param],
    /// Request body.
    pub body: Option<Body>,
    /// Accepted kinds of credential. Empty: it needs no credential.
    pub accepts: &'static [Access],
    /// The feature that the tenant must have. Checked for principals after their scopes and roles. For a request
    /// without a credential the server checks it when it resolves the tenant.
    pub feature: Option<&'static str>,
    /// Whether it may be called without a credential although it accepts some.
    pub anonymous: bool,
    /// Shape of its error bodies.
    pub errors: &'static ErrorShape,
}

impl PartialEq for Operation {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Operation {}

/// An accepted kind of credential, with the scopes and roles that the principal needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The kind, as in the generator's settings.
    pub kind: &'static str,
    /// Needed scopes: one of every entry.
    pub scopes: &'static [&'static [&'static str]],
    /// Roles, of which the principal must have one. Empty: no role is needed.
    pub roles: &'static [&'static str],
}

/// Where in a request a parameter is (`in` in OpenAPI).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamLocation {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
    /// In a cookie.
    Cookie,
}

impl ParamLocation {
    /// First token of the JSON pointers that name a parameter.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

/// A parameter.
#[derive(Debug)]
pub struct Param {
    /// Name on the wire.
    pub name: &'static str,
    /// Where it is.
    pub location: ParamLocation,
    /// Whether it must be sent.
    pub required: bool,
    /// Type of its value.
    pub value_type: ValueType,
    /// The value when it is absent, as JSON.
    pub default: Option<&'static str>,
    /// Description.
    pub description: &'static str,
}

/// Type of the value of a parameter or form field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// Text.
    Text,
    /// An integer.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// One value per occurrence.
    List(&'static ValueType),
}

impl ValueType {
    /// The value that `text` stands for. The error completes a sentence that begins with the name of the value.
    pub(super) fn parse(self, text: &str) -> Result<Value, &'static str> {
        match self {
            Self::Text | Self::List(_) => Ok(Value::String(text.to_owned())),
            Self::Integer => text.parse::<i64>().map(Value::from).map_err(|_| "must be an integer"),
            Self::Number => {
                let number = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
                number.map(Value::Number).ok_or("must be a number")
            }
            Self::Boolean => match text {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err("must be true or false"),
            },
        }
    }
}

/// A request body.
#[derive(Debug)]
pub struct Body {
    /// Whether it must be sent.
    pub required: bool,
    /// Media types.
    pub media: &'static [Media],
    /// Maximum size in bytes, unless [`Hooks::body_limit`](super::Hooks::body_limit) sets another one.
    pub limit: usize,
}

/// A media type of a request body.
#[derive(Debug)]
pub struct Media {
    /// `application/json` and the like.
    pub content_type: &'static str,
    /// How it is read.
    pub form: MediaForm,
}

/// How a body is read.
#[derive(Debug)]
pub enum MediaForm {
    /// As one JSON value.
    Json,
    /// As `name=value` pairs.
    UrlEncoded(&'static [(&'static str, ValueType)]),
    /// As the parts of a form.
    Multipart(&'static [FormField]),
    /// As UTF-8 text.
    Text,
    /// As bytes.
    Bytes,
}

/// One field of a multipart form.
#[derive(Debug)]
pub struct FormField {
    /// Name on the wire.
    pub name: &'static str,
    /// Whether it must be sent.
    pub required: bool,
    /// Whether it is a file.
    pub file: bool,
    /// Type of its value.
    pub value_type: ValueType,
}

/// Shape of error bodies.
#[derive(Debug)]
pub struct ErrorShape {
    /// Name of the schema.
    pub schema: &'static str,
    /// Media type.
    pub content_type: &'static str,
    /// Members.
    pub members: &'static [ErrorMember],
    /// Codes of the problems that generated code finds.
    pub codes: &'static [(Problem, &'static str)],
}

/// One member of an error body.
#[derive(Debug)]
pub struct ErrorMember {
    /// Name.
    pub name: &'static str,
    /// Whether it is left out when empty.
    pub optional: bool,
    /// What it holds.
    pub field: ErrorField,
}

/// What a member of an error body holds.
#[derive(Debug, Clone, Copy)]
pub enum ErrorField {
    /// The stable code.
    Code,
    /// The message for people.
    Message,
    /// The list of details.
    Details,
    /// The request's id.
    RequestId,
    /// The HTTP status as a number.
    Status,
    /// Always the same value, as JSON.
    Const(&'static str),
}

/// A type that belongs to one operation: its input.
pub trait HasOperation: Send + Sync + 'static {
    /// The operation.
    const OPERATION: &'static Operation;
}
