//! `signing-keys`: keys that sign access tokens. Their secrets are never printed.

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use crate::cli::context::CommonArgs;
use crate::cli::output::{Outcome, print, table};
use crate::clock::Clock;
use crate::secrets::tokens;

/// Commands for signing keys.
#[derive(Debug, Subcommand)]
pub(super) enum SigningKeysCommand {
    /// Sign with a new key; tokens of the old one stay valid until they expire
    #[command(after_help = "Example:\n  ringnity-server signing-keys rotate\n\n\
        Running servers load the new key within seconds.")]
    Rotate(CommonArgs),
    /// List the keys, without their secrets
    #[command(after_help = "Example:\n  ringnity-server signing-keys list")]
    List(CommonArgs),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    kid: String,
    algorithm: String,
    created_at: DateTime<Utc>,
    retired_at: Option<DateTime<Utc>>,
}

/// Runs a command.
pub(super) async fn run(command: SigningKeysCommand) -> Result<Outcome> {
    let (common, rotate) = match command {
        SigningKeysCommand::Rotate(common) => (common, true),
        SigningKeysCommand::List(common) => (common, false),
    };
    let store = common.store().await?;
    if rotate {
        tokens::rotate_signing_key(&store, Clock::default().now()).await?;
    }
    let view = |key: ringnity_store::identity::SigningKey| View {
        kid: key.kid.into_string(),
        algorithm: key.algorithm,
        created_at: key.created_at,
        retired_at: key.retired_at,
    };
    let keys: Vec<View> = tokens::signing_keys(&store).await?.into_iter().map(view).collect();
    let signs = keys.iter().find(|key| key.retired_at.is_none()).map(|key| key.kid.clone());
    print(common.json, &json!({ "active": signs, "keys": keys }), || {
        let row = |key: &View| {
            let state = match key.retired_at {
                None => "active".to_owned(),
                Some(at) => format!("retired {}", at.format("%F %R")),
            };
            [key.kid.clone(), key.algorithm.clone(), key.created_at.format("%F %R").to_string(), state]
        };
        table(["key id", "algorithm", "created (UTC)", "state"], &keys.iter().map(row).collect::<Vec<_>>())
    })?;
    Ok(Outcome::Success)
}
