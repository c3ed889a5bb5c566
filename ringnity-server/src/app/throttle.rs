//! Login throttling: limits of failed logins for an account from one address (low), for an account from everywhere, and
//! for an address (both higher). If attackers at many addresses use up the limit of an account, it can still be logged
//! in to from addresses of earlier logins.
//!
//! An attempt counts as failed while it is in progress, so concurrent guesses gain nothing. Attempts for one account
//! from one address run one after the other: ten correct ones at the same time would count as ten failures.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Duration;
use ringnity_store::rate_limits::{self, Gcra};
use ringnity_store::{Conn, StoreError, identity};
use ringnity_types::ErrorCode;

use super::evicting_map::EvictingMap;
use super::network::network;
use crate::app::{App, AppError, AppResult, ErrorKind};
use crate::config::RateLimit;
use crate::secrets;
use crate::secrets::password::PasswordError;

/// How long an address of a successful login is remembered for the account.
const KNOWN_ADDRESS_TTL: Duration = Duration::days(90);

/// Limits of failed logins.
#[derive(Debug, Clone, Copy)]
pub struct LoginLimits {
    pair: Gcra,
    account: Gcra,
    address: Gcra,
}

impl LoginLimits {
    /// The limits of a setting; `None` if it is off. In the demo they are a thousand times higher.
    pub fn new(setting: RateLimit, demo: bool) -> Option<Self> {
        let times = if demo { 1000 } else { 1 };
        (setting != RateLimit::Off).then(|| Self {
            pair: Gcra::new(10 * times, Duration::minutes(15)),
            account: Gcra::new(100 * times, Duration::hours(1)),
            address: Gcra::new(300 * times, Duration::minutes(15)),
        })
    }
}

/// How long an attempt waits for the one before it. Shorter than the timeouts of clients, so that they get an error.
const LOGIN_WAIT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Lets one login at a time run for each account and address on this node.
#[derive(Default)]
pub struct LoginSerializer(Mutex<EvictingMap<String, Arc<tokio::sync::Mutex<()>>>>);

/// Held while an attempt runs.
type LoginGuard = tokio::sync::OwnedMutexGuard<()>;

impl LoginSerializer {
    async fn lock(&self, pair_id: &str) -> AppResult<LoginGuard> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Holders and waiters each have a reference.
            locks.evict(|lock| Arc::strong_count(lock) > 1);
            locks.entries.entry(pair_id.to_owned()).or_default().clone()
        };
        let guard = tokio::time::timeout(LOGIN_WAIT_TIMEOUT, lock.lock_owned()).await;
        guard.map_err(|_| PasswordError::Busy.into())
    }
}

/// A login attempt, which counts as failed until [`LoginAttempt::succeeded`].
#[derive(Debug)]
#[must_use = "without a call of `succeeded` the attempt counts as failed"]
pub struct LoginAttempt {
    counted: Vec<(String, Gcra)>,
    /// Bucket of account and address, if the account is known.
    pair_id: Option<String>,
    _guard: Option<LoginGuard>,
}

/// Starts an attempt to log in to `account` from `address`. `surface` is a token scope such as `owner`. Continue with
/// `LoginAttempt::sign_in`, which is in `identity::login`.
pub async fn begin(app: &App, surface: &str, account: &str, address: IpAddr) -> AppResult<LoginAttempt> {
    start_attempt(app, Some(&account_key(surface, account)), address).await
}

/// Resets the failed logins of an account from all addresses, after its password was changed. The limits of addresses
/// stay.
pub fn reset_account(c: &mut Conn, surface: &str, account: &str) -> Result<(), StoreError> {
    rate_limits::rate_bucket_reset(c, &bucket_id(&format!("to {}", account_key(surface, account))))
}

/// The account in a canonical spelling.
fn account_key(surface: &str, account: &str) -> String {
    format!("{surface} {}", account.trim().to_lowercase())
}

fn bucket_id(what: &str) -> String {
    secrets::hash(&format!("sign-in {what}"))
}

/// Starts an attempt whose account is not known yet, so that only the address is limited.
pub async fn begin_for_address(app: &App, address: IpAddr) -> AppResult<LoginAttempt> {
    start_attempt(app, None, address).await
}

async fn start_attempt(app: &App, account: Option<&str>, address: IpAddr) -> AppResult<LoginAttempt> {
    let address = network(address);
    let pair_id = account.map(|account| bucket_id(&format!("to {account} from {address}")));
    let Some(limits) = app.limits.logins else {
        return Ok(LoginAttempt { counted: Vec::new(), pair_id, _guard: None });
    };
    let guard = match &pair_id {
        Some(pair_id) => Some(app.limits.login_serializer.lock(pair_id).await?),
        None => None,
    };
    let mut buckets_of_address = vec![(bucket_id(&format!("from {address}")), limits.address)];
    let account_bucket = account.map(|account| (bucket_id(&format!("to {account}")), limits.account));
    if let (Some(pair_id), Some((account, _))) = (&pair_id, &account_bucket) {
        // Prefixed by the account's bucket, so that both are reset together.
        buckets_of_address.push((format!("{account}.{pair_id}"), limits.pair));
    }
    let now = app.now();
    let known = pair_id.clone();
    // Checked in a read first, so that rejected attempts cost no write.
    let (buckets, limited) = app
        .store
        .read(move |c| {
            let mut buckets = buckets_of_address.clone();
            if let (Some(known), Some(account_bucket)) = (&known, &account_bucket)
                && !identity::sign_in_address_is_known(c, known, now)?
            {
                buckets.push(account_bucket.clone());
            }
            // In the same order everywhere, to avoid deadlocks.
            buckets.sort_by(|(one, _), (other, _)| one.cmp(other));
            let limited = rate_limits::rate_bucket_check_each(c, &buckets, now)?;
            Ok::<_, StoreError>((buckets, limited))
        })
        .await?;
    limited.map_err(login_rate_limited)?;
    let counted = buckets.clone();
    app.store
        .write(move |c| rate_limits::rate_bucket_take_each(c, &buckets, now).map_err(AppError::from))
        .await?
        .map_err(login_rate_limited)?;
    Ok(LoginAttempt { counted, pair_id, _guard: guard })
}

impl LoginAttempt {
    /// Verifies a password. Without a hash it takes as long and fails.
    pub(super) async fn verify_password(
        self,
        app: &App,
        password: String,
        hash: Option<String>,
    ) -> AppResult<bool> {
        match app.auth.passwords.verify(password, hash).await {
            Ok(true) => self.succeeded(app).await.map(|()| true),
            Ok(false) => Ok(false),
            Err(error) => {
                // The password was not checked: neither a failure nor a known address.
                Self { pair_id: None, ..self }.succeeded(app).await?;
                Err(error.into())
            }
        }
    }

    /// Marks the attempt as successful: it does not count, and the address is known for the account.
    pub async fn succeeded(self, app: &App) -> AppResult<()> {
        if self.counted.is_empty() {
            return Ok(());
        }
        let until = app.now() + KNOWN_ADDRESS_TTL;
        app.store
            .write(move |c| {
                for (id, rate) in &self.counted {
                    rate_limits::rate_bucket_refund(c, id, *rate)?;
                }
                match &self.pair_id {
                    Some(pair_id) => identity::sign_in_address_put(c, pair_id, until),
                    None => Ok(()),
                }
            })
            .await?;
        Ok(())
    }
}

fn login_rate_limited(wait: Duration) -> AppError {
    AppError::new(
        ErrorKind::RateLimited,
        ErrorCode::RateLimited,
        "Too many failed logins. Wait for the time in Retry-After and retry, or have the password reset.",
    )
    .retry_after(wait)
}
