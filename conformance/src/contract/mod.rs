//! The contract as a run needs it: operations with their parameters, bodies, answers and who may call them.
//!
//! Everything comes from the document and its settings. Schemas stay where they are and are named by pointer, so
//! that whatever is found can say where it is written. Nothing is sent or judged here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context as _, Result, bail};
use indexmap::IndexMap;
use jsonschema::Validator;
use serde_json::Value;

use crate::values::{Document, Schema};

mod access;
mod read;
pub mod settings;

pub use access::{Access, CredentialKind, CredentialLocation};
use settings::Settings;

/// Methods of a path item that are operations of an API.
pub const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// The header that makes a repeat safe, as the draft standard calls it.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// A contract.
#[derive(Debug)]
pub struct Contract {
    /// Title and version.
    pub title: String,
    /// The document.
    pub document: Document,
    /// The document before corrections, when there is one.
    pub published: Option<Box<Contract>>,
    /// Its settings.
    pub settings: Settings,
    /// Its kinds of credential, by name.
    pub kinds: IndexMap<String, CredentialKind>,
    /// Its operations, in order.
    pub operations: Vec<Arc<Operation>>,
    validators: RwLock<HashMap<String, Arc<Validator>>>,
}

/// An operation.
#[derive(Debug)]
pub struct Operation {
    /// The operationId, or method and path where there is none.
    pub id: String,
    /// Its first tag.
    pub tag: String,
    /// `POST`.
    pub method: String,
    /// Path with the server's prefix: `/api/server/contacts/{id}`.
    pub path: String,
    /// Where it stands in the document.
    pub pointer: String,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Its body.
    pub body: Option<Body>,
    /// Its answers.
    pub responses: Vec<ResponseSpec>,
    /// Who may call it.
    pub access: Access,
    /// Statuses that some request can cause by what the contract says, although its answers may name no more than
    /// a range.
    pub implied_statuses: BTreeSet<u16>,
    /// Whether the published contract lacks it.
    pub addition: bool,
}

/// Where a parameter travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterLocation {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
    /// In a cookie.
    Cookie,
}

impl ParameterLocation {
    /// As the contract writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Path, Self::Query, Self::Header, Self::Cookie]
            .into_iter()
            .find(|location| location.name() == name)
    }
}

/// A parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Where it travels.
    pub location: ParameterLocation,
    /// Whether it has to be there.
    pub required: bool,
    /// Whether each item of a list is a parameter of its own.
    pub explode: bool,
    /// Pointer of its schema.
    pub schema: Option<String>,
    /// Where it stands in the document.
    pub pointer: String,
    /// Its examples.
    pub examples: Vec<Value>,
}

/// A body.
#[derive(Debug, Clone)]
pub struct Body {
    /// Whether it has to be there.
    pub required: bool,
    /// By media type.
    pub media: IndexMap<String, Media>,
    /// Where it stands in the document.
    pub pointer: String,
}

/// A body of one media type.
#[derive(Debug, Clone, Default)]
pub struct Media {
    /// Pointer of its schema.
    pub schema: Option<String>,
    /// Its examples.
    pub examples: Vec<Value>,
}

/// Which statuses an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// This one.
    Exact(u16),
    /// Those that begin with this digit.
    Range(u16),
    /// All that are not documented otherwise.
    Default,
}

impl Status {
    fn parse(text: &str) -> Option<Self> {
        match text.as_bytes() {
            b"default" => Some(Self::Default),
            [digit @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] => Some(Self::Range(u16::from(digit - b'0'))),
            _ => text.parse().ok().map(Self::Exact),
        }
    }

    /// As the contract writes it.
    pub fn text(self) -> String {
        match self {
            Self::Exact(status) => status.to_string(),
            Self::Range(digit) => format!("{digit}XX"),
            Self::Default => "default".to_owned(),
        }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct ResponseSpec {
    /// Its statuses.
    pub status: Status,
    /// Its bodies by media type; none when it has no body.
    pub media: IndexMap<String, Media>,
    /// Its headers.
    pub headers: Vec<Header>,
    /// Where it stands in the document.
    pub pointer: String,
}

/// A header of an answer.
#[derive(Debug, Clone)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Whether it has to be there.
    pub required: bool,
    /// Pointer of its schema.
    pub schema: Option<String>,
    /// Where it stands in the document.
    pub pointer: String,
}

impl Operation {
    /// What the contract says of answers with `status`: the most exact of its words.
    pub fn response(&self, status: u16) -> Option<&ResponseSpec> {
        let rank = |response: &&ResponseSpec| match response.status {
            Status::Exact(exact) if exact == status => 3,
            Status::Range(digit) if digit == status / 100 => 2,
            Status::Default => 1,
            _ => 0,
        };
        self.responses.iter().filter(|response| rank(response) > 0).max_by_key(rank)
    }

    /// Whether it only reads.
    pub fn is_read_only(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }

    /// The parameter of that name and place; header names are compared without regard to case.
    pub fn parameter(&self, location: ParameterLocation, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| {
            parameter.location == location
                && match location {
                    ParameterLocation::Header => parameter.name.eq_ignore_ascii_case(name),
                    _ => parameter.name == name,
                }
        })
    }

    /// Values of the path's variables, when `path` is one of this operation's.
    pub fn match_path(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let (wanted, given) = (self.path.split('/'), path.split('/'));
        let mut values = BTreeMap::new();
        if wanted.clone().count() != given.clone().count() {
            return None;
        }
        for (wanted, given) in wanted.zip(given) {
            match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(_) if given.is_empty() => return None,
                Some(name) => {
                    let value = percent_encoding::percent_decode_str(given).decode_utf8_lossy();
                    values.insert(name.to_owned(), value.into_owned());
                }
                None if wanted == given => {}
                None => return None,
            }
        }
        Some(values)
    }
}

/// The operations that a document describes, of whose credentials nothing is known.
pub fn operations_of(document: &Value) -> Result<Vec<Operation>> {
    read::operations(document, &Settings::default(), &IndexMap::new())
}

impl Contract {
    /// Reads a contract.
    pub fn new(document: Value, published: Option<Value>, settings: Settings) -> Result<Self> {
        let info = |name: &str| document["info"][name].as_str().unwrap_or_default().to_owned();
        let title = format!("{} {}", info("title"), info("version")).trim().to_owned();
        let document = Document::new(document).context("the contract")?;
        let kinds = access::credential_kinds(document.root(), &settings)?;
        let operations = read::operations(document.root(), &settings, &kinds)?;
        if operations.is_empty() {
            bail!("the contract has no operations");
        }
        let published = published
            .map(|published| Self::new(published, None, settings.clone()).map(Box::new))
            .transpose()
            .context("the published contract")?;
        let operations = operations.into_iter().map(Arc::new).collect();
        Ok(Self { title, document, published, settings, kinds, operations, validators: RwLock::default() })
    }

    /// The operation of that operationId.
    pub fn operation(&self, id: &str) -> Option<&Arc<Operation>> {
        self.operations.iter().find(|operation| operation.id == id)
    }

    /// The operation that a request is for: a path without variables goes before one with them.
    pub fn route(&self, method: &str, path: &str) -> Option<&Arc<Operation>> {
        self.operations
            .iter()
            .filter(|operation| operation.method == method && operation.match_path(path).is_some())
            .min_by_key(|operation| operation.path.matches('{').count())
    }

    /// The methods that the contract has for the path of `operation`.
    pub fn methods(&self, path: &str) -> Vec<&str> {
        self.operations
            .iter()
            .filter(|operation| operation.path == path)
            .map(|operation| operation.method.as_str())
            .collect()
    }

    /// The schema at `pointer`.
    pub fn schema(&self, pointer: &str) -> Result<Schema<'_>> {
        Ok(self.document.schema(pointer)?)
    }

    /// The judge of the schema at `pointer`, made once.
    pub fn validator(&self, pointer: &str) -> Result<Arc<Validator>> {
        if let Some(found) = self.validators.read().unwrap_or_else(PoisonError::into_inner).get(pointer) {
            return Ok(Arc::clone(found));
        }
        let made = Arc::new(self.document.schema(pointer)?.validator()?);
        let mut all = self.validators.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(all.entry(pointer.to_owned()).or_insert(made)))
    }

    /// The shape of the errors whose schema stands at `pointer`.
    pub fn error_shape(&self, pointer: &str) -> Option<&settings::ErrorShape> {
        let at = read::resolve(self.document.root(), pointer);
        let name = at.strip_prefix("#/components/schemas/")?;
        self.settings.errors.get(name)
    }

    /// The codes that the settings give for a problem, over all error shapes.
    pub fn error_codes(&self, problem: &str) -> Vec<String> {
        self.settings.errors.values().filter_map(|shape| shape.codes.get(problem)).cloned().collect()
    }

    /// Pointer of what a reference at `pointer` leads to.
    pub fn resolve(&self, pointer: &str) -> String {
        read::resolve(self.document.root(), pointer)
    }
}
