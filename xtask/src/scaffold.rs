//! The rest of a workspace around generated code, for `generate --out DIR`: manifests, crate roots, and the
//! hand-written support folders, copied from this repository. Nothing here depends on the contract's content.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};

use crate::model::Contract;
use crate::output::File;

/// A crate of the workspace.
struct Crate {
    /// `types`: the crate is `<prefix>-types`.
    role: &'static str,
    /// Folder of hand-written code that the generated code needs, below `src`.
    support: &'static str,
    /// Dependencies from crates.io.
    dependencies: &'static [&'static str],
    /// Other crates of the workspace, by role.
    siblings: &'static [&'static str],
    /// What the crate root says.
    root: fn(prefix: &str) -> String,
}

const CRATES: [Crate; 2] = [
    Crate {
        role: "types",
        support: "support",
        dependencies: &["chrono", "serde", "serde_json"],
        siblings: &[],
        root: |_| {
            "#[rustfmt::skip]\nmod generated;\n#[allow(unused_macros, unused_imports)]\npub mod support;\n\npub use generated::*;\n\
             pub use support::{ConstFalse, ConstTrue, Field, UnknownValue};\n"
                .into()
        },
    },
    Crate {
        role: "client",
        support: "runtime",
        dependencies: &[
            "bytes",
            "chrono",
            "futures-core",
            "progenitor-client",
            "reqwest",
            "serde",
            "serde_json",
            "tracing",
        ],
        siblings: &["types"],
        root: |prefix| {
            let types = crate::name::snake(&format!("{prefix}_types"));
            format!(
                "#[rustfmt::skip]\nmod generated;\nmod runtime;\n\npub use generated::*;\npub use runtime::*;\n\
                 pub use {types} as types;\n"
            )
        },
    },
];

/// Everything around the generated files. `home` is this repository.
pub fn files(contract: &Contract, home: &Path) -> Result<Vec<File>> {
    let manifest = table(&home.join("Cargo.toml"))?;
    let own = table(&home.join("openapi.settings.toml"))?;
    let own =
        own.get("prefix").and_then(toml::Value::as_str).context("openapi.settings.toml has no prefix")?;
    let prefix = contract.prefix();
    let mut out = Vec::new();

    let mut text = String::from("[workspace]\nresolver = \"3\"\nmembers = [\n");
    for item in &CRATES {
        writeln!(text, "    \"{prefix}-{}\",", item.role)?;
    }
    let edition = manifest["workspace"]["package"]["edition"].as_str().unwrap_or("2024");
    write!(
        text,
        "]\n\n[workspace.package]\nversion = \"0.1.0\"\nedition = \"{edition}\"\n\n[workspace.dependencies]\n"
    )?;
    let mut names: Vec<&str> = CRATES.iter().flat_map(|item| item.dependencies).copied().collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let version = manifest["workspace"]["dependencies"]
            .get(name)
            .ok_or_else(|| anyhow!("Cargo.toml: [workspace.dependencies] has no {name}"))?;
        writeln!(text, "{name} = {version}")?;
    }
    out.push(File::plain("Cargo.toml", text));
    out.push(File::plain(".gitignore", "/target\n".into()));

    for item in &CRATES {
        let folder = format!("{prefix}-{}", item.role);
        let mut text = format!(
            "[package]\nname = \"{folder}\"\nversion.workspace = true\nedition.workspace = true\npublish = false\n\n[dependencies]\n"
        );
        for name in item.dependencies {
            writeln!(text, "{name}.workspace = true")?;
        }
        for role in item.siblings {
            writeln!(text, "{prefix}-{role} = {{ path = \"../{prefix}-{role}\" }}")?;
        }
        out.push(File::plain(format!("{folder}/Cargo.toml"), text));
        let doc = format!(
            "//! {} of {}, generated from its OpenAPI document.\n\n",
            capital(item.role),
            contract.title
        );
        out.push(File::plain(format!("{folder}/src/lib.rs"), doc + &(item.root)(&prefix)));
        let from = home.join(format!("{own}-{}/src/{}", item.role, item.support));
        for (name, text) in sources(&from)? {
            out.push(File::plain(format!("{folder}/src/{}/{name}", item.support), text));
        }
    }
    // Compiles the calls of every operation; there is no server to send them to.
    let test =
        "//! Every call of the client compiles.\n#![allow(dead_code)]\n\n#[rustfmt::skip]\nmod generated;\n";
    out.push(File::plain(format!("{prefix}-client/tests/it/main.rs"), test.into()));
    Ok(out)
}

fn capital(role: &str) -> String {
    role[..1].to_uppercase() + &role[1..]
}

fn table(path: &Path) -> Result<toml::Table> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("in {}", path.display()))
}

/// The Rust files of a folder, by name.
fn sources(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            out.push((name, text));
        }
    }
    out.sort();
    Ok(out)
}
