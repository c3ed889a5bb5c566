//! Generates a workspace from public documents and from small ones that cover their constructs. Output is deterministic
//! and compiles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use xtask::generate::{self, Generated};
use xtask::model::Contract;
use xtask::source::{self, Inputs};
use xtask::{output, workspace_scaffold};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents")
}

/// Name and path of every document, by name.
fn documents() -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the folder of documents");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), path))
        .collect()
}

fn load(path: &Path) -> Contract {
    let inputs = Inputs { contract: Some(path.to_owned()), overlay: None, settings: None };
    let source = source::load(&inputs).unwrap_or_else(|error| panic!("{}: {error:#}", path.display()));
    generate::contract(source).unwrap_or_else(|error| panic!("{error:#}"))
}

fn generated(path: &Path) -> Generated {
    generate::workspace(&load(path)).unwrap_or_else(|error| panic!("{}: {error:#}", path.display()))
}

#[test]
fn output_is_deterministic() {
    for (name, path) in documents() {
        let (first, second) = (generated(&path), generated(&path));
        assert!(first.files == second.files, "{name} differs from one run to the next");
        let out = tempfile::tempdir().expect("a folder");
        output::write(out.path(), &first.files, &first.owned).expect("writes");
        assert!(output::stale(out.path(), &second.files, &second.owned).expect("reads").is_empty(), "{name}");
    }
}

#[test]
fn generates_a_server_trait_if_errors_share_a_schema() {
    let server = |path: &Path| {
        let generated = generated(path);
        let there = generated.files.iter().any(|file| file.path.ends_with("dispatch.rs"));
        assert_eq!(there, generated.without_server.is_none());
        there
    };
    assert!(server(&folder().join("keeper.json")));
    assert!(server(&folder().join("museum.json")));
    assert!(server(&folder().join("schemas.json")));
    assert!(!server(&folder().join("shop.json")));
    let reason = generated(&folder().join("shop.json")).without_server.expect("a reason");
    assert!(reason.contains("#/paths/~1orders/post (placeOrder): BadRequest, Invalid"), "{reason}");
}

#[test]
fn keeps_wire_names_that_collide_in_rust() {
    let text = |document: &str, end: &str| -> String {
        let generated = generated(&folder().join(document));
        let files = generated.files.into_iter().filter(|file| file.path.ends_with(end));
        files.map(|file| file.text).collect()
    };
    let names = text("names.json", "shared.rs");
    for own in ["fooBar", "foo-bar", "FOO_BAR", "foo.bar", "@id", "_"] {
        assert!(names.contains(&format!("rename = \"{own}\"")), "{own} is lost in\n{names}");
    }
    for ty in
        ["struct Pet ", "struct PetValue ", "struct OptionValue ", "struct FieldValue ", "struct FooBar2 "]
    {
        assert!(names.contains(ty), "{ty} is not in\n{names}");
    }
    let schemas = text("schemas.json", "shared.rs");
    for line in ["Plus1 = \"+1\"", "Minus1 = \"-1\"", "Empty = \"\""] {
        assert!(schemas.contains(line), "{line} is not in\n{schemas}");
    }
}

/// What is wrong, an edit that makes it so, and the pointer that the error names.
type Wrong = (&'static str, fn(&mut Value), &'static str);

#[test]
fn rejects_unsupported_constructs_with_their_pointer() {
    const GET: &str = "/paths/~1special-events/get";
    fn at<'v>(document: &'v mut Value, pointer: &str) -> &'v mut Value {
        document.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}"))
    }
    let cases: &[Wrong] = &[
        (
            "a reference to nothing",
            |d| {
                at(d, "/components/schemas/SpecialEvent")["properties"]["more"] = json!({"$ref": "#/nowhere"})
            },
            "#/components/schemas/SpecialEvent/properties/more",
        ),
        (
            "a reference into another file",
            |d| {
                at(d, "/components/schemas/SpecialEvent")["properties"]["more"] =
                    json!({"$ref": "more.json#/A"})
            },
            "#/components/schemas/SpecialEvent/properties/more",
        ),
        (
            "an unknown keyword",
            |d| at(d, "/components/schemas/EventName")["maxLenght"] = json!(3),
            "#/components/schemas/EventName/maxLenght",
        ),
        (
            "a default that the schema forbids",
            |d| {
                at(d, "/components/schemas/SpecialEvent")["properties"]["more"] =
                    json!({"type": "integer", "default": "x"})
            },
            "#/components/schemas/SpecialEvent",
        ),
        (
            "a style that cannot be written",
            |d| {
                at(d, GET)["parameters"] =
                    json!([{"name": "q", "in": "query", "style": "matrix", "schema": {"type": "string"}}])
            },
            "#/paths/~1special-events/get/parameters/0",
        ),
        (
            "a parameter of no known place",
            |d| at(d, GET)["parameters"] = json!([{"name": "q", "in": "body", "schema": {"type": "string"}}]),
            "#/paths/~1special-events/get/parameters/0",
        ),
        (
            "a variable that nothing declares",
            |d| at(d, "/paths/~1special-events~1{eventId}/get")["parameters"] = json!([]),
            "#/paths/~1special-events~1{eventId}/get",
        ),
        (
            "a change of protocol",
            |d| at(d, GET)["responses"] = json!({"101": {"description": "Switch."}}),
            "#/paths/~1special-events/get/responses",
        ),
        (
            "a body of parts that is no form",
            |d| {
                at(d, "/paths/~1special-events/post/requestBody")["content"] =
                    json!({"multipart/mixed": {"schema": {}}})
            },
            "#/paths/~1special-events/post/requestBody",
        ),
        (
            "credentials that are certificates",
            |d| at(d, "/components/securitySchemes/MuseumPlaceholderAuth")["type"] = json!("mutualTLS"),
            "#/components/securitySchemes/MuseumPlaceholderAuth",
        ),
        (
            "credentials that are not declared",
            |d| at(d, GET)["security"] = json!([{"Other": []}]),
            "#/paths/~1special-events/get/security",
        ),
    ];
    for (name, edit, pointer) in cases {
        let inputs = Inputs { contract: Some(folder().join("museum.json")), overlay: None, settings: None };
        let mut source = source::load(&inputs).expect("loads");
        edit(&mut source.effective);
        let error = generate::contract(source).and_then(|contract| generate::workspace(&contract));
        let error = format!("{:#}", error.err().unwrap_or_else(|| panic!("{name} is not refused")));
        assert!(error.contains(pointer), "{name}: {pointer} is not in\n{error}");
    }
}

/// Writes every workspace below the target folder and lets one `cargo check --offline` after the other read
/// it. They share one target folder, so that dependencies are read once: minutes when cold, seconds when warm.
#[test]
fn every_generated_workspace_compiles() {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("documents");
    for (name, path) in documents() {
        let generated = generated(&path);
        let out = base.join(&name);
        output::write(&out, &generated.files, &generated.owned).expect("writes");
        workspace_scaffold::copy_lock(&source::root(), &out).expect("copies the lock file");
        let run = Command::new(env!("CARGO"))
            .args(["check", "--workspace", "--offline", "--quiet", "--color=never"])
            .current_dir(&out)
            .env("CARGO_TARGET_DIR", base.join("target"))
            .output()
            .expect("cargo runs");
        let text = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{name} does not compile\n{text}");
        assert!(!text.contains("warning"), "{name} compiles with warnings\n{text}");
    }
}
