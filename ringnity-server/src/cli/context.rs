//! Shared by the commands: common arguments, access to the database next to a running server, passwords from standard
//! input, and validation against the contract.

use std::io::Read as _;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use ringnity_api::{CONTRACT, SchemaValidator};
use ringnity_store::{Store, StoreConfig};
use serde_json::Value;

use crate::app::identity::provisioning::{self, NewPassword};
use crate::app::{App, AppError, TenantId};
use crate::clock::Clock;
use crate::config::DatabaseConfig;
use crate::secrets::tokens::Signer;

/// Arguments of every command.
#[derive(Debug, clap::Args)]
pub(super) struct CommonArgs {
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of a command on one tenant.
#[derive(Debug, clap::Args)]
pub(super) struct TenantArgs {
    /// Slug of the tenant
    #[arg(long, value_name = "SLUG")]
    pub tenant: String,
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Where a command that sets a password gets it from.
#[derive(Debug, clap::Args)]
pub(super) struct PasswordArgs {
    /// Read the password from standard input instead of generating one
    #[arg(long)]
    password_stdin: bool,
}

impl CommonArgs {
    /// Location of the database.
    pub fn store_config(&self) -> Result<StoreConfig> {
        self.database.store().context("cannot use --database-url")
    }

    /// Opens the migrated database, which a server may be using.
    pub async fn store(&self) -> Result<Store> {
        Ok(Store::attach(&self.store_config()?).await?)
    }

    /// The rules on that database.
    pub async fn app(&self) -> Result<App> {
        let (store, clock) = (self.store().await?, Clock::default());
        let signer = Arc::new(Signer::load(&store, clock.now()).await?);
        Ok(App::new(store, clock, signer, CONTRACT)?)
    }
}

impl TenantArgs {
    /// The rules, and the id of the tenant.
    pub async fn open(&self) -> Result<(App, TenantId)> {
        let app = self.common.app().await?;
        let slug = self.tenant.clone();
        let found =
            app.store.read(move |c| provisioning::tenant_by_slug(c, &slug)).await.map_err(into_cli_error)?;
        Ok((app, found.id))
    }
}

impl PasswordArgs {
    /// Reads the password if `--password-stdin` was passed.
    pub fn read(&self) -> Result<Option<String>> {
        if !self.password_stdin {
            return Ok(None);
        }
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read the password from standard input")?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.contains('\n') {
            bail!("standard input has more than one line; pass only the password");
        }
        Ok(Some(text.to_owned()))
    }
}

/// Hashes the password, or a generated one.
pub(super) async fn password(chosen: Option<String>) -> Result<NewPassword> {
    NewPassword::new(chosen).await.map_err(into_cli_error)
}

/// Validates a value against a schema of the contract. `flags` maps members to the flags that set them.
pub(super) fn validate(schema: &str, value: &Value, flags: &[(&str, &str)]) -> Result<()> {
    let schemas = SchemaValidator::new(CONTRACT, &[])?;
    let errors = schemas.check_schema(schema, value)?;
    let named = errors.iter().map(|error| {
        let (member, words) = error.trim_start_matches('/').split_once(':').unwrap_or(("", error));
        let first = member.split('/').next().unwrap_or_default();
        let flag = flags.iter().find(|(known, _)| *known == first).map_or(member, |(_, flag)| flag);
        format!("{flag}:{words}")
    });
    let lines: Vec<String> = named.collect();
    if lines.is_empty() { Ok(()) } else { bail!("{}", lines.join("\n       ")) }
}

/// The error of a rule with its details and, since operators see it, its cause.
pub(super) fn into_cli_error(error: AppError) -> anyhow::Error {
    let details: String = error.details.iter().map(|line| format!("\n       {line}")).collect();
    let message = format!("{}{details}", error.message);
    match error.source {
        Some(cause) => anyhow::anyhow!("{cause}").context(message),
        None => anyhow::anyhow!(message),
    }
}
