//! Settings of a contract that OpenAPI has no place for: names of extensions, error shapes and credential kinds. The
//! code generator reads the same file.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Deserialize;

/// The settings. Every member is optional.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Settings {
    /// Names of specification extensions.
    #[serde(default)]
    pub extensions: Extensions,
    /// Error shapes by the name of their schema.
    #[serde(default)]
    pub errors: IndexMap<String, ErrorShape>,
    /// Credential kinds.
    #[serde(default, rename = "principal")]
    pub principals: Vec<Principal>,
    /// Security schemes that several credential kinds share, with the names of the kinds.
    #[serde(default)]
    pub schemes: IndexMap<String, Vec<String>>,
}

/// Names of specification extensions.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Extensions {
    /// The extension that lists the required scopes.
    pub scopes: Option<String>,
    /// The extension that lists the accepted credential kinds.
    pub principals: Option<String>,
    /// The extension that lists the roles that may call an operation.
    pub roles: Option<String>,
    /// The extension that marks additions to the published contract.
    pub addition: Option<String>,
}

/// The members of an error body.
#[derive(Debug, Clone, Deserialize)]
pub struct ErrorShape {
    /// The member with the error code.
    pub code: String,
    /// The error code of each problem that every server can report: `invalid`, `too_large`, `method` and so on.
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
}

/// A credential kind.
#[derive(Debug, Clone, Deserialize)]
pub struct Principal {
    /// The name.
    pub kind: String,
    /// The security scheme that carries it.
    pub scheme: String,
    /// Additional headers that may carry it.
    #[serde(default)]
    pub also: Vec<String>,
    /// Prefix of the scopes that it can have; `None` when it has no scopes.
    pub scopes: Option<String>,
    /// Whether it acts in a role.
    #[serde(default)]
    pub roles: bool,
    /// Error code when the credential is missing.
    pub missing: Option<String>,
    /// Error code when the credential is invalid.
    pub invalid: Option<String>,
    /// Error code when the credential has expired.
    pub expired: Option<String>,
    /// Error code when a scope or the role does not suffice.
    pub denied: Option<String>,
}
