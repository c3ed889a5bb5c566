//! Compares security requirements and schemes, and the extensions for scopes, kinds of credential, roles and
//! features.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::change_log::ChangeLog;
use super::{Level, Side};
use crate::walk::{Operation, elements, join, members, strings};

/// A security requirement: the schemes that are required together, each with its scopes. Empty: no credentials.
type Requirement = BTreeMap<String, BTreeSet<String>>;

pub(super) fn compare(
    old: &Value,
    new: &Value,
    before: &Operation<'_>,
    after: &Operation<'_>,
    log: &mut ChangeLog,
) {
    requirements(old, new, before, after, log);
    schemes(old, new, before, after, log);
    scopes(before, after, log);
    principals(before, after, log);
    roles(before, after, log);
    features(old, new, before, after, log);
}

fn requirements_of(document: &Value, operation: &Operation<'_>) -> Vec<Requirement> {
    let requirements: Vec<Requirement> = operation
        .security(document)
        .into_iter()
        .flatten()
        .map(|requirement| {
            members(requirement)
                .map(|(scheme, scopes)| (scheme.clone(), strings(scopes).map(str::to_owned).collect()))
                .collect()
        })
        .collect();
    // Without requirements, no credentials are needed.
    if requirements.is_empty() { vec![Requirement::new()] } else { requirements }
}

/// Whether credentials that satisfy `given` also satisfy `needed`.
fn satisfies(given: &Requirement, needed: &Requirement) -> bool {
    needed.iter().all(|(scheme, scopes)| given.get(scheme).is_some_and(|held| scopes.is_subset(held)))
}

fn describe(requirement: &Requirement) -> String {
    if requirement.is_empty() {
        return "no credentials".to_owned();
    }
    let parts: Vec<String> = requirement
        .iter()
        .map(|(scheme, scopes)| match scopes.is_empty() {
            true => scheme.clone(),
            false => format!("{scheme} ({})", scopes.iter().cloned().collect::<Vec<_>>().join(", ")),
        })
        .collect();
    parts.join(" with ")
}

fn requirements(
    old: &Value,
    new: &Value,
    before: &Operation<'_>,
    after: &Operation<'_>,
    log: &mut ChangeLog,
) {
    let (were, are) = (requirements_of(old, before), requirements_of(new, after));
    let pointer = match after.value.get("security") {
        None if new.get("security").is_some() => "#/security".to_owned(),
        None => after.pointer(),
        Some(_) => join(&after.pointer(), "security"),
    };
    let list =
        |requirements: &[Requirement]| requirements.iter().map(describe).collect::<Vec<_>>().join(" or ");
    for requirement in &were {
        if !are.iter().any(|needed| satisfies(requirement, needed)) {
            log.record(
                Level::Breaking,
                "security-tightened",
                Side::New,
                pointer.clone(),
                format!("{} is no longer sufficient; requires {}", describe(requirement), list(&are)),
                &after.label(),
            );
        }
    }
    for requirement in &are {
        if !were.iter().any(|needed| satisfies(requirement, needed)) {
            log.record(
                Level::Compatible,
                "security-loosened",
                Side::New,
                pointer.clone(),
                format!("{} is also accepted", describe(requirement)),
                &after.label(),
            );
        }
    }
}

/// Compares the schemes of the same name.
fn schemes(old: &Value, new: &Value, before: &Operation<'_>, after: &Operation<'_>, log: &mut ChangeLog) {
    let used = |document, operation| -> BTreeSet<String> {
        requirements_of(document, operation).into_iter().flat_map(BTreeMap::into_keys).collect()
    };
    for name in used(old, before).intersection(&used(new, after)) {
        let scheme = |document: &Value| document["components"]["securitySchemes"][name].clone();
        let (was, is) = (scheme(old), scheme(new));
        for keyword in ["type", "in", "name", "scheme", "openIdConnectUrl", "flows"] {
            if was.get(keyword) != is.get(keyword) {
                log.record(
                    Level::Breaking,
                    "security-scheme-changed",
                    Side::New,
                    join(&join("#/components/securitySchemes", name), keyword),
                    format!("{keyword} of {name} changed: credentials are sent or obtained differently"),
                    &after.label(),
                );
            }
        }
    }
}

/// The keys of extensions with this suffix.
fn keys<'a>(before: &'a Operation<'_>, after: &'a Operation<'_>, suffix: &str) -> BTreeSet<&'a String> {
    members(before.value)
        .chain(members(after.value))
        .map(|(key, _)| key)
        .filter(|key| key.starts_with("x-") && key.ends_with(suffix))
        .collect()
}

/// Compares the extensions that list scopes: all entries are required; of an entry that is a list, any one.
fn scopes(before: &Operation<'_>, after: &Operation<'_>, log: &mut ChangeLog) {
    for key in keys(before, after, "-scopes") {
        let read = |operation: &Operation<'_>| -> BTreeSet<BTreeSet<String>> {
            elements(&operation.value[key])
                .map(|entry| match entry.as_str() {
                    Some(scope) => BTreeSet::from([scope.to_owned()]),
                    None => strings(entry).map(str::to_owned).collect(),
                })
                .collect()
        };
        let shown = |any: &BTreeSet<String>| any.iter().cloned().collect::<Vec<_>>().join(" or ");
        let (was, is) = (read(before), read(after));
        // Whoever had to hold one of fewer holds one of these too.
        for any in is.iter().filter(|any| !was.iter().any(|held| held.is_subset(any))) {
            let message = format!("requires scope {}", shown(any));
            let at = join(&after.pointer(), key);
            log.record(Level::Breaking, "scope-added", Side::New, at, message, &after.label());
        }
        for any in was.iter().filter(|any| !is.iter().any(|held| held.is_subset(any))) {
            let message = format!("no longer requires scope {}", shown(any));
            let at = join(&before.pointer(), key);
            log.record(Level::Compatible, "scope-removed", Side::Old, at, message, &after.label());
        }
    }
}

/// Compares the extensions that list kinds of credential.
fn principals(before: &Operation<'_>, after: &Operation<'_>, log: &mut ChangeLog) {
    for key in keys(before, after, "-principals") {
        let read = |operation: &Operation<'_>| -> Option<BTreeSet<String>> {
            operation.value.get(key).map(|list| strings(list).map(str::to_owned).collect())
        };
        // A new list may only document what was enforced before.
        let (Some(was), Some(is)) = (read(before), read(after)) else { continue };
        for item in is.difference(&was) {
            let message = format!("{item} may also call it");
            let at = join(&after.pointer(), key);
            log.record(Level::Compatible, "principal-added", Side::New, at, message, &after.label());
        }
        for item in was.difference(&is) {
            let message = format!("{item} may no longer call it");
            let at = join(&before.pointer(), key);
            log.record(Level::Breaking, "principal-removed", Side::Old, at, message, &after.label());
        }
    }
}

/// Compares the extensions that list roles. Without a list, any role may call.
fn roles(before: &Operation<'_>, after: &Operation<'_>, log: &mut ChangeLog) {
    for key in keys(before, after, "-roles") {
        let read = |operation: &Operation<'_>| -> Option<BTreeSet<String>> {
            operation.value.get(key).map(|list| strings(list).map(str::to_owned).collect())
        };
        let mut record = |level, rule, side, message: String| {
            let of = if side == Side::New { after } else { before };
            log.record(level, rule, side, join(&of.pointer(), key), message, &after.label());
        };
        match (read(before), read(after)) {
            (None, Some(is)) => {
                let names = is.into_iter().collect::<Vec<_>>().join(" or ");
                record(Level::Breaking, "role-needed", Side::New, format!("requires the role {names}"));
            }
            (Some(_), None) => {
                let message = "no longer requires a role".to_owned();
                record(Level::Compatible, "role-not-needed", Side::Old, message);
            }
            (Some(was), Some(is)) => {
                for role in is.difference(&was) {
                    let message = format!("the role {role} may also call it");
                    record(Level::Compatible, "role-added", Side::New, message);
                }
                for role in was.difference(&is) {
                    let message = format!("the role {role} may no longer call it");
                    record(Level::Breaking, "role-removed", Side::Old, message);
                }
            }
            (None, None) => {}
        }
    }
}

/// The features that a plan must include: the operation's own, and those of its security schemes.
fn needed_features(document: &Value, operation: &Operation<'_>) -> BTreeMap<String, String> {
    let own = feature(operation.value).map(|(key, name)| (name.to_owned(), join(&operation.pointer(), key)));
    let schemes = requirements_of(document, operation).into_iter().flat_map(BTreeMap::into_keys);
    let of_schemes = schemes.filter_map(|scheme| {
        let (key, name) = feature(&document["components"]["securitySchemes"][&scheme])?;
        Some((name.to_owned(), join(&join("#/components/securitySchemes", &scheme), key)))
    });
    own.into_iter().chain(of_schemes).collect()
}

/// The extension of `holder` that names a feature.
fn feature(holder: &Value) -> Option<(&str, &str)> {
    members(holder).find_map(|(key, value)| {
        let is_feature = key.starts_with("x-") && key.ends_with("-feature");
        is_feature.then(|| Some((key.as_str(), value.as_str()?)))?
    })
}

/// Whether a document names features at all.
fn names_features(document: &Value) -> bool {
    let schemes = members(&document["components"]["securitySchemes"]).map(|(_, scheme)| scheme);
    let paths =
        members(&document["paths"]).flat_map(|(_, item)| members(item)).map(|(_, operation)| operation);
    schemes.chain(paths).any(|holder| feature(holder).is_some())
}

/// Extensions that name a feature.
fn features(old: &Value, new: &Value, before: &Operation<'_>, after: &Operation<'_>, log: &mut ChangeLog) {
    let (was, is) = (needed_features(old, before), needed_features(new, after));
    for (name, at) in is.iter().filter(|(name, _)| !was.contains_key(*name)) {
        // The first features that a contract names were needed before, and documented elsewhere.
        let (level, rule) = match names_features(old) {
            true => (Level::Breaking, "feature-needed"),
            false => (Level::Documentation, "feature-documented"),
        };
        let message = format!("needs a plan with the feature {name}");
        log.record(level, rule, Side::New, at.clone(), message, &after.label());
    }
    for (name, at) in was.iter().filter(|(name, _)| !is.contains_key(*name)) {
        let message = format!("does not need the feature {name} any more");
        log.record(Level::Compatible, "feature-not-needed", Side::Old, at.clone(), message, &after.label());
    }
}
