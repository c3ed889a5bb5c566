//! Compares the generated server trait of a small document with the committed copy, which compiles and runs in
//! ringnity-server/api/tests/runtime.

use std::path::{Path, PathBuf};

use xtask::emit;
use xtask::model::Contract;
use xtask::output::{self, File};
use xtask::source::{self, Inputs};

fn load(contract: PathBuf, settings: Option<PathBuf>) -> Contract {
    let inputs = Inputs { contract: Some(contract), overlay: None, settings };
    Contract::build(source::load(&inputs).expect("loads")).expect("builds")
}

#[test]
fn fixture_is_up_to_date() {
    let folder = source::root().join("ringnity-server/api/tests/runtime/fixture");
    let contract = load(folder.join("openapi.json"), Some(folder.join("settings.toml")));
    let prefix = emit::api_folder(&contract);
    let mut files: Vec<File> = emit::api::emit(&contract)
        .expect("emits")
        .into_iter()
        .map(|file| {
            let below = file.path.strip_prefix(&prefix).expect("lies in the api folder").to_owned();
            File::plain(Path::new("generated").join(below), file.text)
        })
        .collect();
    let text = serde_json::to_string_pretty(&contract.effective).expect("writes") + "\n";
    files.push(File::plain("generated/contract.json", text));
    let owned = [PathBuf::from("generated")];
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        output::write(&folder, &files, &owned).expect("writes");
    }
    let stale = output::stale(&folder, &files, &owned).expect("reads");
    let diff: String = stale.into_iter().map(|file| file.diff).collect();
    assert!(
        diff.is_empty(),
        "run UPDATE_FIXTURES=1 cargo test -p xtask --test api, then read the diff\n{diff}"
    );
}

#[test]
fn rejects_mixed_body_types_with_their_pointer() {
    let document = serde_json::json!({
        "openapi": "3.1.0", "info": { "title": "Mixed", "version": "1" },
        "paths": { "/a": { "post": { "operationId": "a", "responses": { "204": { "description": "Done." } },
            "requestBody": { "content": {
                "application/json": { "schema": { "type": "string" } },
                "image/png": {},
            } } } } },
    });
    let file = std::env::temp_dir().join(format!("xtask-api-mixed-{}.json", std::process::id()));
    std::fs::write(&file, document.to_string()).expect("writes");
    let error = emit::api::emit(&load(file.clone(), None)).expect_err("is refused");
    std::fs::remove_file(file).expect("cleans up");
    assert!(format!("{error:#}").contains("#/paths/~1a/post/requestBody/content/image~1png"), "{error:#}");
}

/// A feature that nothing can check, or that the settings do not list, is an error with its pointer.
#[test]
fn rejects_features_that_are_unknown_or_cannot_be_checked() {
    let folder = std::env::temp_dir().join(format!("xtask-api-features-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("makes a folder");
    let settings = folder.join("settings.toml");
    std::fs::write(&settings, "features = [\"pins\"]\n[extensions]\nfeature = \"x-feature\"\n")
        .expect("writes");
    let error = |operation: &serde_json::Value, schemes: serde_json::Value| {
        let document = serde_json::json!({
            "openapi": "3.1.0", "info": { "title": "Features", "version": "1" },
            "paths": { "/a": { "get": operation } }, "components": { "securitySchemes": schemes },
        });
        let contract = folder.join("openapi.json");
        std::fs::write(&contract, document.to_string()).expect("writes");
        let inputs = Inputs { contract: Some(contract), overlay: None, settings: Some(settings.clone()) };
        let built = Contract::build(source::load(&inputs).expect("loads"));
        built.err().map(|error| format!("{error:#}")).unwrap_or_default()
    };
    let operation = |feature: &str, security: serde_json::Value| {
        serde_json::json!({
            "operationId": "a", "x-feature": feature, "security": security,
            "responses": { "204": { "description": "Done." } },
        })
    };
    let key = |feature: &str| serde_json::json!({ "Key": { "type": "http", "scheme": "bearer", "x-feature": feature } });
    let secured = serde_json::json!([{ "Key": [] }]);
    assert_eq!(error(&operation("pins", secured.clone()), key("pins")), "");
    let unknown = error(&operation("pens", secured.clone()), key("pins"));
    assert!(unknown.contains("#/paths/~1a/get/x-feature: there is no feature pens"), "{unknown}");
    let unknown = error(&operation("pins", secured), key("pens"));
    assert!(
        unknown.contains("#/components/securitySchemes/Key/x-feature: there is no feature pens"),
        "{unknown}"
    );
    let unchecked = error(&operation("pins", serde_json::json!([])), key("pins"));
    assert!(unchecked.contains("#/paths/~1a/get: the feature pins cannot be checked"), "{unchecked}");
    std::fs::remove_dir_all(&folder).expect("cleans up");
}
