//! Tidy rules about crates: which may depend on which, what they may not depend on, where versions stand.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{SourceFile, Violation};
use crate::walk::elements;

/// What a crate may depend on.
struct Arrows {
    name: &'static str,
    /// Crates of this workspace that it may use.
    may_use: &'static [&'static str],
    /// Crates of this workspace that only its tests may use.
    tests_may_use: &'static [&'static str],
    /// Crates from outside that it must not use.
    never: &'static [&'static str],
}

const ARROWS: [Arrows; 7] = [
    Arrows {
        name: "ringnity-types",
        may_use: &[],
        tests_may_use: &[],
        never: &["diesel", "dropshot", "http", "hyper", "reqwest", "tokio"],
    },
    Arrows {
        name: "ringnity-client",
        may_use: &["ringnity-types"],
        tests_may_use: &[],
        never: &["diesel", "dropshot"],
    },
    Arrows {
        name: "ringnity-api",
        may_use: &["ringnity-types"],
        tests_may_use: &[],
        never: &["diesel", "reqwest"],
    },
    Arrows {
        name: "ringnity-store",
        may_use: &[],
        // Itself, with the features that its tests need.
        tests_may_use: &["ringnity-store"],
        never: &["dropshot", "http", "hyper", "reqwest"],
    },
    Arrows {
        name: "ringnity-server",
        may_use: &["ringnity-api", "ringnity-store", "ringnity-types"],
        tests_may_use: &["conformance", "ringnity-client", "ringnity-server"],
        never: &["diesel", "diesel_migrations"],
    },
    Arrows {
        name: "conformance",
        may_use: &["ringnity-api"],
        tests_may_use: &["ringnity-types"],
        never: &["diesel"],
    },
    Arrows { name: "xtask", may_use: &[], tests_may_use: &[], never: &["diesel", "dropshot"] },
];

/// What `cargo metadata` says about the workspace below `root`.
pub(super) fn metadata(root: &Path) -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let told = std::process::Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    anyhow::ensure!(
        told.status.success(),
        "cargo metadata failed in {}: {}",
        root.display(),
        String::from_utf8_lossy(&told.stderr)
    );
    serde_json::from_slice(&told.stdout).context("cargo metadata did not answer JSON")
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
        let file = SourceFile { path, text };
        versions(&file, violations);
        let Some(arrows) = ARROWS.iter().find(|arrows| arrows.name == name) else {
            violations.push(Violation::new(
                &file,
                1,
                "crate-unknown",
                format!("crate {name} is in no list of allowed arrows"),
                "give it a line in xtask/src/tidy/crate_deps.rs, and in ARCHITECTURE.md",
            ));
            continue;
        };
        for dependency in elements(&package["dependencies"]) {
            arrow(&file, arrows, dependency, &members, violations);
        }
    }
}

fn arrow(
    file: &SourceFile,
    arrows: &Arrows,
    dependency: &Value,
    members: &[&str],
    violations: &mut Vec<Violation>,
) {
    let name = dependency["name"].as_str().unwrap_or_default();
    let for_tests = dependency["kind"] == "dev";
    let line = line_of(&file.text, name);
    if members.contains(&name) {
        let allowed = arrows.may_use.contains(&name) || (for_tests && arrows.tests_may_use.contains(&name));
        if !allowed {
            let may = if arrows.may_use.is_empty() {
                "it may use no crate of this workspace".to_owned()
            } else {
                format!("it may use {}", arrows.may_use.join(", "))
            };
            violations.push(Violation::new(
                file,
                line,
                "arrow",
                format!("{} depends on {name}", arrows.name),
                format!("{may}; move what is needed to where both may look"),
            ));
        }
    } else if arrows.never.contains(&name) && !for_tests {
        violations.push(Violation::new(
            file,
            line,
            "arrow",
            format!("{} depends on {name}", arrows.name),
            "that belongs into another crate; see the arrows in ARCHITECTURE.md",
        ));
    }
}

/// The line on which a manifest names a dependency.
fn line_of(text: &str, name: &str) -> usize {
    text.lines()
        .position(|line| {
            line.trim_start().strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        })
        .map_or(1, |index| index + 1)
}

/// Versions stand in the root manifest, once.
fn versions(file: &SourceFile, violations: &mut Vec<Violation>) {
    let Ok(manifest) = file.text.parse::<toml::Table>() else { return };
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (name, asked) in manifest.get(kind).and_then(toml::Value::as_table).into_iter().flatten() {
            if asked.is_str() || asked.get("version").is_some() || asked.get("git").is_some() {
                violations.push(Violation::new(
                    file,
                    line_of(&file.text, name),
                    "version-once",
                    format!("states a version of {name} of its own"),
                    format!(
                        "put it into [workspace.dependencies] of the root and write {name}.workspace = true"
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

    /// What is told when `name` has these dependencies, as pairs of name and kind.
    fn told(name: &str, dependencies: &[(&str, Value)]) -> Vec<String> {
        let listed: Vec<Value> =
            dependencies.iter().map(|(name, kind)| json!({"name": name, "kind": kind})).collect();
        let mut packages: Vec<Value> = ARROWS
            .iter()
            .filter(|arrows| arrows.name != name)
            .map(
                |arrows| json!({"name": arrows.name, "dependencies": [], "manifest_path": "/w/x/Cargo.toml"}),
            )
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
    fn arrows_go_one_way() {
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
                told(from, &[("serde", none.clone()), (to, none.clone())]),
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
            assert_eq!(told(from, &[(to, none.clone())]), Vec::<String>::new(), "{from} to {to}");
        }
    }

    #[test]
    fn tests_may_use_a_little_more() {
        assert_eq!(told("ringnity-server", &[("ringnity-client", json!("dev"))]), Vec::<String>::new());
        assert_eq!(told("ringnity-server", &[("conformance", json!("dev"))]), Vec::<String>::new());
        assert_eq!(told("ringnity-server", &[("ringnity-client", Value::Null)]).len(), 1);
        assert_eq!(told("ringnity-client", &[("ringnity-server", json!("dev"))]).len(), 1);
    }

    #[test]
    fn a_new_crate_needs_its_place() {
        let manifest = file("new/Cargo.toml", "");
        let packages = json!([{"name": "new", "dependencies": [], "manifest_path": "/w/new/Cargo.toml"}]);
        let mut violations = Vec::new();
        check(&json!({"workspace_root": "/w", "packages": packages}), &[manifest], &mut violations);
        assert_eq!(violations[0].rule, "crate-unknown");
    }

    #[test]
    fn versions_stand_once() {
        let mut violations = Vec::new();
        let manifest = "[dependencies]\nserde.workspace = true\ntoml = \"1\"\n\n[dev-dependencies]\nsyn = { version = \"2\" }\nown = { path = \".\" }\n";
        versions(&file("a/Cargo.toml", manifest), &mut violations);
        let places: Vec<_> = violations.iter().map(|violation| (violation.line, violation.rule)).collect();
        assert_eq!(places, [(3, "version-once"), (6, "version-once")]);
    }
}
