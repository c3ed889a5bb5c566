//! Runs the commands and checks their output and exit codes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn xtask(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).output().expect("xtask runs")
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON on standard output")
}

/// A document with one operation whose response has this schema.
fn written(folder: &Path, name: &str, schema: &Value) -> PathBuf {
    let answer = json!({"description": "It.", "content": {"application/json": {"schema": schema}}});
    let document = json!({
        "openapi": "3.1.0",
        "info": {"title": "One", "version": "1"},
        "tags": [{"name": "Things"}],
        "paths": {"/things": {"get": {
            "operationId": "getThing", "tags": ["Things"], "description": "One thing.",
            "responses": {"200": answer, "default": {"description": "No."}},
        }}},
    });
    let path = folder.join(name);
    std::fs::write(&path, document.to_string()).expect("the document is written");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

#[test]
fn lint_exit_code_reports_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let sound = written(folder.path(), "sound.json", &json!({"type": "string"}));
    let output = xtask(&["lint", text(&sound)]);
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    assert!(printed(&output).ends_with("0 errors, 0 warnings, 1 note (--notes shows them)\n"));

    let wrong = written(folder.path(), "wrong.json", &json!({"type": "string", "nullable": true}));
    let output = xtask(&["lint", text(&wrong)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        printed(&output).starts_with("error    nullable-3.1  #/paths/~1things/get/responses/200/content/")
    );
    let report = parsed(&xtask(&["lint", text(&wrong), "--json"]));
    assert_eq!(report["counts"], json!({"errors": 1, "warnings": 0, "notes": 1}));
    assert_eq!(report["findings"][0]["rule"], "nullable-3.1");

    let absent = folder.path().join("absent.json");
    let output = xtask(&["lint", text(&absent)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("absent.json"));
    std::fs::write(&absent, "[]").expect("a file");
    assert_eq!(xtask(&["lint", text(&absent)]).status.code(), Some(2));
    assert!(printed(&xtask(&["lint", "--rules"])).contains("path-variable-undeclared"));
}

#[test]
fn diff_exit_code_reports_breaking_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let short = written(folder.path(), "short.json", &json!({"type": "string", "maxLength": 3}));
    let long = written(folder.path(), "long.json", &json!({"type": "string", "maxLength": 5}));

    assert_eq!(xtask(&["diff", text(&long), text(&short)]).status.code(), Some(0));
    let output = xtask(&["diff", text(&short), text(&long)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("breaking    limit-loosened"), "{}", printed(&output));
    assert!(printed(&output).contains("newly possible: \"aaaa\""), "{}", printed(&output));
    let report = parsed(&xtask(&["diff", text(&short), text(&long), "--json"]));
    assert_eq!(report["counts"]["breaking"], 1);
    let change = &report["changes"][0];
    assert_eq!(change["operations"], json!(["getThing"]));
    assert_eq!((&change["breaks"], &change["counterexample"]), (&json!(["response"]), &json!("aaaa")));

    assert_eq!(xtask(&["diff", text(&short), "absent.json"]).status.code(), Some(2));
    std::fs::write(&long, "{}").expect("a file");
    let output = xtask(&["diff", text(&short), text(&long)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("#/openapi is missing"));
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in ["lint", "diff", "tidy"] {
        let help = xtask(&[command, "--help"]);
        assert!(printed(&help).contains(&format!("cargo xtask {command}")), "{command}");
        assert!(printed(&help).contains("Example"), "{command}");
        assert!(printed(&help).contains("Exit code"), "{command}");
    }
}

#[test]
fn bench_rejects_invalid_arguments_before_building() {
    for wrong in [["--seconds", "0"], ["--seconds", "soon"], ["--writers", "0"], ["--writers", "1,x"]] {
        let output = xtask(&[&["bench", "store"][..], &wrong[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains(wrong[0]) && !words.contains("building"), "{words}");
    }
    let help = printed(&xtask(&["bench", "store", "--help"]));
    assert!(help.contains("cargo xtask bench store --seconds 20"), "{help}");
}
