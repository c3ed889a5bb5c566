//! `keys`: Server API keys of a tenant, under the same rules as in the dashboard.

use anyhow::{Result, bail};
use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use ringnity_store::{ServerCredentialId, TenantId};
use ringnity_types::{
    CreateServerApiCredentialRequest, ServerApiCredential, ServerApiCredentialEnvironment, ServerApiScope,
};
use serde_json::json;

use crate::app::tenants::server_keys;
use crate::app::{App, IdempotencyKey};
use crate::cli::context::{self, TenantArgs, into_cli_error};
use crate::cli::output::{Outcome, print, table};

/// Commands for Server API keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Create a key and print its secret once
    #[command(after_help = "Example:\n  \
        ringnity-server keys create --tenant acme --name 'CRM' --scope server:contacts:read --scope server:contacts:write")]
    Create(CreateArgs),
    /// List the keys of a tenant, without their secrets
    #[command(after_help = "Example:\n  ringnity-server keys list --tenant acme")]
    List(TenantArgs),
    /// Replace the secret of a key and print the new one once
    #[command(after_help = "Example:\n  ringnity-server keys rotate --tenant acme CRM\n\n\
        Requests with the old secret are rejected from now on.")]
    Rotate(KeySelectorArgs),
    /// Disable a key and revoke the tokens created with it
    #[command(after_help = "Example:\n  ringnity-server keys disable --tenant acme CRM")]
    Disable(KeySelectorArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// Display name
    #[arg(long)]
    name: String,
    /// Environment of the key
    #[arg(long, default_value = "live", value_parser = environments())]
    environment: String,
    /// Scope to grant; can be repeated
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scopes(), required_unless_present = "all_scopes")]
    scopes: Vec<String>,
    /// Grant every scope
    #[arg(long, conflicts_with = "scopes")]
    all_scopes: bool,
    #[command(flatten)]
    target: TenantArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct KeySelectorArgs {
    /// Id of the key, or its name if exactly one enabled key has it; `keys list` prints both
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    target: TenantArgs,
}

fn environments() -> PossibleValuesParser {
    let all = ServerApiCredentialEnvironment::ALL.iter().map(ToString::to_string);
    PossibleValuesParser::new(all.collect::<Vec<_>>())
}

fn scopes() -> PossibleValuesParser {
    PossibleValuesParser::new(ServerApiScope::ALL.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// Runs a command.
pub(super) async fn run(command: KeysCommand) -> Result<Outcome> {
    match command {
        KeysCommand::Create(arguments) => create(arguments).await,
        KeysCommand::List(target) => list(&target).await,
        KeysCommand::Rotate(key) => {
            let (app, tenant) = key.target.open().await?;
            let id = find_key(&app, &tenant, &key.key).await?;
            let secret =
                server_keys::rotate_server_api_credential(&app, tenant, id, IdempotencyKey::default())
                    .await
                    .map_err(into_cli_error)?;
            print_secret(key.target.common.json, secret.credential, secret.secret)
        }
        KeysCommand::Disable(key) => {
            let (app, tenant) = key.target.open().await?;
            let id = find_key(&app, &tenant, &key.key).await?;
            let done =
                server_keys::disable_server_api_credential(&app, tenant, id).await.map_err(into_cli_error)?;
            let name = done.credential.as_ref().map(|key| key.name.clone()).unwrap_or_default();
            print(key.target.common.json, &json!({ "key": done.credential }), || {
                format!("Disabled key {name}.")
            })?;
            Ok(Outcome::Success)
        }
    }
}

async fn create(arguments: CreateArgs) -> Result<Outcome> {
    let CreateArgs { name, environment, scopes, all_scopes, target } = arguments;
    let mut wanted: Vec<ServerApiScope> = if all_scopes {
        ServerApiScope::ALL.to_vec()
    } else {
        scopes.into_iter().map(ServerApiScope::from).collect()
    };
    wanted.dedup();
    let request = CreateServerApiCredentialRequest {
        environment: ServerApiCredentialEnvironment::from(environment),
        ..CreateServerApiCredentialRequest::new(name, wanted)
    };
    let flags = [("name", "--name"), ("environment", "--environment"), ("scopes", "--scope")];
    context::validate("CreateServerApiCredentialRequest", &serde_json::to_value(&request)?, &flags)?;
    let (app, tenant) = target.open().await?;
    let made = server_keys::create_server_api_credential(&app, tenant, request, IdempotencyKey::default())
        .await
        .map_err(into_cli_error)?;
    print_secret(target.common.json, made.credential, made.secret)
}

async fn list(target: &TenantArgs) -> Result<Outcome> {
    let (app, tenant) = target.open().await?;
    let keys = server_keys::list_server_api_credentials(&app, tenant).await.map_err(into_cli_error)?;
    let keys = keys.credentials.unwrap_or_default();
    print(target.common.json, &json!({ "keys": keys }), || {
        let row = |key: &ServerApiCredential| {
            let state = if key.is_active == Some(true) { "enabled" } else { "disabled" };
            let used =
                key.last_used_at.map_or_else(|| "never".to_owned(), |at| at.format("%F %R").to_string());
            let preview = key.secret_preview.clone().unwrap_or_default();
            [key.id.clone(), key.name.clone(), preview, state.to_owned(), used, key.scopes.len().to_string()]
        };
        let rows: Vec<_> = keys.iter().map(row).collect();
        table(["key id", "name", "secret", "state", "last used (UTC)", "scopes"], &rows)
    })?;
    Ok(Outcome::Success)
}

/// Finds a key by its id or its name.
async fn find_key(app: &App, tenant: &TenantId, selector: &str) -> Result<ServerCredentialId> {
    let keys = server_keys::list_server_api_credentials(app, tenant.clone()).await.map_err(into_cli_error)?;
    let keys = keys.credentials.unwrap_or_default();
    let named: Vec<&str> = keys
        .iter()
        .filter(|key| key.name == selector && key.is_active == Some(true))
        .map(|key| key.id.as_str())
        .collect();
    match named.as_slice() {
        _ if keys.iter().any(|key| key.id == selector) => Ok(ServerCredentialId::from(selector)),
        [one] => Ok(ServerCredentialId::from(*one)),
        [] => {
            bail!("there is no enabled key {selector}; run `ringnity-server keys list` to see the keys")
        }
        many => {
            bail!("{} keys are named {selector}; pass the id of one: {}", many.len(), many.join(" or "))
        }
    }
}

fn print_secret(json: bool, key: Option<ServerApiCredential>, secret: Option<String>) -> Result<Outcome> {
    print(json, &json!({ "key": key, "secret": secret }), || {
        let (id, name) = key.as_ref().map(|key| (key.id.as_str(), key.name.as_str())).unwrap_or_default();
        let secret = secret.as_deref().unwrap_or_default();
        format!("Key     {name}\nKey id  {id}\nSecret  {secret}   (shown only once: store it safely)")
    })?;
    Ok(Outcome::Success)
}
