//! What this crate knows of ringnity-server: its contract, settings and flows, and how to start a demo server that
//! can be checked completely. No other module does; all others are given a contract.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use crate::contract::Contract;
use crate::flows::Flows;
use crate::inputs::DemoServer;
use crate::issuer::{Issuer, Key};

/// The contract that ringnity-server is generated from. It is read from its file, so no crate of the server is
/// compiled.
pub const CONTRACT: &str = include_str!("../../ringnity-server/api/src/generated/contract.json");

/// Returns the effective contract, with the published contract and the settings.
pub fn contract() -> Result<Arc<Contract>> {
    let effective = serde_json::from_str(CONTRACT).context("the contract")?;
    let published = serde_json::from_str(include_str!("../../openapi.json")).context("openapi.json")?;
    let settings =
        toml::from_str(include_str!("../../openapi.settings.toml")).context("openapi.settings.toml")?;
    Ok(Arc::new(Contract::new(effective, Some(published), settings)?))
}

/// The files of the folder `flows`, in the order of their names.
const FLOWS: [(&str, &str); 7] = [
    ("dashboard_auth.arazzo.json", include_str!("../flows/dashboard_auth.arazzo.json")),
    ("developer_settings.arazzo.json", include_str!("../flows/developer_settings.arazzo.json")),
    ("login_with_ringnity.arazzo.json", include_str!("../flows/login_with_ringnity.arazzo.json")),
    ("platform_administration.arazzo.json", include_str!("../flows/platform_administration.arazzo.json")),
    ("runtime_bootstrap.arazzo.json", include_str!("../flows/runtime_bootstrap.arazzo.json")),
    ("server_api.arazzo.json", include_str!("../flows/server_api.arazzo.json")),
    ("shared.arazzo.json", include_str!("../flows/shared.arazzo.json")),
];

/// Returns the flows of that contract.
pub fn flows(contract: &Contract) -> Result<Flows> {
    let documents = FLOWS.iter().map(|(name, text)| {
        let document = serde_json::from_str(text).with_context(|| format!("flows/{name}"))?;
        Ok((format!("flows/{name}"), document))
    });
    Flows::merge(documents.collect::<Result<_>>()?, contract)
}

/// Requests per minute and credential of the demo server on which rate limits are checked. High enough for the flows
/// that create credentials, low enough to reach quickly.
pub const LOW_RATE_LIMIT: u32 = 20;

/// Running demo servers. They stop when this value is dropped.
#[derive(Debug)]
pub struct Demo {
    /// The inputs that the servers wrote: credentials, base URL, and `limited` for the server with a low rate limit.
    pub inputs: Value,
    _servers: [DemoServer; 2],
}

/// Starts two demo servers from the program `server`: one that accepts the ID tokens of a [`GoogleStub`], and one
/// with a low rate limit.
pub fn start_demo(server: &Path) -> Result<Demo> {
    let google = GoogleStub::start()?;
    let arguments = ["--google-client-id", GoogleStub::CLIENT_ID, "--google-jwks-url", google.jwks_url()]
        .map(str::to_owned);
    let started = DemoServer::start(server, &arguments)?;
    let limited = DemoServer::start(server, &["--rate-limit".to_owned(), LOW_RATE_LIMIT.to_string()])?;
    let mut inputs = started.inputs.clone();
    google.add_tokens(&mut inputs, Utc::now())?;
    inputs["limited"] = limited.inputs.clone();
    Ok(Demo { inputs, _servers: [started, limited] })
}

/// A stand-in for Google: a key set and the ID tokens that it verifies. Google's own keys sign only for Google, so
/// without it no run could sign in with Google.
#[derive(Debug)]
pub struct GoogleStub(Issuer);

impl GoogleStub {
    /// The OAuth client id of the server.
    pub const CLIENT_ID: &str = "conformance.apps.googleusercontent.com";

    /// Lifetime of the tokens: longer than any run. Google's own tokens are valid for an hour.
    const TOKEN_LIFETIME: Duration = Duration::days(7);

    /// Creates the key and serves its key set.
    pub fn start() -> Result<Self> {
        Ok(Self(Issuer::start()?))
    }

    /// The URL of the key set, for `--google-jwks-url`.
    pub fn jwks_url(&self) -> &str {
        &self.0.url
    }

    /// Adds ID tokens to the inputs of both tenants: valid ones for the owners, and ones that must be rejected.
    pub fn add_tokens(&self, inputs: &mut Value, now: DateTime<Utc>) -> Result<()> {
        inputs["google"] = self.tokens(&inputs["owner"]["email"], 1, now)?;
        let other = &mut inputs["otherTenant"];
        other["google"] = self.tokens(&other["owner"]["email"], 2, now)?;
        if let Some(refused) = inputs.get_mut("refused") {
            let token = |email: &Value, number| {
                self.0.key.token(&Self::claims("owner", number, email, now + Self::TOKEN_LIFETIME))
            };
            refused["closedOwnersToken"] = token(&refused["closed"]["owner"]["email"], 3)?.into();
            refused["formerOwnersToken"] = token(&refused["owner"]["email"], 4)?.into();
        }
        Ok(())
    }

    fn claims(account: &str, number: u32, email: &Value, end: DateTime<Utc>) -> Value {
        json!({
            "iss": "https://accounts.google.com", "aud": Self::CLIENT_ID, "azp": Self::CLIENT_ID,
            "sub": format!("{account}-{number}"), "email": email, "email_verified": true,
            "name": "Ada Lovelace", "picture": "https://lh3.googleusercontent.com/a/ada",
            "iat": (end - Self::TOKEN_LIFETIME).timestamp(), "exp": end.timestamp(),
        })
    }

    fn tokens(&self, owner: &Value, number: u32, now: DateTime<Utc>) -> Result<Value> {
        let claims =
            |account: &str, email: &Value, end: DateTime<Utc>| Self::claims(account, number, email, end);
        let key = &self.0.key;
        let good = claims("owner", owner, now + Self::TOKEN_LIFETIME);
        let with = |name: &str, value: Value| {
            let mut changed = good.clone();
            changed[name] = value;
            key.token(&changed)
        };
        Ok(json!({
            "idToken": key.token(&good)?,
            "newcomersToken": key.token(&claims("newcomer", &json!("newcomer@google.example"), now + Self::TOKEN_LIFETIME))?,
            "otherAccountsToken": key.token(&claims("namesake", owner, now + Self::TOKEN_LIFETIME))?,
            "unverifiedToken": with("email_verified", json!(false))?,
            "otherClientsToken": with("aud", json!("somebody-elses.apps.googleusercontent.com"))?,
            "expiredToken": key.token(&claims("owner", owner, now - Duration::hours(1)))?,
            "forgedToken": Key::new("conformance")?.token(&good)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows");
        let files = crate::flows::read(&[folder]).unwrap();
        let names: Vec<&str> = files.iter().filter_map(|(path, _)| path.rsplit('/').next()).collect();
        assert_eq!(names, FLOWS.map(|(name, _)| name));
    }
}
