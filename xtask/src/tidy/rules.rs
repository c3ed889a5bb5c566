//! The tables of `xtask/tidy.toml`: allowed dependencies, forbidden imports, accepted import cycles, retired names.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// Where the tables are, for messages.
pub(super) const FILE: &str = "xtask/tidy.toml";

/// The tables as committed.
pub(super) static RULES: LazyLock<Rules> = LazyLock::new(|| {
    toml::from_str(include_str!("../../tidy.toml")).unwrap_or_else(|error| panic!("{FILE}: {error}"))
});

/// The content of `tidy.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    pub(super) crates: BTreeMap<String, CrateRules>,
    pub(super) forbidden_imports: Vec<ForbiddenImport>,
    pub(super) server_modules: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) allowed_cycles: Vec<AllowedCycle>,
    #[serde(default)]
    pub(super) retired_names: BTreeMap<String, String>,
}

/// What the manifest of a crate may depend on.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CrateRules {
    /// Crates of this workspace.
    pub(super) may_use: Vec<String>,
    /// Further crates of this workspace, as dev-dependencies.
    pub(super) tests_may_use: Vec<String>,
    /// Crates from outside that are refused as normal dependencies.
    pub(super) never: Vec<String>,
}

/// Crates that the code of a folder must not name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ForbiddenImport {
    pub(super) folder: String,
    /// Folders and files to which the rule does not apply.
    #[serde(default)]
    pub(super) except: Vec<String>,
    pub(super) crates: Vec<String>,
    pub(super) remedy: String,
}

/// An import cycle that is accepted for now.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AllowedCycle {
    pub(super) package: String,
    pub(super) modules: Vec<String>,
    /// What has to happen before the entry can be removed.
    #[allow(dead_code, reason = "for readers of the file; required in every entry")]
    pub(super) reason: String,
}
