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

use super::rates::Crowd;
use crate::app::identity::sessions;
use crate::app::{App, AppError, AppResult, ErrorKind};
use crate::config::RateLimit;
use crate::secrets;
use crate::secrets::password::PasswordError;

/// How long a place is remembered that an account was signed in to from.
const REMEMBERED: Duration = Duration::days(90);

/// How many attempts may fail.
#[derive(Debug, Clone, Copy)]
pub struct SignInLimits {
    pair: Gcra,
    account: Gcra,
    address: Gcra,
}

impl SignInLimits {
    /// The limits that go with a setting; `None` where nothing is limited. For the demo they are out of the way.
    pub fn of(setting: RateLimit, demo: bool) -> Option<Self> {
        let times = if demo { 1000 } else { 1 };
        (setting != RateLimit::Off).then(|| Self {
            pair: Gcra::new(10 * times, Duration::minutes(15)),
            account: Gcra::new(100 * times, Duration::hours(1)),
            address: Gcra::new(300 * times, Duration::minutes(15)),
        })
    }
}

/// How long one waits for a turn. Clients give up later, but somebody is told sooner what is going on.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// Who tries an account from an address just now, on this node.
#[derive(Default)]
pub struct Turns(Mutex<Crowd<String, Arc<tokio::sync::Mutex<()>>>>);

/// Somebody's turn, until it is dropped.
type Turn = tokio::sync::OwnedMutexGuard<()>;

impl Turns {
    async fn take(&self, place: &str) -> AppResult<Turn> {
        let turn = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever has it or waits for it holds it, too.
            known.sweep(|turn| Arc::strong_count(turn) > 1);
            known.known.entry(place.to_owned()).or_default().clone()
        };
        let turn = tokio::time::timeout(PATIENCE, turn.lock_owned()).await;
        turn.map_err(|_| PasswordError::Busy.into())
    }
}

/// An attempt to sign in, counted as failed until it says otherwise.
#[derive(Debug)]
#[must_use = "an attempt that nobody calls succeeded counts as failed"]
pub struct Attempt {
    counted: Vec<(String, Gcra)>,
    /// Account and address together, where the account is known.
    place: Option<String>,
    _turn: Option<Turn>,
}

/// Somebody who has just signed in.
pub struct SignedIn<T> {
    /// What beginning the session told.
    pub begun: T,
    /// The session's first refresh token.
    pub refresh_token: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Begins an attempt to sign in to `account` of `surface` (`owner` and the like) from `address`. Go on with
/// [`Attempt::sign_in`].
pub async fn begin(app: &App, surface: &str, account: &str, address: IpAddr) -> AppResult<Attempt> {
    attempt(app, Some(&name_of(surface, account)), address).await
}

/// Forgets what failed at an account, from everywhere: its password is another now. What failed from an address,
/// whatever the account, still counts.
pub fn forget(c: &mut Conn, surface: &str, account: &str) -> Result<(), StoreError> {
    rate_limits::rate_bucket_reset(c, &bucket(&format!("to {}", name_of(surface, account))))
}

/// An account is one, however it is written.
fn name_of(surface: &str, account: &str) -> String {
    format!("{surface} {}", account.trim().to_lowercase())
}

fn bucket(what: &str) -> String {
    secrets::hash(&format!("sign-in {what}"))
}

/// Begins an attempt of which the account is not known before it is looked at: only the address can be limited.
pub async fn begin_unknown(app: &App, address: IpAddr) -> AppResult<Attempt> {
    attempt(app, None, address).await
}

async fn attempt(app: &App, account: Option<&str>, address: IpAddr) -> AppResult<Attempt> {
    let address = network(address);
    let place = account.map(|account| bucket(&format!("to {account} from {address}")));
    let Some(limits) = app.sign_in_limits else {
        return Ok(Attempt { counted: Vec::new(), place, _turn: None });
    };
    let turn = match &place {
        Some(place) => Some(app.sign_in_turns.take(place).await?),
        None => None,
    };
    let mut narrow = vec![(bucket(&format!("from {address}")), limits.address)];
    let wide = account.map(|account| (bucket(&format!("to {account}")), limits.account));
    if let (Some(place), Some((account, _))) = (&place, &wide) {
        // Below the account's, so that all of an account can be forgotten at once.
        narrow.push((format!("{account}.{place}"), limits.pair));
    }
    let now = app.now();
    let known = place.clone();
    // Looked at first: whoever is refused costs no write.
    let (buckets, looked) = app
        .store
        .read(move |c| {
            let mut buckets = narrow.clone();
            if let (Some(known), Some(wide)) = (&known, &wide)
                && !identity::sign_in_address_is_known(c, known, now)?
            {
                buckets.push(wide.clone());
            }
            // In the same order for everybody, so that nobody waits for one who waits for them.
            buckets.sort_by(|(one, _), (other, _)| one.cmp(other));
            let looked = rate_limits::rate_bucket_check_each(c, &buckets, now)?;
            Ok::<_, StoreError>((buckets, looked))
        })
        .await?;
    looked.map_err(too_many)?;
    let counted = buckets.clone();
    app.store
        .write(move |c| rate_limits::rate_bucket_take_each(c, &buckets, now).map_err(AppError::from))
        .await?
        .map_err(too_many)?;
    Ok(Attempt { counted, place, _turn: turn })
}

impl Attempt {
    /// Signs `known` in, an account with the hash of its password, if `password` is the one behind it. An account that
    /// is not there costs as much time, and is refused in the same words: `name` is what accounts are called by.
    /// `begin` begins the session, whose first refresh token has the hash that it is given, and answers with what the
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
        let matches = self.password(app, password, hash).await?;
        let (account, looked_at) =
            known.filter(|_| matches).ok_or_else(|| sessions::wrong_credentials(name))?;
        let refresh = sessions::new_refresh_token()?;
        let (hash, at) = (refresh.hash, app.now());
        let begun = app
            .store
            .write(move |c| {
                let (begun, current) = begin(c, &account, &hash, at)?;
                if current == looked_at { Ok(begun) } else { Err(sessions::wrong_credentials(name)) }
            })
            .await?;
        Ok(SignedIn { begun, refresh_token: refresh.text, at })
    }

    /// Whether that is the password behind `hash`; without one it takes as long and is not.
    async fn password(self, app: &App, password: String, hash: Option<String>) -> AppResult<bool> {
        match app.passwords.verify(password, hash).await {
            Ok(true) => self.succeeded(app).await.map(|()| true),
            Ok(false) => Ok(false),
            Err(error) => {
                // Nobody has looked at it: that was no failure. It did not come from a place to remember, either.
                Self { place: None, ..self }.succeeded(app).await?;
                Err(error.into())
            }
        }
    }

    /// It was no failure: it does not count, and the place is known from now on.
    pub async fn succeeded(self, app: &App) -> AppResult<()> {
        if self.counted.is_empty() {
            return Ok(());
        }
        let until = app.now() + REMEMBERED;
        app.store
            .write(move |c| {
                for (id, rate) in &self.counted {
                    rate_limits::rate_bucket_refund(c, id, *rate)?;
                }
                match &self.place {
                    Some(place) => identity::sign_in_address_put(c, place, until),
                    None => Ok(()),
                }
            })
            .await?;
        Ok(())
    }
}

/// Who has one IPv6 address has 2⁶⁴ of them.
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

fn too_many(wait: Duration) -> AppError {
    AppError::new(
        ErrorKind::RateLimited,
        ErrorCode::RateLimited,
        "Too many attempts to sign in have failed. Wait as long as Retry-After says, then try again, or have the password reset.",
    )
    .retry_after(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_one_address() {
        let network = |text: &str| network(text.parse().expect("address"));
        assert_eq!(network("192.0.2.7"), network("::ffff:192.0.2.7"));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }
}
