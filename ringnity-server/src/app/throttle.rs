//! Signing in is tried seldom and guessed often: only so many attempts may fail. Few for an account from one
//! address, many for an account from everywhere, many from one address whatever the account. A stranger who tries
//! an account from elsewhere uses up the attempts of that address; and should strangers at many addresses use up
//! those of the account, it still opens from where it was signed in to before.
//!
//! An attempt counts as failed while it is under way, so that many at once gain nothing. Those at one account from one
//! address take turns: if they ran together, ten of them that are right would be ten that have failed so far.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};
use ringnity_store::rate_limits::{self, Gcra};
use ringnity_store::{Conn, StoreError, identity};
use ringnity_types::ErrorCode;

use super::evicting_map::EvictingMap;
use super::network::network;
use crate::app::identity::sessions;
use crate::app::{App, AppError, AppResult, ErrorKind};
use crate::config::RateLimit;
use crate::secrets;
use crate::secrets::password::PasswordError;

/// How long a place is remembered that an account was signed in to from.
const KNOWN_ADDRESS_TTL: Duration = Duration::days(90);

/// How many attempts may fail.
#[derive(Debug, Clone, Copy)]
pub struct LoginLimits {
    pair: Gcra,
    account: Gcra,
    address: Gcra,
}

impl LoginLimits {
    /// The limits that go with a setting; `None` where nothing is limited. For the demo they are out of the way.
    pub fn new(setting: RateLimit, demo: bool) -> Option<Self> {
        let times = if demo { 1000 } else { 1 };
        (setting != RateLimit::Off).then(|| Self {
            pair: Gcra::new(10 * times, Duration::minutes(15)),
            account: Gcra::new(100 * times, Duration::hours(1)),
            address: Gcra::new(300 * times, Duration::minutes(15)),
        })
    }
}

/// How long one waits for a turn. Clients give up later, but somebody is told sooner what is going on.
const LOGIN_WAIT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Who tries an account from an address just now, on this node.
#[derive(Default)]
pub struct LoginSerializer(Mutex<EvictingMap<String, Arc<tokio::sync::Mutex<()>>>>);

/// Somebody's turn, until it is dropped.
type LoginGuard = tokio::sync::OwnedMutexGuard<()>;

impl LoginSerializer {
    async fn lock(&self, pair_id: &str) -> AppResult<LoginGuard> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever has it or waits for it holds it, too.
            locks.evict(|lock| Arc::strong_count(lock) > 1);
            locks.entries.entry(pair_id.to_owned()).or_default().clone()
        };
        let guard = tokio::time::timeout(LOGIN_WAIT_TIMEOUT, lock.lock_owned()).await;
        guard.map_err(|_| PasswordError::Busy.into())
    }
}

/// An attempt to sign in, counted as failed until it says otherwise.
#[derive(Debug)]
#[must_use = "an attempt that nobody calls succeeded counts as failed"]
pub struct LoginAttempt {
    counted: Vec<(String, Gcra)>,
    /// Account and address together, where the account is known.
    pair_id: Option<String>,
    _guard: Option<LoginGuard>,
}

/// Somebody who has just signed in.
pub struct SignedIn<T> {
    /// What beginning the session told.
    pub session: T,
    /// The session's first refresh token.
    pub refresh_token: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Begins an attempt to sign in to `account` of `surface` (`owner` and the like) from `address`. Go on with
/// [`LoginAttempt::sign_in`].
pub async fn begin(app: &App, surface: &str, account: &str, address: IpAddr) -> AppResult<LoginAttempt> {
    start_attempt(app, Some(&account_key(surface, account)), address).await
}

/// Forgets what failed at an account, from everywhere: its password is another now. What failed from an address,
/// whatever the account, still counts.
pub fn reset_account(c: &mut Conn, surface: &str, account: &str) -> Result<(), StoreError> {
    rate_limits::rate_bucket_reset(c, &bucket_id(&format!("to {}", account_key(surface, account))))
}

/// An account is one, however it is written.
fn account_key(surface: &str, account: &str) -> String {
    format!("{surface} {}", account.trim().to_lowercase())
}

fn bucket_id(what: &str) -> String {
    secrets::hash(&format!("sign-in {what}"))
}

/// Begins an attempt of which the account is not known before it is limited at: only the address can be limited.
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
        // Below the account's, so that all of an account can be forgotten at once.
        buckets_of_address.push((format!("{account}.{pair_id}"), limits.pair));
    }
    let now = app.now();
    let known = pair_id.clone();
    // Looked at first: whoever is refused costs no write.
    let (buckets, limited) = app
        .store
        .read(move |c| {
            let mut buckets = buckets_of_address.clone();
            if let (Some(known), Some(account_bucket)) = (&known, &account_bucket)
                && !identity::sign_in_address_is_known(c, known, now)?
            {
                buckets.push(account_bucket.clone());
            }
            // In the same order for everybody, so that nobody waits for one who waits for them.
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
    /// Signs `known` in, an account with the hash of its password, if `password` is the one behind it. An account that
    /// is not there costs as much time, and is refused in the same words: `name` is what accounts are called by.
    /// `begin` begins the session, whose first refresh token has the hash that it is non_blank, and answers with what the
    /// account's hash is by then: a password that was changed meanwhile opens nothing any more.
    pub async fn sign_in<A, T>(
        self,
        app: &App,
        name: &'static str,
        password: String,
        known: Option<(A, Option<String>)>,
        begin: impl Fn(&mut Conn, &A, &str, DateTime<Utc>) -> AppResult<(T, Option<String>)> + Send + 'static,
    ) -> AppResult<SignedIn<T>>
    where
        A: Send + 'static,
        T: Send + 'static,
    {
        let hash = known.as_ref().and_then(|(_, hash)| hash.clone());
        let matches = self.verify_password(app, password, hash).await?;
        let (account, verified_hash) =
            known.filter(|_| matches).ok_or_else(|| sessions::wrong_credentials(name))?;
        let refresh = sessions::new_refresh_token()?;
        let (hash, at) = (refresh.hash, app.now());
        let session = app
            .store
            .write(move |c| {
                let (session, current) = begin(c, &account, &hash, at)?;
                if current == verified_hash { Ok(session) } else { Err(sessions::wrong_credentials(name)) }
            })
            .await?;
        Ok(SignedIn { session, refresh_token: refresh.text, at })
    }

    /// Whether that is the password behind `hash`; without one it takes as long and is not.
    async fn verify_password(self, app: &App, password: String, hash: Option<String>) -> AppResult<bool> {
        match app.auth.passwords.verify(password, hash).await {
            Ok(true) => self.succeeded(app).await.map(|()| true),
            Ok(false) => Ok(false),
            Err(error) => {
                // Nobody has limited at it: that was no failure. It did not come from a place to remember, either.
                Self { pair_id: None, ..self }.succeeded(app).await?;
                Err(error.into())
            }
        }
    }

    /// It was no failure: it does not count, and the place is known from now on.
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
        "Too many attempts to sign in have failed. Wait as long as Retry-After says, then try again, or have the password reset.",
    )
    .retry_after(wait)
}
