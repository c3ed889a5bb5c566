//! Reads the inputs of the generator: a document, its overlay and its settings. Generates nothing.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use crate::lock::{self, Input};
use crate::overlay;

/// The repository's root folder: where the workspace manifest and the contract are.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Paths of the generator's inputs.
#[derive(Debug, Clone, clap::Args)]
pub struct Inputs {
    /// The OpenAPI 3.0 or 3.1 document to read [default: openapi.json at the repository's root]
    #[arg(long, value_name = "FILE")]
    pub contract: Option<PathBuf>,
    /// The OpenAPI Overlay 1.0 to apply: a file, or a folder whose .json files are applied in the order of their
    /// names [default: openapi.overlay, for the repository's own contract]
    #[arg(long, value_name = "PATH")]
    pub overlay: Option<PathBuf>,
    /// Generator settings [default: openapi.settings.toml, for the repository's own contract]
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
}

/// The published document, the effective document (published plus overlay) and the settings.
#[derive(Debug)]
pub struct Source {
    /// File name of the contract, for the first line of generated files.
    pub file_name: String,
    /// The published document.
    #[allow(dead_code, reason = "lint and diff compare it with the effective one")]
    pub published: Value,
    /// The document after the overlay.
    pub effective: Value,
    /// Settings of this contract.
    pub settings: Settings,
    /// The files it was read from, for `generated.lock`.
    pub inputs: Vec<Input>,
}

/// Settings of a contract; `openapi.settings.toml` documents them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Crate name prefix.
    pub prefix: Option<String>,
    /// Display name: `<Title>Api` is the server trait.
    pub title: Option<String>,
    /// How inline schemas are named.
    pub names: NameSettings,
    /// Names of the specification extensions that the generator reads.
    pub extensions: ExtensionSettings,
    /// Error bodies by component schema name.
    pub errors: IndexMap<String, ErrorSettings>,
    /// Kinds of credential.
    pub principal: Vec<PrincipalSettings>,
    /// The features that operations and security schemes may need. Empty: any.
    pub features: Vec<String>,
    /// Additional kinds of credential that a security scheme accepts, by scheme name.
    pub schemes: IndexMap<String, Vec<String>>,
}

/// How inline schemas are named.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NameSettings {
    /// Suffix of schemas that only wrap a payload.
    pub wrapper: Option<String>,
    /// The property that holds the payload.
    pub payload: Option<String>,
}

/// Names of specification extensions.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExtensionSettings {
    /// On operations: the required scopes. All are required; of an entry that is a list, any one.
    pub scopes: Option<String>,
    /// On operations: the accepted kinds of credential.
    pub principals: Option<String>,
    /// On operations: the accepted roles, for kinds of credential that have a role.
    pub roles: Option<String>,
    /// On operations and security schemes: the feature that the tenant must have.
    pub feature: Option<String>,
    /// On operations: the request must name a tenant.
    pub tenant: Option<String>,
    /// On additions to the published contract.
    pub addition: Option<String>,
}

/// Members of an error body.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ErrorSettings {
    /// Member with the stable code.
    pub code: Option<String>,
    /// Member with the message for people.
    pub message: Option<String>,
    /// Member with a list of messages.
    pub details: Option<String>,
    /// Codes of the errors that generated code detects.
    pub codes: IndexMap<String, String>,
}

/// One kind of credential.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrincipalSettings {
    /// Short name: `server` makes `ServerPrincipal`.
    pub kind: String,
    /// The security scheme that carries it.
    pub scheme: String,
    /// Name of the client's type for it; by default made from kind and scheme.
    #[serde(default)]
    pub credential: Option<String>,
    /// Other headers in which it is accepted.
    #[serde(default)]
    pub also: Vec<String>,
    /// Prefix of its scopes; absent if it has none.
    pub scopes: Option<String>,
    /// Error code when no credential was sent.
    #[serde(default)]
    pub missing: Option<String>,
    /// Error code when the credential is invalid.
    #[serde(default)]
    pub invalid: Option<String>,
    /// Error code when the credential has expired; defaults to `invalid`.
    #[serde(default)]
    pub expired: Option<String>,
    /// Whether it has a role, which the extension for roles may require.
    #[serde(default)]
    pub roles: bool,
    /// Error code when it lacks a scope or a role.
    #[serde(default)]
    pub denied: Option<String>,
}

/// Reads a JSON document, with the file name in every error.
pub fn read_document(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let value: Value = serde_json::from_str(&text)
        .with_context(|| format!("{} is not JSON (convert YAML documents first)", path.display()))?;
    Ok(value)
}

/// Loads the contract that `inputs` name, or the repository's own.
pub fn load(inputs: &Inputs) -> Result<Source> {
    let own = inputs.contract.is_none();
    let root = root();
    let default = |given: &Option<PathBuf>, name: &str| {
        given.clone().or_else(|| own.then(|| root.join(name))).filter(|path| given.is_some() || path.exists())
    };
    let contract = inputs.contract.clone().unwrap_or_else(|| root.join("openapi.json"));
    let overlay = default(&inputs.overlay, lock::OVERLAY);
    let settings = default(&inputs.settings, "openapi.settings.toml");

    let overlays = overlay.as_deref().map(overlay::files).transpose()?.unwrap_or_default();
    let input = |path: &Path, argument: &Path| -> Result<Input> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Input::new(input_name(path, argument, &contract), &bytes))
    };
    let mut files = vec![input(&contract, &contract)?];
    for path in &overlays {
        files.push(input(path, overlay.as_deref().unwrap_or(path))?);
    }
    if let Some(path) = &settings {
        files.push(input(path, path)?);
    }
    let published = read_document(&contract)?;
    match published.get("openapi").and_then(Value::as_str) {
        Some(version) if version.starts_with("3.0") || version.starts_with("3.1") => {}
        Some(version) => {
            bail!("{}: #/openapi: version {version} is not supported; use 3.0 or 3.1", contract.display())
        }
        None => bail!("{}: #/openapi is missing; this is not an OpenAPI document", contract.display()),
    }
    let effective = overlay::apply(&published, &overlays)?;
    let settings = match &settings {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            toml::from_str(&text).with_context(|| format!("in {}", path.display()))?
        }
        None => Settings::default(),
    };
    Ok(Source {
        file_name: contract.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        published,
        effective,
        settings,
        inputs: files,
    })
}

/// The name of an input in `generated.lock`: its path below the folder of the contract or, when it is elsewhere,
/// below the folder of the argument that named it. Absolute paths would differ from one machine to another.
fn input_name(path: &Path, argument: &Path, contract: &Path) -> String {
    let below = [contract, argument].into_iter().find_map(|of| path.strip_prefix(of.parent()?).ok());
    below.unwrap_or(path).to_string_lossy().replace('\\', "/")
}
