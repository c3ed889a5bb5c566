//! Compares who may call an operation: security requirements, their schemes, and scope lists in extensions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::operations::Told;
use super::{Level, Side};
use crate::walk::{Operation, join, members, strings};

/// One way in: the schemes that are needed together, each with its scopes. Empty means nothing is needed.
type WayIn = BTreeMap<String, BTreeSet<String>>;

pub(super) fn compare(
    old: &Value,
    new: &Value,
    before: &Operation<'_>,
    after: &Operation<'_>,
    told: &mut Told,
) {
    requirements(old, new, before, after, told);
    schemes(old, new, before, after, told);
    for (suffix, more_is_stricter) in [("-scopes", true), ("-principals", false)] {
        lists(before, after, suffix, more_is_stricter, told);
    }
}

fn ways_in(document: &Value, operation: &Operation<'_>) -> Vec<WayIn> {
    let ways: Vec<WayIn> = operation
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
    if ways.is_empty() { vec![WayIn::new()] } else { ways }
}

/// Whether whoever comes by `way` also satisfies `needed`.
fn satisfies(way: &WayIn, needed: &WayIn) -> bool {
    needed.iter().all(|(scheme, scopes)| way.get(scheme).is_some_and(|held| scopes.is_subset(held)))
}

fn said(way: &WayIn) -> String {
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

fn requirements(old: &Value, new: &Value, before: &Operation<'_>, after: &Operation<'_>, told: &mut Told) {
    let (were, are) = (ways_in(old, before), ways_in(new, after));
    let pointer = match after.value.get("security") {
        None if new.get("security").is_some() => "#/security".to_owned(),
        None => after.pointer(),
        Some(_) => join(&after.pointer(), "security"),
    };
    let list = |ways: &[WayIn]| ways.iter().map(said).collect::<Vec<_>>().join(" or ");
    for way in &were {
        if !are.iter().any(|needed| satisfies(way, needed)) {
            told.tell(
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
            told.tell(
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
fn schemes(old: &Value, new: &Value, before: &Operation<'_>, after: &Operation<'_>, told: &mut Told) {
    let used = |document, operation| -> BTreeSet<String> {
        ways_in(document, operation).into_iter().flat_map(BTreeMap::into_keys).collect()
    };
    for name in used(old, before).intersection(&used(new, after)) {
        let scheme = |document: &Value| document["components"]["securitySchemes"][name].clone();
        let (was, is) = (scheme(old), scheme(new));
        for keyword in ["type", "in", "name", "scheme", "openIdConnectUrl", "flows"] {
            if was.get(keyword) != is.get(keyword) {
                told.tell(
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

/// Extensions that list scopes (all of them are needed) or kinds of caller (one of them is).
fn lists(
    before: &Operation<'_>,
    after: &Operation<'_>,
    suffix: &str,
    more_is_stricter: bool,
    told: &mut Told,
) {
    let keys: BTreeSet<&String> = members(before.value)
        .chain(members(after.value))
        .map(|(key, _)| key)
        .filter(|key| key.starts_with("x-") && key.ends_with(suffix))
        .collect();
    for key in keys {
        let read = |operation: &Operation<'_>| -> Option<BTreeSet<String>> {
            operation.value.get(key).map(|list| strings(list).map(str::to_owned).collect())
        };
        let (was, is) = (read(before), read(after));
        // A list of callers that is new says in the contract what was said elsewhere.
        if !more_is_stricter && (was.is_none() || is.is_none()) {
            continue;
        }
        let (was, is) = (was.unwrap_or_default(), is.unwrap_or_default());
        let (old_at, new_at) = (join(&before.pointer(), key), join(&after.pointer(), key));
        for item in is.difference(&was) {
            let (level, rule, message) = if more_is_stricter {
                (Level::Breaking, "scope-added", format!("needs scope {item}"))
            } else {
                (Level::Compatible, "principal-added", format!("{item} may call it too"))
            };
            told.tell(level, rule, Side::New, new_at.clone(), message, &after.label());
        }
        for item in was.difference(&is) {
            let (level, rule, message) = if more_is_stricter {
                (Level::Compatible, "scope-removed", format!("does not need scope {item} any more"))
            } else {
                (Level::Breaking, "principal-removed", format!("{item} may not call it any more"))
            };
            told.tell(level, rule, Side::Old, old_at.clone(), message, &after.label());
        }
    }
}
