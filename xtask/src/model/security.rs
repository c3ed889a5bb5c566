//! Accepted credentials of operations: kinds, scopes and roles, and the error codes of the settings.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::Accepted;
use super::build::Builder;
use crate::name::{SCHEMA_PREFIX, escape, snake};
use crate::source::{PrincipalSettings, Settings};

/// Every kind of credential: those of the settings, or one per security scheme.
pub(super) fn kinds(settings: &Settings, document: &Value) -> Vec<PrincipalSettings> {
    if !settings.principal.is_empty() {
        return settings.principal.clone();
    }
    let schemes = document["components"]["securitySchemes"].as_object();
    schemes
        .into_iter()
        .flatten()
        .map(|(name, _)| PrincipalSettings {
            kind: snake(name),
            scheme: name.clone(),
            scopes: Some(String::new()),
            ..PrincipalSettings::default()
        })
        .collect()
}

impl Builder<'_> {
    /// The scopes of the extension: an entry is one scope, or a list of alternatives.
    fn scopes(&self, operation: &Value, pointer: &str) -> Result<Option<Vec<Vec<String>>>> {
        let Some(name) = &self.settings.extensions.scopes else { return Ok(None) };
        let Some(entries) = operation.get(name.as_str()) else { return Ok(None) };
        let pointer = format!("{pointer}/{name}");
        let Some(entries) = entries.as_array() else {
            bail!("{}: {pointer}: expected a list of scopes", self.file)
        };
        let scope = |value: &Value| value.as_str().map(str::to_owned);
        let read = |(index, entry): (usize, &Value)| {
            let any: Option<Vec<String>> = match entry {
                Value::Array(any) => any.iter().map(scope).collect(),
                one => scope(one).map(|scope| vec![scope]),
            };
            any.filter(|any| !any.is_empty()).with_context(|| {
                format!("{}: {pointer}/{index}: expected a scope, or a list of alternative scopes", self.file)
            })
        };
        entries.iter().enumerate().map(read).collect::<Result<_>>().map(Some)
    }

    /// The roles of the extension; empty without it.
    fn roles(&self, operation: &Value, pointer: &str) -> Result<Vec<String>> {
        let Some(name) = &self.settings.extensions.roles else { return Ok(Vec::new()) };
        let Some(entries) = operation.get(name.as_str()) else { return Ok(Vec::new()) };
        let roles: Option<Vec<String>> = entries
            .as_array()
            .and_then(|entries| entries.iter().map(|entry| entry.as_str().map(str::to_owned)).collect());
        // An empty list could mean no role or any role.
        roles
            .filter(|roles| !roles.is_empty())
            .with_context(|| format!("{}: {pointer}/{name}: expected a list of roles", self.file))
    }

    /// The feature that the extension names.
    pub(super) fn feature(&self, operation: &Value, pointer: &str) -> Result<Option<String>> {
        let Some(name) = &self.settings.extensions.feature else { return Ok(None) };
        let Some(feature) = operation.get(name.as_str()) else { return Ok(None) };
        let pointer = format!("{pointer}/{name}");
        Ok(Some(known_feature(self.settings, feature, self.file, &pointer)?))
    }

    /// Rejects unsupported security schemes.
    fn check_scheme(&self, name: &str) -> Result<()> {
        let scheme = &self.document["components"]["securitySchemes"][name];
        let is = |known: &[&str], value: &Value| {
            value.as_str().is_none_or(|value| known.iter().any(|known| known.eq_ignore_ascii_case(value)))
        };
        let kinds = ["apiKey", "http", "oauth2", "openIdConnect"];
        if is(&kinds, &scheme["type"]) && is(&["basic", "bearer"], &scheme["scheme"]) {
            return Ok(());
        }
        let kind = if scheme["type"] == "http" { &scheme["scheme"] } else { &scheme["type"] };
        bail!(
            "{}: #/components/securitySchemes/{}: {} is not supported; use apiKey, http basic, http bearer, oauth2 or openIdConnect",
            self.file,
            escape(name),
            kind.as_str().unwrap_or_default()
        )
    }

    /// The credentials that an operation accepts, and whether it also accepts requests without any.
    pub(super) fn security(&self, operation: &Value, pointer: &str) -> Result<(Vec<Accepted>, bool)> {
        let alternatives = operation.get("security").or_else(|| self.document.get("security"));
        let Some(alternatives) = alternatives.and_then(Value::as_array) else {
            return Ok((Vec::new(), true));
        };
        let all = kinds(self.settings, self.document);
        let list = |name: &Option<String>| -> Option<Vec<String>> {
            let values = operation.get(name.as_deref()?)?.as_array()?;
            Some(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        };
        let scopes = self.scopes(operation, pointer)?;
        let allowed = list(&self.settings.extensions.principals);
        let roles = self.roles(operation, pointer)?;
        let mut accepted: Vec<Accepted> = Vec::new();
        let mut anonymous = alternatives.is_empty();
        for alternative in alternatives {
            let Some(schemes) = alternative.as_object() else { continue };
            if schemes.is_empty() {
                anonymous = true;
            }
            for (scheme, standard_scopes) in schemes {
                self.check_scheme(scheme)?;
                let extra = self.settings.schemes.get(scheme);
                let mut any = false;
                for kind in &all {
                    let carried =
                        kind.scheme == *scheme || extra.is_some_and(|kinds| kinds.contains(&kind.kind));
                    if !carried {
                        continue;
                    }
                    any = true;
                    if allowed.as_ref().is_some_and(|allowed| !allowed.contains(&kind.kind))
                        || accepted.iter().any(|other| other.kind == kind.kind)
                    {
                        continue;
                    }
                    let scopes = match (&scopes, &kind.scopes) {
                        (Some(scopes), Some(prefix)) => {
                            let others: Vec<&str> = all
                                .iter()
                                .filter_map(|other| other.scopes.as_deref())
                                .filter(|other| !other.is_empty())
                                .collect();
                            let own = |scope: &&String| {
                                if prefix.is_empty() {
                                    !others.iter().any(|other| scope.starts_with(other))
                                } else {
                                    scope.starts_with(prefix.as_str())
                                }
                            };
                            scopes
                                .iter()
                                .map(|any| any.iter().filter(own).cloned().collect::<Vec<_>>())
                                .filter(|any| !any.is_empty())
                                .collect()
                        }
                        (None, Some(_)) => standard_scopes
                            .as_array()
                            .into_iter()
                            .flatten()
                            .filter_map(Value::as_str)
                            .map(|scope| vec![scope.to_owned()])
                            .collect(),
                        _ => Vec::new(),
                    };
                    let roles = if kind.roles { roles.clone() } else { Vec::new() };
                    accepted.push(Accepted { kind: kind.kind.clone(), scopes, roles });
                }
                if !any {
                    bail!(
                        "{}: {pointer}/security: no kind of credential uses scheme {scheme}; declare it in components.securitySchemes or in the settings",
                        self.file
                    );
                }
            }
        }
        if let Some(allowed) = allowed {
            for kind in &allowed {
                if !accepted.iter().any(|entry| entry.kind == *kind) {
                    bail!(
                        "{}: {pointer}: no security scheme of the operation accepts kind {kind}; add one, or remove the kind",
                        self.file
                    );
                }
            }
        }
        if !roles.is_empty() && accepted.iter().all(|entry| entry.roles.is_empty()) {
            bail!(
                "{}: {pointer}: roles are required, but no accepted kind of credential has one; see `roles` of [[principal]] in the settings",
                self.file
            );
        }
        Ok((accepted, anonymous))
    }
}

/// Checks the features that security schemes need.
pub(super) fn scheme_features(settings: &Settings, document: &Value, file: &str) -> Result<()> {
    let Some(name) = &settings.extensions.feature else { return Ok(()) };
    for (scheme, declared) in document["components"]["securitySchemes"].as_object().into_iter().flatten() {
        if let Some(feature) = declared.get(name.as_str()) {
            let pointer = format!("#/components/securitySchemes/{}/{name}", escape(scheme));
            known_feature(settings, feature, file, &pointer)?;
        }
    }
    Ok(())
}

/// A feature that the settings list. Where they list none, any text is a feature.
fn known_feature(settings: &Settings, feature: &Value, file: &str, pointer: &str) -> Result<String> {
    let feature = feature
        .as_str()
        .filter(|feature| !feature.is_empty())
        .with_context(|| format!("{file}: {pointer}: expected the name of a feature"))?;
    if !settings.features.is_empty() && !settings.features.iter().any(|known| known == feature) {
        bail!(
            "{file}: {pointer}: there is no feature {feature}; name one of {}, or add it to features in the settings",
            settings.features.join(", ")
        );
    }
    Ok(feature.to_owned())
}

/// Rejects settings with an error code that the contract does not have.
pub(super) fn codes_exist(settings: &Settings, document: &Value) -> Result<()> {
    let mut known: Vec<&str> = Vec::new();
    for (schema, error) in &settings.errors {
        let body = &document["components"]["schemas"][schema.as_str()];
        if !body.is_object() {
            bail!("settings [errors.{schema}]: the contract has no such schema");
        }
        let Some(member) = &error.code else { continue };
        let mut code = &body["properties"][member.as_str()];
        if let Some(name) = code["$ref"].as_str().and_then(|reference| reference.strip_prefix(SCHEMA_PREFIX))
        {
            code = &document["components"]["schemas"][name];
        }
        let Some(values) = code["enum"].as_array() else { return Ok(()) };
        let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        for (problem, code) in &error.codes {
            if !values.contains(&code.as_str()) {
                bail!("settings [errors.{schema}.codes] {problem}: the contract has no code {code}");
            }
        }
        known.extend(values);
    }
    for principal in &settings.principal {
        let codes = [&principal.missing, &principal.invalid, &principal.expired, &principal.denied];
        for code in codes.into_iter().flatten() {
            if !known.is_empty() && !known.contains(&code.as_str()) {
                bail!("settings [[principal]] {}: the contract has no error code {code}", principal.kind);
            }
        }
    }
    Ok(())
}
