//! What a contract's settings say that the contract itself has no place for: the names of its extensions, the
//! shapes of its errors, and its kinds of credential. The file is the one that the generator reads.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Deserialize;

/// The settings; everything may be left out.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Settings {
    /// Names of specification extensions.
    #[serde(default)]
    pub extensions: Extensions,
    /// Error shapes by the name of their schema.
    #[serde(default)]
    pub errors: IndexMap<String, ErrorShape>,
    /// Kinds of credential.
    #[serde(default, rename = "principal")]
    pub principals: Vec<Principal>,
    /// Security schemes that several kinds may use.
    #[serde(default)]
    pub schemes: IndexMap<String, Vec<String>>,
}

/// Names of specification extensions.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Extensions {
    /// The scopes that open an operation.
    pub scopes: Option<String>,
    /// The kinds of credential that an operation takes.
    pub principals: Option<String>,
    /// The roles in which an operation may be called.
    pub roles: Option<String>,
    /// Marks what the published contract lacks.
    pub addition: Option<String>,
}

/// Which member of an error body carries what.
#[derive(Debug, Clone, Deserialize)]
pub struct ErrorShape {
    /// Member that holds the code.
    pub code: String,
    /// The code of each problem that every server of the contract can find.
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
}

/// A kind of credential.
#[derive(Debug, Clone, Deserialize)]
pub struct Principal {
    /// Its name.
    pub kind: String,
    /// The security scheme that carries it.
    pub scheme: String,
    /// Headers that may carry it as well.
    #[serde(default)]
    pub also: Vec<String>,
    /// Prefix of the scopes that it can hold; without one it holds none.
    pub scopes: Option<String>,
    /// Whether it acts in a role.
    #[serde(default)]
    pub roles: bool,
    /// Code when there is none.
    pub missing: Option<String>,
    /// Code when it is not accepted.
    pub invalid: Option<String>,
    /// Code when its time is over.
    pub expired: Option<String>,
    /// Code when it lacks a scope, or acts in another role.
    pub denied: Option<String>,
}
