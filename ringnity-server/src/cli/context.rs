//! What the commands of operators share: how they reach the database beside a running server, how they take
//! passwords, and how they ask the contract what a value may be. No command is here.

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

/// What every command of operators takes.
#[derive(Debug, clap::Args)]
pub(super) struct CommonArgs {
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Answer with one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What a command takes that is about one tenant.
#[derive(Debug, clap::Args)]
pub(super) struct TenantArgs {
    /// Slug of the tenant
    #[arg(long, value_name = "SLUG")]
    pub tenant: String,
    #[command(flatten)]
    pub common: CommonArgs,
}

/// How a command that gives an account a password gets it.
#[derive(Debug, clap::Args)]
pub(super) struct PasswordArgs {
    /// Read the password from standard input instead of making one
    #[arg(long)]
    password_stdin: bool,
}

impl CommonArgs {
    /// Where the database is.
    pub fn store_config(&self) -> Result<StoreConfig> {
        self.database.store().context("cannot use --database-url")
    }

    /// The database, up to date, beside whoever uses it.
    pub async fn store(&self) -> Result<Store> {
        Ok(Store::attach(&self.store_config()?).await?)
    }

    /// The rules, on that database.
    pub async fn app(&self) -> Result<App> {
        let (store, clock) = (self.store().await?, Clock::default());
        let signer = Arc::new(Signer::load(&store, clock.now()).await?);
        Ok(App::new(store, clock, signer, CONTRACT)?)
    }
}

impl TenantArgs {
    /// The rules, and the tenant that is meant.
    pub async fn open(&self) -> Result<(App, TenantId)> {
        let app = self.common.app().await?;
        let slug = self.tenant.clone();
        let found =
            app.store.read(move |c| provisioning::tenant_by_slug(c, &slug)).await.map_err(into_cli_error)?;
        Ok((app, found.id))
    }
}

impl PasswordArgs {
    /// The password that was given, if one was to be.
    pub fn read(&self) -> Result<Option<String>> {
        if !self.password_stdin {
            return Ok(None);
        }
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read the password from standard input")?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.contains('\n') {
            bail!("standard input holds more than one line; give the password and nothing else");
        }
        Ok(Some(text.to_owned()))
    }
}

/// The given password, or a new one.
pub(super) async fn password(given: Option<String>) -> Result<NewPassword> {
    NewPassword::new(given).await.map_err(into_cli_error)
}

/// Refuses what the contract's schema of that name does not take. `flags` says which flag holds which member.
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

/// A rule's refusal with its details and, for operators, its cause.
pub(super) fn into_cli_error(error: AppError) -> anyhow::Error {
    let details: String = error.details.iter().map(|line| format!("\n       {line}")).collect();
    let message = format!("{}{details}", error.message);
    match error.source {
        Some(cause) => anyhow::anyhow!("{cause}").context(message),
        None => anyhow::anyhow!(message),
    }
}
