//! Checks what CONTRIBUTING.md says about contract edits, on copies of the real contract: few generated files change, and
//! `diff` classifies the edit. Nothing is compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};
use xtask::diff::{Direction, Level, Options, Report, diff};
use xtask::source::{self, Inputs};
use xtask::{generate, lock, output};

/// What one edit of the contract does.
struct Outcome {
    /// Added and removed lines by file.
    changed: BTreeMap<String, (usize, usize)>,
    /// What changed for those who use the contract.
    report: Report,
}

impl Outcome {
    fn files(&self) -> BTreeSet<&str> {
        self.changed.keys().map(String::as_str).collect()
    }

    fn lines(&self) -> (usize, usize) {
        self.changed.values().fold((0, 0), |sum, lines| (sum.0 + lines.0, sum.1 + lines.1))
    }
}

/// The effective contract and the generated files, by path.
type Generated = (Value, BTreeMap<String, String>);

/// Puts copies of the generator's inputs into a folder.
fn copy_inputs(folder: &Path) {
    let root = source::root();
    std::fs::create_dir(folder.join(lock::OVERLAY)).expect("a folder");
    for name in lock::inputs(&root).expect("lists") {
        std::fs::copy(root.join(&name), folder.join(&name)).expect("copies");
    }
}

/// Generates from the inputs in a folder, into the same folder.
fn generate_in(folder: &Path) -> Generated {
    let inputs = Inputs {
        contract: Some(folder.join("openapi.json")),
        overlay: Some(folder.join(lock::OVERLAY)),
        settings: Some(folder.join("openapi.settings.toml")),
    };
    let contract = generate::contract(source::load(&inputs).expect("loads")).expect("is sound");
    let generated = generate::this_repository(&contract).expect("generates");
    output::write(folder, &generated.files, &generated.owned).expect("writes");
    let files = generated.files.into_iter().map(|file| {
        let text = std::fs::read_to_string(folder.join(&file.path)).expect("was written");
        (file.path.display().to_string(), text)
    });
    (contract.effective.clone(), files.collect())
}

/// What changes when `edit` changes an input of the generator.
fn with_edit(input: &str, edit: impl FnOnce(&mut Value)) -> Outcome {
    let generate_with = |edit: &mut dyn FnMut(&Path)| {
        let folder = tempfile::tempdir().expect("a folder");
        copy_inputs(folder.path());
        edit(folder.path());
        generate_in(folder.path())
    };
    // One run without an edit is enough for all tests.
    static BEFORE: OnceLock<Generated> = OnceLock::new();
    let (old, before) = BEFORE.get_or_init(|| generate_with(&mut |_| {}));
    let mut edit = Some(edit);
    let (new, after) = generate_with(&mut |folder| {
        let file = folder.join(input);
        let unedited = source::read_document(&file).expect("reads");
        let mut edited = unedited.clone();
        edit.take().expect("is called once")(&mut edited);
        assert_ne!(unedited, edited, "the edit changes something");
        std::fs::write(&file, serde_json::to_string_pretty(&edited).expect("writes")).expect("writes");
    });
    let mut changed = BTreeMap::new();
    for path in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let text = |files: &BTreeMap<String, String>| files.get(path).cloned().unwrap_or_default();
        let (old, new) = (text(before), text(&after));
        if old == new {
            continue;
        }
        let lines = similar::TextDiff::from_lines(&old, &new);
        let count = |tag| lines.iter_all_changes().filter(|change| change.tag() == tag).count();
        changed.insert(path.clone(), (count(similar::ChangeTag::Insert), count(similar::ChangeTag::Delete)));
    }
    println!("{changed:#?}");
    Outcome { changed, report: diff(old, &new, Options::default()) }
}

/// What an edit of the published document changes.
fn edited(edit: impl FnOnce(&mut Value)) -> Outcome {
    with_edit("openapi.json", edit)
}

fn at<'v>(document: &'v mut Value, pointer: &str) -> &'v mut Value {
    document.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}"))
}

fn rules(report: &Report) -> Vec<(Level, &'static str)> {
    report.changes.iter().map(|change| (change.level, change.rule)).collect()
}

const CLIENT: &str = "ringnity-client/src/generated";
const API: &str = "ringnity-server/api/src/generated";
const TYPES: &str = "ringnity-types/src/generated";
const CONTRACT: &str = "ringnity-server/api/src/generated/contract.json";
const LEDGER: &str = "ringnity-types/src/generated/fidelity.json";
const LOCK: &str = "generated.lock";

#[test]
fn added_operation_changes_the_files_of_its_tag() {
    let outcome = edited(|contract| {
        at(contract, "/paths")["/server/contact-tags"] = json!({ "get": {
            "tags": ["Server API"], "operationId": "listContactTags", "summary": "List the tags of contacts.",
            "security": [{ "ServerApiKey": [] }], "x-ringnity-scopes": ["server:contacts:read"],
            "responses": {
                "200": { "description": "Tags.", "content": { "application/json": { "schema": {
                    "type": "object", "required": ["tags"],
                    "properties": { "tags": { "type": "array", "items": { "type": "string" } } },
                } } } },
                "4XX": { "description": "No.", "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/ErrorEnvelope" } } } },
            },
        } });
    });
    let files = outcome.files();
    for file in [
        format!("{API}/server_api.rs"),
        format!("{API}/dispatch.rs"),
        format!("{CLIENT}/server_api.rs"),
        format!("{TYPES}/server_api.rs"),
        CONTRACT.to_owned(),
    ] {
        assert!(files.contains(file.as_str()), "{file} is not in {files:?}");
    }
    let allowed =
        ["server_api.rs", "mod.rs", "dispatch.rs", "schemas.rs", "contract.json", "fidelity.json", LOCK];
    for (file, (added, removed)) in &outcome.changed {
        // Elsewhere only numbers move: places in the table of operations, counts of users.
        let numbers = added == removed && *added <= 5;
        assert!(allowed.iter().any(|end| file.ends_with(end)) || numbers, "{file}: {added} {removed}");
    }
    let (added, removed) = outcome.lines();
    assert!((100..400).contains(&added) && removed < 30, "{:?}", outcome.changed);
    assert_eq!(rules(&outcome.report), [(Level::Compatible, "operation-added")]);
}

#[test]
fn added_property_adds_one_member() {
    let outcome = edited(|contract| {
        at(contract, "/components/schemas/ContactInput/properties")["nickname"] =
            json!({ "type": "string", "description": "What friends say." });
    });
    let files = outcome.files();
    let types = format!("{TYPES}/server_api.rs");
    for file in &files {
        let known = [types.as_str(), CONTRACT, LEDGER, LOCK].contains(file);
        assert!(known, "{file} changes too: {:?}", outcome.changed);
    }
    assert!(files.contains(CONTRACT));
    let (added, removed) = outcome.lines();
    assert!((5..60).contains(&added) && removed < 10, "{:?}", outcome.changed);
    assert!(!outcome.report.breaks(), "{:#?}", outcome.report);
    assert!(rules(&outcome.report).iter().all(|(level, _)| *level == Level::Compatible));
}

#[test]
fn an_optional_member_changes_the_files_of_its_tag() {
    let outcome = with_edit("openapi.overlay/server_api.json", |overlay| {
        at(overlay, "/actions").as_array_mut().expect("a list").push(json!({
            "target": "$.components.schemas.ContactInput.properties",
            "description": "Addition: how friends call the contact.",
            "update": { "nickname": { "type": "string", "description": "Nickname.", "x-ringnity-extension": true } },
        }));
    });
    // Besides the types of the tag: the contract, and the ledger that counts its keywords.
    let types = format!("{TYPES}/server_api.rs");
    assert_eq!(outcome.files(), BTreeSet::from([LOCK, CONTRACT, LEDGER, &types]), "{:#?}", outcome.changed);
    assert_eq!(outcome.changed[LOCK], (1, 1), "only the line of the overlay file changes");
    assert!(!outcome.report.breaks(), "{:#?}", outcome.report);
}

#[test]
fn added_enum_value_adds_a_variant() {
    let outcome = edited(|contract| {
        let values = at(contract, "/components/schemas/CallSessionStatus/enum");
        values.as_array_mut().expect("a list").push(json!("parked"));
    });
    let files = outcome.files();
    assert!(files.contains(CONTRACT));
    for file in &files {
        let known = file.starts_with(TYPES) || [CONTRACT, LOCK].contains(file);
        assert!(known, "{file} changes too: {:?}", outcome.changed);
    }
    let (added, removed) = outcome.lines();
    assert!((2..20).contains(&added) && removed < 6, "{:?}", outcome.changed);
    assert!(!outcome.report.breaks(), "{:#?}", outcome.report);
    let change = outcome.report.changes.iter().find(|change| change.rule == "enum-value-added");
    assert!(change.is_some_and(|change| change.level == Level::Compatible && change.note.is_some()));
}

#[test]
fn tightened_limit_changes_documentation_only() {
    let outcome = edited(|contract| {
        at(contract, "/components/parameters/LimitQuery/schema")["maximum"] = json!(50);
    });
    let (added, removed) = outcome.lines();
    assert!(outcome.files().contains(CONTRACT));
    assert!(added <= 8 && removed <= 8, "{:?}", outcome.changed);
    // The setters of the parameter document its limits.
    for (file, (added, removed)) in &outcome.changed {
        let documentation = file.starts_with(CLIENT) && added == removed;
        assert!(documentation || [CONTRACT, LOCK].contains(&file.as_str()), "{file}: {added} {removed}");
    }
    assert!(outcome.report.breaks());
    let change = &outcome.report.changes[0];
    assert_eq!((change.level, change.rule), (Level::Breaking, "limit-tightened"));
    assert_eq!(change.breaks, [Direction::Request]);
    assert!(change.operations.contains(&"listContacts".to_owned()), "{change:#?}");
    assert!(
        change.counterexample.as_ref().is_some_and(|value| value.as_i64().is_some_and(|value| value > 50))
    );
}
