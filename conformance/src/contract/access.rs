//! Access rules of an operation: credential kinds, where a credential is sent, and the scopes and roles it needs.

use anyhow::{Result, bail};
use base64::Engine as _;
use indexmap::IndexMap;
use serde_json::Value;

use super::settings::{Principal, Settings};

/// Where a credential is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialLocation {
    /// `Authorization: Bearer …`.
    Bearer,
    /// `Authorization: Basic …`, for a credential of the form `user:password`.
    Basic,
    /// A header with this name.
    Header(String),
    /// A query parameter with this name.
    Query(String),
    /// A cookie with this name.
    Cookie(String),
}

impl CredentialLocation {
    /// The header that carries `credential`; `None` for a query parameter.
    pub fn header(&self, credential: &str) -> Option<(String, String)> {
        match self {
            Self::Bearer => Some(("Authorization".to_owned(), format!("Bearer {credential}"))),
            Self::Basic => {
                let encoded = base64::engine::general_purpose::STANDARD.encode(credential);
                Some(("Authorization".to_owned(), format!("Basic {encoded}")))
            }
            Self::Header(name) => Some((name.clone(), credential.to_owned())),
            Self::Cookie(name) => Some(("Cookie".to_owned(), format!("{name}={credential}"))),
            Self::Query(_) => None,
        }
    }

    /// A description for reports: `in header X-Key`.
    pub fn describe(&self) -> String {
        match self {
            Self::Bearer => "as bearer token".to_owned(),
            Self::Basic => "as basic authentication".to_owned(),
            Self::Header(name) => format!("in header {name}"),
            Self::Query(name) => format!("in query {name}"),
            Self::Cookie(name) => format!("in cookie {name}"),
        }
    }
}

/// A kind of credential.
#[derive(Debug, Clone)]
pub struct CredentialKind {
    /// The name of the kind.
    pub name: String,
    /// Where it can be sent, the usual location first.
    pub locations: Vec<CredentialLocation>,
    /// Error codes and its scope prefix, if the settings define them.
    pub principal: Option<Principal>,
}

/// Who may call an operation.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Names of the accepted credential kinds.
    pub kinds: Vec<String>,
    /// Whether it may be called without a credential.
    pub anonymous: bool,
    /// The required scopes: one of each list.
    pub scopes: Vec<Vec<String>>,
    /// The roles that may call it; empty means any. Applies only to kinds that act in a role.
    pub roles: Vec<String>,
}

impl Access {
    /// The scopes that a credential of `kind` needs: one of each list.
    pub fn required_scopes(&self, kind: &CredentialKind) -> Vec<&[String]> {
        let Some(prefix) = kind.principal.as_ref().map_or(Some(""), |it| it.scopes.as_deref()) else {
            return Vec::new();
        };
        self.scopes
            .iter()
            .filter(|any| any.iter().any(|scope| scope.starts_with(prefix)))
            .map(Vec::as_slice)
            .collect()
    }

    /// The roles of which a credential of `kind` needs one; empty means any.
    pub fn required_roles(&self, kind: &CredentialKind) -> &[String] {
        if kind.principal.as_ref().is_some_and(|it| it.roles) { &self.roles } else { &[] }
    }
}

/// The credential kinds of a document: those of the settings, or else one per security scheme.
pub fn credential_kinds(root: &Value, settings: &Settings) -> Result<IndexMap<String, CredentialKind>> {
    let empty = serde_json::Map::new();
    let schemes = root["components"]["securitySchemes"].as_object().unwrap_or(&empty);
    let mut kinds = IndexMap::new();
    for principal in &settings.principals {
        let Some(scheme) = schemes.get(&principal.scheme) else {
            bail!(
                "the settings name the security scheme {} for {}; the contract has none",
                principal.scheme,
                principal.kind
            );
        };
        let mut locations = vec![scheme_location(&principal.scheme, scheme)?];
        locations.extend(principal.also.iter().map(|name| {
            if name.eq_ignore_ascii_case("Authorization") {
                CredentialLocation::Bearer
            } else {
                CredentialLocation::Header(name.clone())
            }
        }));
        let kind =
            CredentialKind { name: principal.kind.clone(), locations, principal: Some(principal.clone()) };
        kinds.insert(principal.kind.clone(), kind);
    }
    if kinds.is_empty() {
        for (name, scheme) in schemes {
            let locations = vec![scheme_location(name, scheme)?];
            kinds.insert(name.clone(), CredentialKind { name: name.clone(), locations, principal: None });
        }
    }
    Ok(kinds)
}

fn scheme_location(name: &str, scheme: &Value) -> Result<CredentialLocation> {
    let word = |member: &str| scheme[member].as_str().unwrap_or_default().to_ascii_lowercase();
    let own = || scheme["name"].as_str().unwrap_or_default().to_owned();
    Ok(match (word("type").as_str(), word("scheme").as_str(), word("in").as_str()) {
        ("http", "basic", _) => CredentialLocation::Basic,
        ("http", "bearer", _) | ("oauth2" | "openidconnect", _, _) => CredentialLocation::Bearer,
        ("apikey", _, "header") => CredentialLocation::Header(own()),
        ("apikey", _, "query") => CredentialLocation::Query(own()),
        ("apikey", _, "cookie") => CredentialLocation::Cookie(own()),
        _ => bail!("#/components/securitySchemes/{name}: this type of security scheme is not supported"),
    })
}

/// Reads the access rules of `operation`.
pub fn access(
    root: &Value,
    operation: &Value,
    settings: &Settings,
    kinds: &IndexMap<String, CredentialKind>,
) -> Access {
    let security = operation.get("security").or_else(|| root.get("security"));
    let none = Vec::new();
    let alternatives = security.and_then(Value::as_array).unwrap_or(&none);
    let anonymous = alternatives.is_empty()
        || alternatives.iter().any(|one| one.as_object().is_some_and(|one| one.is_empty()));
    let extension = |name: &Option<String>| name.as_ref().and_then(|name| operation.get(name));
    let texts = |value: &Value| -> Vec<String> {
        match value {
            Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Value::String(text) => vec![text.clone()],
            _ => Vec::new(),
        }
    };
    let mut named: Vec<String> = Vec::new();
    let mut scopes: Vec<Vec<String>> = Vec::new();
    match extension(&settings.extensions.principals) {
        Some(principals) => named = texts(principals),
        None => {
            for (scheme, listed) in alternatives.iter().filter_map(Value::as_object).flatten() {
                scopes.extend(texts(listed).into_iter().map(|scope| vec![scope]));
                let shared = settings.schemes.get(scheme);
                let own = kinds.values().filter(|kind| match &kind.principal {
                    Some(principal) => principal.scheme == *scheme,
                    None => kind.name == *scheme,
                });
                match shared {
                    Some(shared) => named.extend(shared.iter().cloned()),
                    None => named.extend(own.map(|kind| kind.name.clone())),
                }
            }
        }
    }
    if alternatives.is_empty() {
        named.clear();
    }
    if let Some(Value::Array(listed)) = extension(&settings.extensions.scopes) {
        scopes = listed.iter().map(texts).collect();
    }
    let mut accepted: Vec<String> = Vec::new();
    for name in named {
        if !accepted.contains(&name) {
            accepted.push(name);
        }
    }
    let roles = extension(&settings.extensions.roles).map(texts).unwrap_or_default();
    Access { anonymous: anonymous || accepted.is_empty(), kinds: accepted, scopes, roles }
}
