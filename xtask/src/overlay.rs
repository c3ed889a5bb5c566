//! OpenAPI Overlay 1.0: the files of an overlay, and the contract that results when their actions are applied in
//! order. Which overlay applies is decided in `source`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use roas_overlay::apply::{Apply as _, ApplyErrorKind, ApplyOptions};
use roas_overlay::v1_0::{Action, Overlay};
use serde_json::{Map, Value};

use crate::lock;

/// The files of an overlay in the order in which they are applied: a file by itself, or the `.json` files of a
/// folder by name.
pub fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let cannot_list = || format!("cannot list {}", path.display());
    for entry in std::fs::read_dir(path).with_context(cannot_list)? {
        let name = entry.with_context(cannot_list)?.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".json") && !name.starts_with('.') && name != "README.md" {
            bail!(
                "{}/{name} is not applied: an overlay folder has .json files only; move it",
                path.display()
            );
        }
    }
    let names = lock::overlay_files(path).with_context(cannot_list)?;
    if names.is_empty() {
        bail!("{} is empty; add an OpenAPI Overlay 1.0 document, or remove the folder", path.display());
    }
    Ok(names.iter().map(|name| path.join(name)).collect())
}

/// Applies overlay files to the published document, one action after the other. An error names file and action.
pub fn apply(published: &Value, files: &[PathBuf]) -> Result<Value> {
    let overlays = files.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
    let mut effective = published.clone();
    for (path, overlay) in files.iter().zip(&overlays) {
        apply_one(path, overlay, &mut effective)?;
    }
    let loosened = loosened(published, &effective, "");
    if !loosened.is_empty() {
        let lines: Vec<String> = loosened
            .iter()
            .map(|limit| {
                let by = last_change(published, files, &overlays, limit);
                format!("#{}: {}, {by}", limit.pointer, limit.change)
            })
            .collect();
        bail!(
            "the overlay may tighten limits of the published document and may not loosen them:\n  {}\n\
             take the limit out of the action, or make it as strict as the published one",
            lines.join("\n  ")
        );
    }
    sort_additions(published, &mut effective);
    Ok(effective)
}

/// Reads an overlay file and checks the targets of its actions.
fn read(path: &Path) -> Result<Overlay> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let overlay: Overlay = serde_json::from_str(&text)
        .with_context(|| format!("{} is not an OpenAPI Overlay 1.0 document", path.display()))?;
    for (index, action) in overlay.actions.iter().enumerate() {
        if selects_by_index(&action.target) {
            bail!(
                "{}: the target selects by index, which changes when another element is added; select by a member, \
                 as in parameters[?@.name=='limit'] or parameters[?@['$ref']=='#/components/parameters/LimitQuery']",
                place(path, index, action)
            );
        }
    }
    Ok(overlay)
}

fn apply_one(path: &Path, overlay: &Overlay, document: &mut Value) -> Result<()> {
    let Err(error) = overlay.apply(document, ApplyOptions::ErrorOnZeroMatch.into()) else { return Ok(()) };
    let place = place(path, error.action_index, &overlay.actions[error.action_index]);
    match error.kind {
        ApplyErrorKind::ZeroMatch => {
            bail!("{place}: the target matches nothing; correct it, or remove the action")
        }
        kind => bail!("{place}: {kind}"),
    }
}

/// `openapi.overlay/chat.json: actions[3] ($.paths['/chat'].get)`.
fn place(path: &Path, index: usize, action: &Action) -> String {
    format!("{}: actions[{index}] ({})", path.display(), action.target)
}

/// Whether a JSONPath selects an array element by its position: `[0]`, `[-1]`, `[1:3]`.
fn selects_by_index(target: &str) -> bool {
    let mut quote = None;
    let mut after_bracket = false;
    for letter in target.chars() {
        match quote {
            Some(open) => {
                if letter == open {
                    quote = None;
                }
                continue;
            }
            None if matches!(letter, '\'' | '"') => quote = Some(letter),
            None if after_bracket && (letter.is_ascii_digit() || matches!(letter, '-' | ':')) => return true,
            None => {}
        }
        after_bracket = letter == '[' || letter == ',' || after_bracket && letter.is_whitespace();
    }
    false
}

/// Orders what an overlay adds to `paths` and to the sections of `components`: after what is published, by name.
/// In which file of the overlay an action is then makes no difference to the contract.
fn sort_additions(published: &Value, effective: &mut Value) {
    let sort = |published: &Value, effective: &mut Value| {
        let Value::Object(all) = effective else { return };
        let mut sorted = Map::new();
        for name in published.as_object().into_iter().flat_map(Map::keys) {
            if let Some(value) = all.shift_remove(name) {
                sorted.insert(name.clone(), value);
            }
        }
        let mut added: Vec<(String, Value)> = std::mem::take(all).into_iter().collect();
        added.sort_by(|one, other| one.0.cmp(&other.0));
        sorted.extend(added);
        *all = sorted;
    };
    if let Some(paths) = effective.get_mut("paths") {
        sort(&published["paths"], paths);
    }
    for (name, section) in
        effective.get_mut("components").and_then(Value::as_object_mut).into_iter().flatten()
    {
        sort(&published["components"][name], section);
    }
}

/// A limit of the published document that the effective one widens or drops.
#[derive(Debug, PartialEq)]
struct Loosened {
    /// JSON pointer of the limit.
    pointer: String,
    /// What happened to it.
    change: String,
}

/// Whether the effective value of a limit accepts more than the published one.
fn is_looser(keyword: &str, published: f64, effective: Option<f64>) -> bool {
    effective.is_none_or(|now| if keyword.starts_with("max") { now > published } else { now < published })
}

fn is_limit(keyword: &str) -> bool {
    matches!(
        keyword,
        "maxLength"
            | "maximum"
            | "maxItems"
            | "maxProperties"
            | "minLength"
            | "minimum"
            | "minItems"
            | "minProperties"
    )
}

/// Every limit below `pointer` that is looser in the effective document, where the schema it belongs to is still
/// there.
fn loosened(published: &Value, effective: &Value, pointer: &str) -> Vec<Loosened> {
    let mut out = Vec::new();
    match (published, effective) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                let at = format!("{pointer}/{}", crate::name::escape(key));
                match value.as_f64().filter(|_| is_limit(key)) {
                    Some(limit) => {
                        let now = after.get(key);
                        if is_looser(key, limit, now.and_then(Value::as_f64)) {
                            let change = match now {
                                Some(now) => format!("{value} published, {now} with the overlay"),
                                None => format!("{value} published, removed by the overlay"),
                            };
                            out.push(Loosened { pointer: at, change });
                        }
                    }
                    None => {
                        if let Some(after) = after.get(key) {
                            out.extend(loosened(value, after, &at));
                        }
                    }
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                out.extend(loosened(before, after, &format!("{pointer}/{index}")));
            }
        }
        _ => {}
    }
    out
}

/// The action that loosened a limit, found by applying the actions one by one.
fn last_change(published: &Value, files: &[PathBuf], overlays: &[Overlay], limit: &Loosened) -> String {
    let (parent, keyword) = limit.pointer.rsplit_once('/').unwrap_or_default();
    let before = published.pointer(&limit.pointer).and_then(Value::as_f64).unwrap_or_default();
    let mut document = published.clone();
    let (mut loose, mut by) = (false, "by no single action".to_owned());
    for (path, overlay) in files.iter().zip(overlays) {
        for (index, action) in overlay.actions.iter().enumerate() {
            let single = Overlay { actions: vec![action.clone()], ..Overlay::default() };
            if apply_one(path, &single, &mut document).is_err() {
                return by;
            }
            let now = document.pointer(parent).map(|schema| schema.get(keyword).and_then(Value::as_f64));
            let is_loose = now.is_some_and(|now| is_looser(keyword, before, now));
            if is_loose && !loose {
                by = format!("by {}", place(path, index, action));
            }
            loose = is_loose;
        }
    }
    by
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A folder with these overlay files, and its files in order.
    fn folder(overlays: &[(&str, Value)]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, actions) in overlays {
            let overlay = json!({ "overlay": "1.0.0", "info": { "title": "Test", "version": "1" }, "actions": actions });
            std::fs::write(folder.path().join(name), overlay.to_string()).unwrap();
        }
        let files = files(folder.path()).unwrap();
        (folder, files)
    }

    fn error(published: &Value, overlays: &[(&str, Value)]) -> String {
        let (_folder, files) = folder(overlays);
        format!("{:#}", apply(published, &files).unwrap_err())
    }

    #[test]
    fn applies_the_files_of_a_folder_by_name() {
        let set = |value: &str| json!([{ "target": "$.info", "update": { "title": value } }]);
        let (folder, files) =
            folder(&[("b.json", set("b")), ("a.json", set("a")), ("00-shared.json", set("0"))]);
        let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_string_lossy()).collect();
        assert_eq!(names, ["00-shared.json", "a.json", "b.json"]);
        assert_eq!(apply(&json!({ "info": {} }), &files).unwrap()["info"]["title"], "b");

        std::fs::write(folder.path().join("README.md"), "").unwrap();
        assert_eq!(super::files(folder.path()).unwrap(), files);
        std::fs::write(folder.path().join("c.yaml"), "").unwrap();
        assert!(super::files(folder.path()).unwrap_err().to_string().contains("c.yaml is not applied"));
    }

    #[test]
    fn names_file_and_action_when_a_target_matches_nothing() {
        let update = json!({});
        let actions =
            json!([{ "target": "$.info", "update": update }, { "target": "$.nowhere", "update": update }]);
        let error = error(&json!({ "info": {} }), &[("chat.json", actions)]);
        assert!(error.contains("chat.json: actions[1] ($.nowhere): the target matches nothing"), "{error}");
    }

    #[test]
    fn refuses_targets_that_select_by_index() {
        for target in ["$.a[0]", "$.a[ 2 ].b", "$.a[-1]", "$.a[1:2]", "$.a[:1]", "$['a', 0]"] {
            let error = error(&json!({}), &[("a.json", json!([{ "target": target, "remove": true }]))]);
            assert!(error.contains("a.json: actions[0]") && error.contains("selects by index"), "{error}");
        }
        for target in ["$.paths['/a/{b}[0]'].get", "$.a[?@.name=='0'].b", "$.responses['200']", "$.a.*"] {
            assert!(!selects_by_index(target), "{target}");
        }
    }

    #[test]
    fn selects_parameters_by_name() {
        let published = json!({ "parameters": [{ "$ref": "#/a" }, { "name": "limit" }, { "name": "page" }] });
        let actions = json!([
            { "target": "$.parameters[?@.name=='page']", "update": { "in": "query" } },
            { "target": "$.parameters[?@['$ref']=='#/a']", "remove": true },
        ]);
        let (_folder, files) = folder(&[("a.json", actions)]);
        let expected = json!({ "parameters": [{ "name": "limit" }, { "name": "page", "in": "query" }] });
        assert_eq!(apply(&published, &files).unwrap(), expected);
    }

    #[test]
    fn may_tighten_limits() {
        let published = json!({ "a": { "maxLength": 10, "minimum": 1 }, "b": {} });
        let actions = json!([
            { "target": "$.a", "update": { "maxLength": 9, "minimum": 2 } },
            { "target": "$.b", "update": { "maxLength": 3 } },
        ]);
        let (_folder, files) = folder(&[("a.json", actions)]);
        assert!(apply(&published, &files).is_ok());
    }

    #[test]
    fn names_the_action_that_loosens_a_limit() {
        let published = json!({ "a": [{ "maxLength": 10, "minimum": 1, "maxItems": 5 }], "b": { "minLength": 2 }, "c": { "maximum": 9 } });
        let error = error(
            &published,
            &[
                ("a.json", json!([{ "target": "$.a.*", "update": { "maxLength": 200, "minimum": 0 } }])),
                (
                    "b.json",
                    json!([
                        { "target": "$.b", "update": { "minLength": 3 } },
                        { "target": "$.b", "update": { "minLength": 1 } },
                        { "target": "$.c", "remove": true },
                        { "target": "$", "update": { "c": {} } },
                    ]),
                ),
            ],
        );
        for line in [
            "#/a/0/maxLength: 10 published, 200 with the overlay, by ",
            "a.json: actions[0] ($.a.*)",
            "#/a/0/minimum: 1 published, 0 with the overlay, by ",
            "#/b/minLength: 2 published, 1 with the overlay, by ",
            "b.json: actions[1] ($.b)",
            "#/c/maximum: 9 published, removed by the overlay, by ",
            "b.json: actions[3] ($)",
        ] {
            assert!(error.contains(line), "{line} is not in\n{error}");
        }
        assert!(!error.contains("maxItems"), "{error}");
    }

    #[test]
    fn additions_are_ordered_by_name() {
        let published = json!({ "paths": { "/b": {}, "/a": {} }, "components": { "schemas": { "Z": {} } } });
        let add = |names: [&str; 2]| {
            let named = |prefix: &str| -> Value {
                names.iter().map(|name| (format!("{prefix}{name}"), json!({}))).collect::<Map<_, _>>().into()
            };
            json!([
                { "target": "$.paths", "update": named("/") },
                { "target": "$.components.schemas", "update": named("") },
            ])
        };
        let with = |one, other| {
            let (_folder, files) = folder(&[("1.json", add(one)), ("2.json", add(other))]);
            apply(&published, &files).unwrap().to_string()
        };
        let text = with(["e", "c"], ["d", "x"]);
        assert_eq!(text, with(["d", "x"], ["c", "e"]));
        let expected = json!({
            "paths": { "/b": {}, "/a": {}, "/c": {}, "/d": {}, "/e": {}, "/x": {} },
            "components": { "schemas": { "Z": {}, "c": {}, "d": {}, "e": {}, "x": {} } },
        });
        assert_eq!(text, expected.to_string());
    }
}
