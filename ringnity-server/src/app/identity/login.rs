//! Login with a password: a throttled attempt, the check of the password, and a new session.

use chrono::{DateTime, Utc};
use ringnity_store::Conn;

use crate::app::identity::sessions;
use crate::app::throttle::LoginAttempt;
use crate::app::{App, AppResult};

/// A successful login.
pub struct SignedIn<T> {
    /// Output of starting the session.
    pub session: T,
    /// First refresh token of the session.
    pub refresh_token: String,
    /// Time of the login.
    pub at: DateTime<Utc>,
}

impl LoginAttempt {
    /// Logs in to `known`, an account with its password hash, if `password` matches. An account that does not exist
    /// takes as long and gets the same error, in which `name` is the kind of account name. `begin` starts the session
    /// with the hash of its first refresh token and returns the current password hash, so that a password that was
    /// changed meanwhile is rejected.
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
}
