//! Compares who may call an operation: security requirements, their schemes, and what extensions say of scopes, kinds
//! of credential and roles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::operations::ChangeLog;
use super::{Level, Side};
use crate::walk::{Operation, elements, join, members, strings};

/// One way in: the schemes that are needed together, each with its scopes. Empty means nothing is needed.
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
}

fn requirements_of(document: &Value, operation: &Operation<'_>) -> Vec<Requirement> {
    let ways: Vec<Requirement> = operation
        .security(document)
        .into_iter()
        .flatten()
        .map(|way| {
            members(way)
                .map(|(scheme, scopes)| (scheme.clone(), strings(scopes).map(str::to_owned).collect()))
                .collect()
        })
        .collect();
    // No requirement at all: everybody.
    if ways.is_empty() { vec![Requirement::new()] } else { ways }
}

/// Whether whoever comes by `way` also satisfies `needed`.
fn satisfies(way: &Requirement, needed: &Requirement) -> bool {
    needed.iter().all(|(scheme, scopes)| way.get(scheme).is_some_and(|held| scopes.is_subset(held)))
}

fn said(way: &Requirement) -> String {
    if way.is_empty() {
        return "no credentials".to_owned();
    }
    let parts: Vec<String> = way
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
    let list = |ways: &[Requirement]| ways.iter().map(said).collect::<Vec<_>>().join(" or ");
    for way in &were {
        if !are.iter().any(|needed| satisfies(way, needed)) {
            log.record(
                Level::Breaking,
                "security-tightened",
                Side::New,
                pointer.clone(),
                format!("{} does not let in any more; needs {}", said(way), list(&are)),
                &after.label(),
            );
        }
    }
    for way in &are {
        if !were.iter().any(|needed| satisfies(way, needed)) {
            log.record(
                Level::Compatible,
                "security-loosened",
                Side::New,
                pointer.clone(),
                format!("{} lets in too", said(way)),
                &after.label(),
            );
        }
    }
}

/// The same name may stand for another credential now.
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
                    format!("{name} is sent or obtained in another way: {keyword} changed"),
                    &after.label(),
                );
            }
        }
    }
}

/// Keys of extensions whose name ends like this.
fn keys<'a>(before: &'a Operation<'_>, after: &'a Operation<'_>, suffix: &str) -> BTreeSet<&'a String> {
    members(before.value)
        .chain(members(after.value))
        .map(|(key, _)| key)
        .filter(|key| key.starts_with("x-") && key.ends_with(suffix))
        .collect()
}

/// Extensions that list scopes: all entries are needed, and of an entry that is a list any one.
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
        let said = |any: &BTreeSet<String>| any.iter().cloned().collect::<Vec<_>>().join(" or ");
        let (was, is) = (read(before), read(after));
        // Whoever had to hold one of fewer holds one of these too.
        for any in is.iter().filter(|any| !was.iter().any(|held| held.is_subset(any))) {
            let message = format!("needs scope {}", said(any));
            let at = join(&after.pointer(), key);
            log.record(Level::Breaking, "scope-added", Side::New, at, message, &after.label());
        }
        for any in was.iter().filter(|any| !is.iter().any(|held| held.is_subset(any))) {
            let message = format!("does not need scope {} any more", said(any));
            let at = join(&before.pointer(), key);
            log.record(Level::Compatible, "scope-removed", Side::Old, at, message, &after.label());
        }
    }
}

/// Extensions that list kinds of caller.
fn principals(before: &Operation<'_>, after: &Operation<'_>, log: &mut ChangeLog) {
    for key in keys(before, after, "-principals") {
        let read = |operation: &Operation<'_>| -> Option<BTreeSet<String>> {
            operation.value.get(key).map(|list| strings(list).map(str::to_owned).collect())
        };
        // A list of callers that is new says in the contract what was said elsewhere.
        let (Some(was), Some(is)) = (read(before), read(after)) else { continue };
        for item in is.difference(&was) {
            let message = format!("{item} may call it too");
            let at = join(&after.pointer(), key);
            log.record(Level::Compatible, "principal-added", Side::New, at, message, &after.label());
        }
        for item in was.difference(&is) {
            let message = format!("{item} may not call it any more");
            let at = join(&before.pointer(), key);
            log.record(Level::Breaking, "principal-removed", Side::Old, at, message, &after.label());
        }
    }
}

/// Extensions that list roles. Without a list, whoever is let in may call, in whatever role.
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
                record(Level::Breaking, "role-needed", Side::New, format!("needs the role {names}"));
            }
            (Some(_), None) => {
                let message = "does not need a role any more".to_owned();
                record(Level::Compatible, "role-not-needed", Side::Old, message);
            }
            (Some(was), Some(is)) => {
                for role in is.difference(&was) {
                    let message = format!("the role {role} may call it too");
                    record(Level::Compatible, "role-added", Side::New, message);
                }
                for role in was.difference(&is) {
                    let message = format!("the role {role} may not call it any more");
                    record(Level::Breaking, "role-removed", Side::Old, message);
                }
            }
            (None, None) => {}
        }
    }
}
