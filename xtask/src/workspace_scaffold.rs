//! The files around generated code for `generate --out DIR`: manifests, crate roots, and copies of the runtime folders.
//! Versions and dependencies are read from the manifests of this repository.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::model::Contract;
use crate::name::{pascal, snake};
use crate::output::File;

/// A crate of the workspace.
struct CrateTemplate {
    /// `types`: the crate is `<prefix>-types`.
    role: &'static str,
    /// Folder in the workspace, after the prefix.
    folder_suffix: &'static str,
    /// The folder of hand-written code below `src` that its generated code uses.
    runtime_folder: &'static str,
    /// The beginning of its description.
    description: &'static str,
}

const CRATES: [CrateTemplate; 3] = [
    CrateTemplate {
        role: "types",
        folder_suffix: "-types",
        runtime_folder: "support",
        description: "Data types of",
    },
    CrateTemplate {
        role: "client",
        folder_suffix: "-client",
        runtime_folder: "runtime",
        description: "Typed client for",
    },
    CrateTemplate {
        role: "api",
        folder_suffix: "-server/api",
        runtime_folder: "runtime",
        description: "Server trait of",
    },
];

/// All files around the generated ones. `home` is this repository; `server` includes the crate of the server trait.
///
/// # Errors
///
/// When a manifest or source file of this repository cannot be read.
pub fn files(contract: &Contract, home: &Path, server: bool) -> Result<Vec<File>> {
    let root = table(&home.join("Cargo.toml"))?;
    let own_settings = table(&home.join("openapi.settings.toml"))?;
    let own_prefix = own_settings
        .get("prefix")
        .and_then(toml::Value::as_str)
        .context("openapi.settings.toml has no prefix")?;
    let prefix = contract.prefix();
    let crates: Vec<&CrateTemplate> =
        CRATES.iter().filter(|template| server || template.role != "api").collect();
    let mut out = Vec::new();
    let mut all = BTreeSet::new();
    for template in &crates {
        let home = home.join(format!("{own_prefix}{}", template.folder_suffix));
        let folder = format!("{prefix}{}", template.folder_suffix);
        let manifest = table(&home.join("Cargo.toml"))?;
        let mut dependencies = Vec::new();
        for (name, asked) in
            manifest.get("dependencies").and_then(toml::Value::as_table).into_iter().flatten()
        {
            let name = match name.strip_prefix(own_prefix).filter(|rest| rest.starts_with('-')) {
                Some(rest) if CRATES.iter().any(|other| rest[1..] == *other.role) => {
                    format!("{prefix}{rest}")
                }
                // Only our own principals use other crates of this repository.
                Some(_) => continue,
                None => {
                    all.insert(name.clone());
                    name.clone()
                }
            };
            let asked = asked.to_string();
            dependencies.push(match asked.as_str() {
                "{ workspace = true }" => format!("{name}.workspace = true"),
                asked => format!("{name} = {asked}"),
            });
        }
        dependencies.sort();
        out.push(File::plain(
            format!("{folder}/Cargo.toml"),
            crate_manifest(contract, template, &dependencies),
        ));
        out.push(File::plain(format!("{folder}/src/lib.rs"), crate_root(contract, template)));
        if template.role == "api" && !contract.settings.principal.is_empty() {
            out.push(File::plain(format!("{folder}/src/principal.rs"), principals(contract)));
        }
        let runtime_folder = home.join("src").join(template.runtime_folder);
        for (name, text) in sources(&runtime_folder)? {
            // Examples in its documentation name the crates of this repository.
            let text = text.replace(
                &snake(&format!("{own_prefix}-{}", template.role)),
                &snake(&format!("{prefix}-{}", template.role)),
            );
            out.push(File::plain(format!("{folder}/src/{}/{name}", template.runtime_folder), text));
        }
    }
    out.push(File::plain("Cargo.toml", workspace_manifest(contract, &root, &crates, &all)?));
    out.push(File::plain("README.md", readme(contract, server)));
    out.push(File::plain(".gitignore", "/target\n".into()));
    Ok(out)
}

/// Copies the lock file of this repository, so that the workspace uses the same versions. An existing lock file is kept.
///
/// # Errors
///
/// When the file cannot be copied.
pub fn copy_lock(home: &Path, out: &Path) -> Result<()> {
    let (from, to) = (home.join("Cargo.lock"), out.join("Cargo.lock"));
    if !to.exists() {
        std::fs::copy(&from, &to)
            .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    Ok(())
}

/// Folders of the output that contain only generated files.
pub fn owned_folders(contract: &Contract) -> Vec<String> {
    let prefix = contract.prefix();
    CRATES.iter().map(|template| format!("{prefix}{}/src", template.folder_suffix)).collect()
}

/// Rejects a prefix with which a generated crate would have the name of a dependency.
///
/// # Errors
///
/// When the names collide or the root manifest cannot be read.
pub fn check_prefix(contract: &Contract, home: &Path) -> Result<()> {
    let root = table(&home.join("Cargo.toml"))?;
    let dependencies = &root["workspace"]["dependencies"];
    let prefix = contract.prefix();
    for template in &CRATES {
        let name = format!("{prefix}-{}", template.role);
        if dependencies.get(&name).is_some_and(|dependency| dependency.get("path").is_none()) {
            bail!(
                "{}: the crate name {name} from #/info/title is also a dependency of generated code; set another prefix in a settings file",
                contract.file_name
            );
        }
    }
    Ok(())
}

fn workspace_manifest(
    contract: &Contract,
    root: &toml::Table,
    crates: &[&CrateTemplate],
    dependencies: &BTreeSet<String>,
) -> Result<String> {
    let prefix = contract.prefix();
    let mut text = format!("# {}\n[workspace]\nresolver = \"3\"\nmembers = [\n", contract.mark());
    for template in crates {
        writeln!(text, "    \"{prefix}{}\",", template.folder_suffix)?;
    }
    text.push_str("]\n\n[workspace.package]\n");
    for key in ["version", "edition", "rust-version"] {
        let value = root["workspace"]["package"]
            .get(key)
            .ok_or_else(|| anyhow!("Cargo.toml: [workspace.package] has no {key}"))?;
        writeln!(text, "{key} = {value}")?;
    }
    text.push_str("\n[workspace.dependencies]\n");
    let mut lines = Vec::new();
    for name in dependencies {
        let version = root["workspace"]["dependencies"]
            .get(name)
            .ok_or_else(|| anyhow!("Cargo.toml: [workspace.dependencies] has no {name}"))?;
        lines.push(format!("{name} = {version}"));
    }
    lines.push(format!("{prefix}-types = {{ path = \"{prefix}-types\" }}"));
    lines.sort();
    for line in lines {
        writeln!(text, "{line}")?;
    }
    Ok(text)
}

fn crate_manifest(contract: &Contract, template: &CrateTemplate, dependencies: &[String]) -> String {
    let description =
        format!("{} {}, generated from its OpenAPI document", template.description, contract.title);
    format!(
        "# {}\n[package]\nname = \"{}-{}\"\nversion.workspace = true\nedition.workspace = true\n\
         rust-version.workspace = true\ndescription = {}\npublish = false\n\n[dependencies]\n{}\n",
        contract.mark(),
        contract.prefix(),
        template.role,
        toml::Value::from(one_line(&description)),
        dependencies.join("\n")
    )
}

fn crate_root(contract: &Contract, template: &CrateTemplate) -> String {
    let mut text = format!(
        "// {}\n//! {} {} {}, generated from its OpenAPI document.\n\n",
        contract.mark(),
        template.description,
        one_line(&contract.title),
        one_line(&contract.version)
    );
    // A contract may not use everything in the neutral folders.
    text.push_str(match template.role {
        "types" => {
            "#[rustfmt::skip]\n#[allow(dead_code, unused_imports)]\nmod generated;\n#[allow(dead_code, unused_imports, unused_macros)]\npub mod support;\n\n\
             #[allow(unused_imports)]\npub use generated::*;\npub use support::{ConstFalse, ConstTrue, Field, UnknownValue};\n"
        }
        "client" => {
            "#[rustfmt::skip]\n#[allow(dead_code, unused_imports)]\nmod generated;\n#[allow(dead_code, unused_imports, unused_macros)]\nmod runtime;\n\n\
             pub use generated::*;\npub use runtime::*;\n"
        }
        _ => "#[rustfmt::skip]\n#[allow(dead_code, unused_imports)]\nmod generated;\npub mod runtime;\n\npub use generated::*;\n",
    });
    match template.role {
        "client" => {
            let types = snake(&format!("{}-types", contract.prefix()));
            text.push_str(&format!("pub use {types} as types;\n"));
        }
        "api" if !contract.settings.principal.is_empty() => {
            text = text.replace("pub mod runtime;", "pub mod principal;\npub mod runtime;");
        }
        _ => {}
    }
    text
}

/// Simple principals for the kinds of credential in the settings. The author of the server replaces them.
fn principals(contract: &Contract) -> String {
    let mut text = format!(
        "// {}\n//! The authenticated caller, by kind of credential.\n\nuse crate::runtime::Permissions;\n",
        contract.mark()
    );
    for kind in contract.kinds() {
        let (kind, name) = (&kind.kind, format!("{}Principal", pascal(&kind.kind)));
        text.push_str(&format!(
            "\n/// The holder of a credential of kind {kind}.\n#[derive(Debug, Clone, Default, PartialEq, Eq)]\n\
             pub struct {name} {{\n    /// Id of the holder.\n    pub subject: String,\n    \
             /// Scopes of the credential.\n    pub scopes: Vec<String>,\n}}\n\n\
             impl Permissions for {name} {{\n    fn has_scope(&self, scope: &str) -> bool {{\n        \
             self.scopes.iter().any(|held| held == scope)\n    }}\n}}\n"
        ));
    }
    text
}

fn readme(contract: &Contract, server: bool) -> String {
    let prefix = contract.prefix();
    let mut text = format!(
        "# {} {}\n\nGenerated from {}; edit that and generate again.\n\n- `{prefix}-types`: a type for every schema\n\
         - `{prefix}-client`: a call for every operation\n",
        one_line(&contract.title),
        one_line(&contract.version),
        contract.file_name
    );
    if server {
        text.push_str(&format!(
            "- `{prefix}-server/api`: the server's traits, one required handler per operation\n"
        ));
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn table(path: &Path) -> Result<toml::Table> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("in {}", path.display()))
}

/// The Rust files of a folder, by name.
fn sources(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
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
