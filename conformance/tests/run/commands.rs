//! The command line: output, files and exit codes.

use std::path::Path;
use std::process::{Command, Output};

use conformance::contract::Contract;
use conformance::contract::settings::Settings;
use conformance::flows::Flows;
use serde_json::Value;

use crate::library::{self, Library, Seed};

const FLOWS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/run/library/flows.arazzo.json");

/// Runs `conformance run` against a library with additional arguments.
fn run(library: &Library, folder: &Path, arguments: &[&str]) -> Output {
    run_with(library, folder, Path::new(FLOWS), arguments)
}

/// The same with other flows.
fn run_with(library: &Library, folder: &Path, flows: &Path, arguments: &[&str]) -> Output {
    let inputs = folder.join("inputs.json");
    std::fs::write(&inputs, library.inputs.to_string()).expect("a file");
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/run/library");
    Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["run", "--base-url", &library.base_url, "--cases", "1", "--inputs"])
        .arg(inputs)
        .args(["--contract", &format!("{here}/openapi.json"), "--settings", &format!("{here}/settings.toml")])
        .arg("--flows")
        .arg(flows)
        .args(arguments)
        .output()
        .expect("runs")
}

fn combined_output(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn clean_run_exits_with_0_and_writes_every_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = ["r.html", "r.json", "r.xml", "r.md", "r.txt"].map(|name| folder.path().join(name));
    let mut arguments = vec!["--jobs", "1", "--min-coverage", "100"];
    for file in &files {
        arguments.extend(["--report", file.to_str().expect("text")]);
    }
    let done = run(&library::start(None), folder.path(), &arguments);
    assert_eq!(done.status.code(), Some(0), "{}", combined_output(&done));
    let beginnings = ["<!DOCTYPE html>", "{", "<?xml", "#", ""];
    for (file, beginning) in files.iter().zip(beginnings) {
        let text = std::fs::read_to_string(file).expect("a report");
        assert!(text.starts_with(beginning) && text.len() > 200, "{}: {text:.100}", file.display());
    }
    assert!(combined_output(&done).contains("CLEAN"), "{}", combined_output(&done));
}

#[test]
fn violation_exits_with_1_and_prints_a_curl_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let library = library::start(Some(Seed::TypeWrong));
    let done = run(&library, folder.path(), &["--only", "getBook", "--seed", "3"]);
    let output = combined_output(&done);
    assert_eq!(done.status.code(), Some(1), "{output}");
    assert!(output.contains("/year") && output.contains("curl -i 'http://127.0.0.1:"), "{output}");
    // Secrets are shell variables unless requested.
    let key = library.inputs["serverKey"].as_str().expect("a key");
    assert!(!output.contains(key), "{output}");
    let open = run(&library, folder.path(), &["--only", "getBook", "--show-secrets"]);
    assert!(combined_output(&open).contains(key), "{}", combined_output(&open));
}

#[test]
fn curl_command_reproduces_the_violation() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: there is no curl");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let library = library::start(Some(Seed::TypeWrong));
    let output = combined_output(&run(&library, folder.path(), &["--only", "getBook", "--show-secrets"]));
    let line =
        output.lines().find_map(|line| Some(&line[line.find("curl -i ")?..])).expect("a line with curl");
    let done = Command::new("sh").args(["-c", &format!("{line} --silent")]).output().expect("runs");
    let answer = String::from_utf8_lossy(&done.stdout).into_owned();
    // The seeded violation is the year as text.
    let body: Value = serde_json::from_str(answer.lines().last().expect("a body")).expect("JSON");
    assert!(answer.contains(" 200 ") && body["year"].is_string(), "{line}: {answer}");
}

#[test]
fn flows_of_the_readme_are_valid() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```json\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let note = |id: &str| serde_json::json!({ "operationId": id, "responses": { "200": { "description": "A note." } } });
    let one =
        [serde_json::json!({ "in": "path", "name": "id", "required": true, "schema": { "type": "string" } })];
    let contract = serde_json::json!({
        "openapi": "3.1.0",
        "info": { "title": "Notes", "version": "1" },
        "paths": {
            "/notes": { "post": note("createNote") },
            "/notes/{id}": { "parameters": one, "get": note("getNote"), "delete": note("deleteNote") },
        },
        "components": { "securitySchemes": { "ApiKey": { "type": "apiKey", "in": "header", "name": "X-Key" } } },
    });
    let contract = Contract::new(contract, None, Settings::default()).expect("a contract");
    let flows = Flows::new(serde_json::from_str(example).expect("JSON"), &contract).expect("flows");
    assert_eq!((flows.workflows.len(), flows.extension.credentials.len()), (1, 1));
}

#[test]
fn only_limits_the_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let library = library::start(None);
    let done = run(&library, folder.path(), &["--only", "listBooks", "--format", "json"]);
    let report: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let ids: Vec<&str> = report["operations"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["id"].as_str())
        .collect();
    assert_eq!(ids, ["listBooks"]);
    let unknown = run(&library, folder.path(), &["--only", "nothing"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", combined_output(&unknown));
}

#[test]
fn lost_coverage_fails_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let library = library::start(None);
    let file = folder.path().join("coverage.json");
    let path = file.to_str().expect("text");
    let arguments = ["--only", "getHealth", "--coverage", path];
    let first = run(&library, folder.path(), &[&arguments[..], &["--accept-coverage"]].concat());
    assert_eq!(first.status.code(), Some(0), "{}", combined_output(&first));
    assert!(std::fs::read_to_string(&file).expect("a file").contains("200 application/json"));
    assert_eq!(run(&library, folder.path(), &arguments).status.code(), Some(0));

    std::fs::write(&file, r#"{ "getHealth": ["200 application/json", "418 application/json"] }"#)
        .expect("a file");
    let lost = run(&library, folder.path(), &arguments);
    assert_eq!(lost.status.code(), Some(1), "{}", combined_output(&lost));
    assert!(combined_output(&lost).contains("418"), "{}", combined_output(&lost));
    // A run of another operation loses no coverage.
    let elsewhere = run(&library, folder.path(), &["--only", "listBooks", "--coverage", path]);
    assert_eq!(elsewhere.status.code(), Some(0), "{}", combined_output(&elsewhere));
}

#[test]
fn incomplete_run_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let library = library::start(None);
    let cut = run(&library, folder.path(), &["--max-time", "0"]);
    assert_eq!(cut.status.code(), Some(1), "{}", combined_output(&cut));
    assert!(combined_output(&cut).contains("time limit"), "{}", combined_output(&cut));
}

#[test]
fn untested_operations_count_as_not_covered() {
    let folder = tempfile::tempdir().expect("a folder");
    let library = library::start(None);
    let text = std::fs::read_to_string(FLOWS).expect("flows");
    let mut without: Value = serde_json::from_str(&text).expect("JSON");
    without["x-conformance"]["credentials"] = Value::Array(Vec::new());
    let path = folder.path().join("flows.json");
    std::fs::write(&path, without.to_string()).expect("a file");
    let done = run_with(&library, folder.path(), &path, &["--min-coverage", "100"]);
    assert_eq!(done.status.code(), Some(1), "{}", combined_output(&done));
    assert!(
        combined_output(&done).contains("was not tested: there is no credential of kind"),
        "{}",
        combined_output(&done)
    );
    assert!(combined_output(&done).contains("--min-coverage is 100 %"), "{}", combined_output(&done));
}

#[test]
fn impossible_run_exits_with_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut library = library::start(None);
    // A port without a listener.
    library.base_url = library::start(None).base_url;
    let gone = run(&library, folder.path(), &[]);
    assert_eq!(gone.status.code(), Some(2), "{}", combined_output(&gone));
    assert!(combined_output(&gone).contains("cannot connect to"), "{}", combined_output(&gone));
    let mut library = library::start(None);
    library.inputs.as_object_mut().expect("members").remove("serverKey");
    let lacking = run(&library, folder.path(), &[]);
    assert_eq!(lacking.status.code(), Some(2), "{}", combined_output(&lacking));
    assert!(
        combined_output(&lacking).contains("serverKey") && combined_output(&lacking).contains("--inputs"),
        "{}",
        combined_output(&lacking)
    );
}
