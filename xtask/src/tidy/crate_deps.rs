//! Rules about manifests: which crate may depend on which, and that only the root manifest states versions.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::rules::{self, CrateRules, RULES};
use super::{SourceFile, Violation};
use crate::walk::elements;

/// What `cargo metadata` says about the workspace below `root`.
pub(super) fn metadata(root: &Path) -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    anyhow::ensure!(
        output.status.success(),
        "cargo metadata failed in {}: {}",
        root.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("cargo metadata did not print JSON")
}

pub(super) fn check(metadata: &Value, files: &[SourceFile], violations: &mut Vec<Violation>) {
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    let packages: Vec<&Value> = elements(&metadata["packages"]).collect();
    let members: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        let path = manifest.strip_prefix(root).unwrap_or(manifest).trim_start_matches('/').to_owned();
        let text =
            files.iter().find(|file| file.path == path).map_or_else(String::new, |file| file.text.clone());
        let file = SourceFile::new(path, text);
        versions(&file, violations);
        let Some(rules) = RULES.crates.get(name) else {
            violations.push(Violation::new(
                &file,
                1,
                "crate-unlisted",
                format!("crate {name} is not listed"),
                format!("add [crates.{name}] to {} and describe the crate in ARCHITECTURE.md", rules::FILE),
            ));
            continue;
        };
        for dependency in elements(&package["dependencies"]) {
            check_dependency(&file, name, rules, dependency, &members, violations);
        }
    }
}

fn check_dependency(
    file: &SourceFile,
    package: &str,
    rules: &CrateRules,
    dependency: &Value,
    members: &[&str],
    violations: &mut Vec<Violation>,
) {
    let name = dependency["name"].as_str().unwrap_or_default();
    let for_tests = dependency["kind"] == "dev";
    let contains = |list: &[String]| list.iter().any(|listed| listed == name);
    let remedy = if members.contains(&name) {
        if contains(&rules.may_use) || (for_tests && contains(&rules.tests_may_use)) {
            return;
        }
        let allowed = match rules.may_use.as_slice() {
            [] => "no crate of this workspace".to_owned(),
            allowed => format!("only {}", allowed.join(", ")),
        };
        format!("it may use {allowed}; move the shared code to a crate that both may use")
    } else if contains(&rules.never) && !for_tests {
        "use it in the crate that owns this concern; see ARCHITECTURE.md".to_owned()
    } else {
        return;
    };
    let line = line_of(&file.text, name);
    let message = format!("{package} depends on {name}");
    violations.push(Violation::new(file, line, "crate-dependency", message, remedy));
}

/// The line on which a manifest names a dependency.
fn line_of(text: &str, name: &str) -> usize {
    text.lines()
        .position(|line| {
            line.trim_start().strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        })
        .map_or(1, |index| index + 1)
}

/// Only the root manifest states versions.
fn versions(file: &SourceFile, violations: &mut Vec<Violation>) {
    let Ok(manifest) = file.text.parse::<toml::Table>() else { return };
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (name, requirement) in manifest.get(kind).and_then(toml::Value::as_table).into_iter().flatten() {
            if requirement.is_str()
                || requirement.get("version").is_some()
                || requirement.get("git").is_some()
            {
                violations.push(Violation::new(
                    file,
                    line_of(&file.text, name),
                    "version-once",
                    format!("states its own version of {name}"),
                    format!(
                        "add it to [workspace.dependencies] in the root manifest and write {name}.workspace = true"
                    ),
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::file;
    use super::*;

    /// The violations when the crate `name` has these dependencies, given as pairs of name and kind.
    fn violations_of(name: &str, dependencies: &[(&str, Value)]) -> Vec<String> {
        let listed: Vec<Value> =
            dependencies.iter().map(|(name, kind)| json!({"name": name, "kind": kind})).collect();
        let mut packages: Vec<Value> = RULES
            .crates
            .keys()
            .filter(|listed| *listed != name)
            .map(|listed| json!({"name": listed, "dependencies": [], "manifest_path": "/w/x/Cargo.toml"}))
            .collect();
        packages.push(json!({"name": name, "dependencies": listed, "manifest_path": "/w/it/Cargo.toml"}));
        let lines: String =
            dependencies.iter().map(|(name, _)| format!("{name}.workspace = true\n")).collect();
        let manifest = file("it/Cargo.toml", &format!("[dependencies]\n{lines}"));
        let mut violations = Vec::new();
        check(&json!({"workspace_root": "/w", "packages": packages}), &[manifest], &mut violations);
        violations.iter().map(|violation| format!("{}:{}", violation.line, violation.message)).collect()
    }

    #[test]
    fn rejects_dependencies_against_the_direction() {
        let none = Value::Null;
        for (from, to) in [
            ("ringnity-store", "ringnity-types"),
            ("ringnity-store", "ringnity-api"),
            ("ringnity-client", "ringnity-server"),
            ("ringnity-client", "ringnity-api"),
            ("ringnity-client", "ringnity-store"),
            ("ringnity-types", "ringnity-client"),
            ("ringnity-api", "ringnity-store"),
            ("conformance", "ringnity-server"),
            ("conformance", "ringnity-client"),
            ("conformance", "ringnity-types"),
            ("xtask", "ringnity-types"),
            ("ringnity-types", "reqwest"),
            ("ringnity-server", "diesel"),
        ] {
            assert_eq!(
                violations_of(from, &[("serde", none.clone()), (to, none.clone())]),
                [format!("3:{from} depends on {to}")]
            );
        }
        for (from, to) in [
            ("ringnity-client", "ringnity-types"),
            ("ringnity-api", "ringnity-types"),
            ("ringnity-server", "ringnity-api"),
            ("ringnity-server", "ringnity-store"),
            ("conformance", "ringnity-api"),
            ("ringnity-store", "diesel"),
        ] {
            assert_eq!(violations_of(from, &[(to, none.clone())]), Vec::<String>::new(), "{from} to {to}");
        }
    }

    #[test]
    fn allows_more_for_dev_dependencies() {
        assert_eq!(
            violations_of("ringnity-server", &[("ringnity-client", json!("dev"))]),
            Vec::<String>::new()
        );
        assert_eq!(violations_of("ringnity-server", &[("conformance", json!("dev"))]), Vec::<String>::new());
        assert_eq!(violations_of("ringnity-server", &[("ringnity-client", Value::Null)]).len(), 1);
        assert_eq!(violations_of("ringnity-client", &[("ringnity-server", json!("dev"))]).len(), 1);
    }

    #[test]
    fn rejects_unlisted_crates() {
        let manifest = file("new/Cargo.toml", "");
        let packages = json!([{"name": "new", "dependencies": [], "manifest_path": "/w/new/Cargo.toml"}]);
        let mut violations = Vec::new();
        check(&json!({"workspace_root": "/w", "packages": packages}), &[manifest], &mut violations);
        assert_eq!(violations[0].rule, "crate-unlisted");
    }

    #[test]
    fn rejects_versions_outside_the_root_manifest() {
        let mut violations = Vec::new();
        let manifest = "[dependencies]\nserde.workspace = true\ntoml = \"1\"\n\n[dev-dependencies]\nsyn = { version = \"2\" }\nown = { path = \".\" }\n";
        versions(&file("a/Cargo.toml", manifest), &mut violations);
        let places: Vec<_> = violations.iter().map(|violation| (violation.line, violation.rule)).collect();
        assert_eq!(places, [(3, "version-once"), (6, "version-once")]);
    }
}
