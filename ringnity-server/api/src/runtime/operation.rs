//! The tables that generated code is made of: what the contract says about an operation, as constants.

use super::fault::Problem;

/// One operation of the contract.
#[derive(Debug)]
pub struct Operation {
    /// Position in the contract's list of operations.
    pub index: usize,
    /// The contract's `operationId`.
    pub id: &'static str,
    /// The same in snake case: the stub's name.
    pub name: &'static str,
    /// Upper-case HTTP method.
    pub method: &'static str,
    /// Path as a client sees it.
    pub path: &'static str,
    /// JSON pointer of the operation in the document.
    pub pointer: &'static str,
    /// Its first tag.
    pub tag: &'static str,
    /// Status of its (first) success.
    pub success: u16,
    /// Whether the published contract lacks it.
    pub addition: bool,
    /// Whether the request names a tenant without a credential.
    pub tenant: bool,
    /// Parameters by name and place.
    pub params: &'static [Param],
    /// Request body.
    pub body: Option<Body>,
    /// Kinds of credential that open it. Empty: nobody needs one.
    pub accepts: &'static [Access],
    /// Whether it may be called without a credential although it accepts some.
    pub anonymous: bool,
    /// What its error bodies look like.
    pub errors: &'static ErrorShape,
}

impl PartialEq for Operation {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Operation {}

/// A kind of credential with the scopes that it must then hold, and the roles in which it may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The kind, as in the generator's settings.
    pub kind: &'static str,
    /// Scopes that must be held: of each entry one, and of every entry.
    pub scopes: &'static [&'static [&'static str]],
    /// Roles of which it must act in one. Empty: in any, or in none.
    pub roles: &'static [&'static str],
}

/// Where a parameter travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
    /// In a cookie.
    Cookie,
}

impl Place {
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
    /// Where it travels.
    pub place: Place,
    /// Whether it must be sent.
    pub required: bool,
    /// What its text stands for.
    pub kind: Kind,
    /// The value when it is absent, as JSON.
    pub default: Option<&'static str>,
    /// Words about it.
    pub description: &'static str,
}

/// What the text of a parameter or form field stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Itself.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// One value per occurrence.
    List(&'static Kind),
}

/// A request body.
#[derive(Debug)]
pub struct Body {
    /// Whether it must be sent.
    pub required: bool,
    /// How it may be written.
    pub media: &'static [Media],
    /// How many bytes it may have, unless the server's hooks say otherwise.
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
    UrlEncoded(&'static [(&'static str, Kind)]),
    /// As the parts of a form.
    Multipart(&'static [FormField]),
    /// As UTF-8 text.
    Text,
    /// As it is.
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
    /// What its text stands for.
    pub kind: Kind,
}

/// What the bodies of errors look like.
#[derive(Debug)]
pub struct ErrorShape {
    /// Name of the schema.
    pub schema: &'static str,
    /// Media type.
    pub content_type: &'static str,
    /// Its members.
    pub members: &'static [Member],
    /// Codes of the problems that generated code finds by itself.
    pub codes: &'static [(Problem, &'static str)],
}

/// One member of an error body.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// Whether it is left out when there is nothing to say.
    pub optional: bool,
    /// What it holds.
    pub fill: Fill,
}

/// What a member of an error body holds.
#[derive(Debug, Clone, Copy)]
pub enum Fill {
    /// The stable code.
    Code,
    /// The sentence for people.
    Message,
    /// The list of sentences.
    Details,
    /// The request's id.
    RequestId,
    /// The HTTP status as a number.
    Status,
    /// Always the same value, as JSON.
    Const(&'static str),
}
