//! Business rules, one module per area. A rule takes a principal's ids and typed input and returns typed output or an
//! [`AppError`]. It reads and writes through one `read` or `write` of the store.

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

use crate::app::login::oauth_scopes::{MissingCoverage, ScopeCoverage};
use crate::app::tenants::server_keys::LastUsedThrottle;
use crate::app::throttle::{LoginLimits, LoginSerializer};
use crate::clock::Clock;
use crate::config::{RateLimit, Urls};
use crate::providers::google::Google;
use crate::secrets::password::PasswordHasherPool;
use crate::secrets::tokens::Signer;

pub use error::{AppError, AppResult, ErrorKind};
pub use idempotency::IdempotencyKey;
pub use rate_limits::{RateLimitStatus, RateLimiter};
pub use ringnity_store::TenantId;

/// What the rules work with: the store, the clock, and the state that requests share.
pub struct App {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Public URLs of this server and of the dashboard.
    pub urls: Urls,
    /// What authentication needs.
    pub auth: Auth,
    /// Rate limits.
    pub limits: Limits,
    /// Notified when a rule has added a job that should start before the next poll.
    pub job_added: Notify,
}

/// What authentication needs.
pub struct Auth {
    /// Signs and verifies access tokens.
    pub signer: Arc<Signer>,
    /// Verifies Google's ID tokens; `None` where sign-in with Google is not configured.
    pub google: Option<Google>,
    /// Verifies and hashes passwords.
    pub passwords: PasswordHasherPool,
    /// Which OAuth scopes a client may request.
    pub oauth_scopes: ScopeCoverage,
    /// Limits how often the use of a Server API key is written.
    pub key_last_used: LastUsedThrottle,
}

/// Rate limits of this node.
pub struct Limits {
    /// Requests of each credential and address.
    pub requests: RateLimiter,
    /// Failed logins; `None` where they are not limited.
    pub logins: Option<LoginLimits>,
    /// Lets one login at a time run for each account and address.
    pub login_serializer: LoginSerializer,
}

impl Limits {
    /// The limits of a setting. `raise_logins` raises the login limits out of the way, for the demo.
    pub fn new(setting: RateLimit, raise_logins: bool) -> Self {
        Self {
            requests: RateLimiter::new(setting),
            logins: LoginLimits::new(setting, raise_logins),
            login_serializer: LoginSerializer::default(),
        }
    }
}

/// The text, unless it is empty or only white space.
pub(crate) fn non_blank(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

impl App {
    /// The rules on `store`, without public URLs, limits and sign-in with Google: what a command needs. A server adds
    /// them with the `with_` methods.
    ///
    /// # Errors
    ///
    /// Fails if `contract` does not say which OAuth scopes are planned.
    pub fn new(
        store: Store,
        clock: Clock,
        signer: Arc<Signer>,
        contract: &str,
    ) -> Result<Self, MissingCoverage> {
        Ok(Self {
            store,
            clock,
            urls: Urls::default(),
            auth: Auth {
                signer,
                google: None,
                passwords: PasswordHasherPool::shared(),
                oauth_scopes: ScopeCoverage::from_contract(contract)?,
                key_last_used: LastUsedThrottle::default(),
            },
            limits: Limits::new(RateLimit::Off, false),
            job_added: Notify::new(),
        })
    }

    /// Sets the public URLs.
    #[must_use]
    pub fn with_urls(self, urls: Urls) -> Self {
        Self { urls, ..self }
    }

    /// Sets the limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Enables sign-in with Google.
    #[must_use]
    pub fn with_google(mut self, google: Option<Google>) -> Self {
        self.auth.google = google;
        self
    }

    /// Replaces what verifies and hashes passwords.
    #[must_use]
    pub fn with_passwords(mut self, passwords: PasswordHasherPool) -> Self {
        self.auth.passwords = passwords;
        self
    }

    /// The current time.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}
