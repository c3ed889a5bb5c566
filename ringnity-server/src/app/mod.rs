//! The rules, one module per area. No HTTP and no SQL: principals and typed input in, typed output or an
//! [`AppError`] out, everything durable through one `read` or `write` of the store.

mod error;
mod evicting_map;
mod network;

pub mod contacts;
pub mod health;
pub mod idempotency;
pub mod identity;
pub mod login;
pub mod plans;
pub mod rate_limits;
pub mod tenants;
pub mod throttle;
pub mod visitors;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ringnity_store::Store;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::config::Urls;
use crate::providers::google::Google;
use crate::secrets::password::PasswordHasherPool;
use crate::secrets::tokens::Signer;

pub use error::{AppError, AppResult, ErrorKind};
pub use idempotency::IdempotencyKey;
pub use rate_limits::{RateLimitStatus, RateLimiter};
pub use ringnity_store::TenantId;

/// What every rule works with.
pub struct App {
    /// Where everything durable is.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Signs and reads access tokens.
    pub signer: Arc<Signer>,
    /// Judges Google's ID tokens, where sign-in with Google is configured.
    pub google: Option<Google>,
    /// Which OAuth scopes can be asked for already.
    pub oauth_scopes: login::oauth_scopes::ScopeCoverage,
    /// Addresses under which people reach this server.
    pub urls: Urls,
    /// How often each credential may ask.
    pub rates: RateLimiter,
    /// How often signing in may fail, where that is limited.
    pub sign_in_limits: Option<throttle::LoginLimits>,
    /// Whose turn it is to sign in.
    pub sign_in_turns: throttle::LoginSerializer,
    /// When it was last noted that a key was used.
    pub key_uses: tenants::server_keys::LastUsedThrottle,
    /// Where the passwords of those who sign in are looked at.
    pub passwords: PasswordHasherPool,
    /// Told by a rule that has put a job which should not wait for the next look.
    pub jobs_put: Notify,
}

/// Text that says something.
pub(crate) fn non_blank(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

impl App {
    /// The rules for an operator's command, which no page and no client is at: without addresses and limits.
    pub fn for_cli(store: Store, clock: Clock, signer: Arc<Signer>, contract: &str) -> anyhow::Result<Self> {
        Ok(Self {
            store,
            clock,
            signer,
            google: None,
            oauth_scopes: login::oauth_scopes::ScopeCoverage::from_contract(contract)?,
            urls: Urls::default(),
            rates: RateLimiter::new(crate::config::RateLimit::Off),
            sign_in_limits: None,
            sign_in_turns: throttle::LoginSerializer::default(),
            key_uses: tenants::server_keys::LastUsedThrottle::default(),
            passwords: PasswordHasherPool::shared(),
            jobs_put: Notify::new(),
        })
    }

    /// The time now.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}
