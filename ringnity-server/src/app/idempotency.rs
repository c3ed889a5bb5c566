//! Idempotency keys: a request with a key takes effect once, and every repeat gets the response of the first. See
//! ARCHITECTURE.md for how a rule uses it.

use std::future::Future;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Duration, Utc};
use ringnity_store::idempotency::{self, IdempotencyRecord};
use ringnity_store::{Conn, Store, StoreError};
use ringnity_types::ErrorCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{App, AppError, AppResult, ErrorKind};
use crate::secrets::hex;

/// How long a repeat is recognized.
const RETENTION: Duration = Duration::hours(24);

/// How long a request with external effects counts as in progress if its server dies. External calls must time out
/// sooner.
const IN_PROGRESS_TTL: Duration = Duration::minutes(2);

/// The idempotency key of a request with the hash of its input; empty if the request has none.
#[derive(Clone, Default)]
pub struct IdempotencyKey(Option<Arc<DerivedKey>>);

struct DerivedKey {
    /// Id of the row.
    id: String,
    request_hash: String,
    /// Encrypts the response, which may contain secrets. Derived from the client's key, of which the database has only
    /// a hash.
    cipher: [u8; 32],
}

impl std::fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("IdempotencyKey").field(&self.0.as_ref().map(|key| &key.id)).finish()
    }
}

impl IdempotencyKey {
    /// The key `key` that `caller` sent to `operation`, with the hash of the request.
    pub fn new(caller: &str, operation: &str, key: &str, request_hash: String) -> Self {
        let digest = |purpose: &str| -> [u8; 32] {
            let mut hash = Sha256::new();
            for part in ["ringnity idempotency", purpose, caller, operation, key] {
                // The length separates the parts unambiguously.
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part.as_bytes());
            }
            hash.finalize().into()
        };
        let id = hex(&digest("row"));
        Self(Some(Arc::new(DerivedKey { id, request_hash, cipher: digest("answer") })))
    }
}

impl DerivedKey {
    fn encrypt<T: Serialize>(&self, output: &T) -> AppResult<String> {
        let mut text = serde_json::to_vec(output).map_err(AppError::internal)?;
        let nonce = self.with_cipher(|key, about| key.seal_in_place_append_tag(about, &mut text))?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(STANDARD.encode(sealed))
    }

    fn decrypt<T: DeserializeOwned>(&self, sealed: &str) -> AppResult<T> {
        let mut sealed = STANDARD.decode(sealed).map_err(AppError::internal)?;
        let (nonce, text) = sealed
            .split_at_mut_checked(NONCE_LEN)
            .ok_or_else(|| AppError::internal("a stored response is too short"))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(AppError::internal)?;
        let text = self.with_cipher(|key, about| key.open_in_place(nonce, about, text))?;
        // It fails if another version of the server wrote it.
        serde_json::from_slice(text).map_err(|error| AppError {
            source: Some(Box::new(error)),
            ..AppError::new(
                ErrorKind::Conflict,
                ErrorCode::ResourceConflict,
                "This request succeeded before a server upgrade, and its response is no longer available. Look up its result, and use a new Idempotency-Key.",
            )
        })
    }

    fn with_cipher<T>(
        &self,
        work: impl FnOnce(&RandomizedNonceKey, Aad<&[u8]>) -> Result<T, aws_lc_rs::error::Unspecified>,
    ) -> AppResult<T> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.cipher).map_err(AppError::internal)?;
        work(&key, Aad::from(self.request_hash.as_bytes())).map_err(AppError::internal)
    }

    /// Rejects a request that differs from the earlier one with this key.
    fn ensure_same_request(&self, earlier: &IdempotencyRecord) -> AppResult<()> {
        if earlier.request_hash == self.request_hash {
            return Ok(());
        }
        Err(AppError::new(
            ErrorKind::Unprocessable,
            ErrorCode::IdempotencyKeyReused,
            "This Idempotency-Key was used for a different request. Use a new key for each new request, and the same key only for an exact repeat.",
        ))
    }

    /// The response of the earlier request.
    fn replay<T: DeserializeOwned>(&self, earlier: &IdempotencyRecord) -> AppResult<T> {
        self.ensure_same_request(earlier)?;
        match &earlier.answer {
            Some(sealed) => self.decrypt(sealed),
            None => Err(AppError::new(
                ErrorKind::Conflict,
                ErrorCode::IdempotencyRequestInProgress,
                "The first request with this Idempotency-Key is still in progress. Wait a few seconds and retry with the same key.",
            )),
        }
    }

    /// Stores the output and returns it as a repeat will read it.
    fn store_answer<T: Serialize + DeserializeOwned>(
        &self,
        c: &mut Conn,
        expires_at: Option<DateTime<Utc>>,
        output: &T,
    ) -> AppResult<T> {
        let sealed = self.encrypt(output)?;
        if !idempotency::idempotency_complete(c, &self.id, expires_at, &sealed)? {
            return Err(AppError::new(
                ErrorKind::Conflict,
                ErrorCode::IdempotencyRequestInProgress,
                "This request took so long that a repeat was started. Retry with the same key.",
            ));
        }
        self.decrypt(&sealed)
    }
}

impl App {
    /// Runs `work` as one write of the store, once for each key. A repeat gets what the first request returned. Effect
    /// and response are one transaction, and a concurrent repeat waits for it. Errors are not stored.
    ///
    /// The output of `work` is stored as encrypted JSON. The response must be built from it alone, secrets included.
    pub async fn idempotent<T, F>(&self, idempotency_key: IdempotencyKey, work: F) -> AppResult<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(&mut Conn) -> AppResult<T> + Send + 'static,
    {
        self.idempotent_authorized(idempotency_key, |_| Ok(()), move |c, ()| work(c)).await
    }

    /// Like [`App::idempotent`], for operations without a credential. `authorize` checks in the same transaction who
    /// may have the response, for repeats too. `work` gets its output.
    pub async fn idempotent_authorized<G, T, P, F>(
        &self,
        idempotency_key: IdempotencyKey,
        authorize: P,
        work: F,
    ) -> AppResult<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        P: Fn(&mut Conn) -> AppResult<G> + Send + 'static,
        F: Fn(&mut Conn, G) -> AppResult<T> + Send + 'static,
    {
        run_authorized(&self.store, self.now(), idempotency_key, authorize, work).await
    }

    /// Like [`App::idempotent`], for rules with an external effect, such as a call to a provider. `external` runs once,
    /// then `work` as one write with its output. A concurrent repeat is rejected with 409. `external` must time out
    /// within two minutes; if the server dies meanwhile, a repeat after that time runs it again.
    pub async fn idempotent_external<P, T, O, F>(
        &self,
        idempotency_key: IdempotencyKey,
        external: O,
        work: F,
    ) -> AppResult<T>
    where
        P: Send + 'static,
        T: Serialize + DeserializeOwned + Send + 'static,
        O: Future<Output = AppResult<P>>,
        F: Fn(&mut Conn, &P) -> AppResult<T> + Send + 'static,
    {
        run_external(&self.store, self.now(), idempotency_key, external, work).await
    }
}

async fn run_authorized<G, T, P, F>(
    store: &Store,
    now: DateTime<Utc>,
    idempotency_key: IdempotencyKey,
    authorize: P,
    work: F,
) -> AppResult<T>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    P: Fn(&mut Conn) -> AppResult<G> + Send + 'static,
    F: Fn(&mut Conn, G) -> AppResult<T> + Send + 'static,
{
    let write = move |c: &mut Conn| {
        let Some(key) = &idempotency_key.0 else {
            let found = authorize(c)?;
            return work(c, found);
        };
        let until = now + RETENTION;
        match idempotency::idempotency_claim(c, &key.id, &key.request_hash, None, until, now)? {
            Some(earlier) => {
                // Before authorization: a different request is rejected in any case.
                key.ensure_same_request(&earlier)?;
                authorize(c)?;
                key.replay(&earlier)
            }
            None => {
                let found = authorize(c)?;
                let output = work(c, found)?;
                key.store_answer(c, None, &output)
            }
        }
    };
    store.write(write).await
}

async fn run_external<P, T, O, F>(
    store: &Store,
    now: DateTime<Utc>,
    idempotency_key: IdempotencyKey,
    external: O,
    work: F,
) -> AppResult<T>
where
    P: Send + 'static,
    T: Serialize + DeserializeOwned + Send + 'static,
    O: Future<Output = AppResult<P>>,
    F: Fn(&mut Conn, &P) -> AppResult<T> + Send + 'static,
{
    let Some(key) = idempotency_key.0 else {
        let found = external.await?;
        return store.write(move |c| work(c, &found)).await;
    };
    let expires_at = now + IN_PROGRESS_TTL;
    let claimed = key.clone();
    let earlier = store
        .write(move |c| {
            let (until, expires_at) = (now + RETENTION, Some(expires_at));
            let hash = &claimed.request_hash;
            idempotency::idempotency_claim(c, &claimed.id, hash, expires_at, until, now)
                .map_err(AppError::from)
        })
        .await?;
    if let Some(earlier) = earlier {
        return key.replay(&earlier);
    }
    let done = match external.await {
        Ok(found) => {
            let key = key.clone();
            let work = move |c: &mut Conn| {
                let output = work(c, &found)?;
                key.store_answer(c, Some(expires_at), &output)
            };
            store.write(work).await
        }
        Err(refusal) => Err(refusal),
    };
    if done.is_err() {
        let released = store
            .write(move |c| {
                idempotency::idempotency_release(c, &key.id, expires_at)?;
                Ok::<_, StoreError>(())
            })
            .await;
        if let Err(error) = released {
            tracing::warn!(%error, "cannot release an idempotency key; a retry is possible in two minutes");
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use ringnity_store::testing::{TestDatabase, engines};
    use tokio::sync::Notify;

    use super::*;

    #[test]
    fn keys_depend_on_caller_and_operation_and_reveal_nothing() {
        let repeat = |caller, operation, key| IdempotencyKey::new(caller, operation, key, "h".into());
        let of = |repeat: &IdempotencyKey| {
            let key = repeat.0.clone().expect("a key");
            (key.id.clone(), key.cipher)
        };
        let one = of(&repeat("server a", "upsertContact", "k"));
        assert_eq!(one, of(&repeat("server a", "upsertContact", "k")));
        for other in [
            repeat("server b", "upsertContact", "k"),
            repeat("server a", "createWebhook", "k"),
            repeat("server a", "upsertContact", "kk"),
            repeat("server ", "aupsertContact", "k"),
        ] {
            let other = of(&other);
            assert!(one.0 != other.0 && one.1 != other.1);
        }
        let sealed = repeat("a", "b", "c").0.expect("a key").encrypt(&"rn_sk_live_1").expect("seals");
        assert!(!sealed.contains("rn_sk") && !sealed.contains(&STANDARD.encode("rn_sk_live_1")[..12]));
        let opened: AppResult<String> = repeat("a", "b", "c").0.expect("a key").decrypt(&sealed);
        assert_eq!(opened.expect("opens"), "rn_sk_live_1");
        let opened: AppResult<String> = repeat("a", "b", "d").0.expect("a key").decrypt(&sealed);
        assert_eq!(opened.expect_err("is another's").kind, ErrorKind::Internal);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn external_effect_happens_once_and_concurrent_repeats_get_409() {
        for engine in engines() {
            let database = TestDatabase::new(engine);
            let store = Store::open(database.config()).await.expect("opens");
            let repeat = IdempotencyKey::new("server a", "sendAiVisitorMessage", "k", "h".into());
            let (now, go, ran) = (Utc::now(), Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
            let ask = |now, refuse| {
                let (store, repeat, go, ran) = (store.clone(), repeat.clone(), go.clone(), ran.clone());
                tokio::spawn(async move {
                    let outside = async {
                        let number = ran.fetch_add(1, Ordering::SeqCst) + 1;
                        go.notified().await;
                        if refuse { Err(AppError::internal("the provider is away")) } else { Ok(number) }
                    };
                    run_external(&store, now, repeat, outside, |_, number| Ok(*number)).await
                })
            };
            let started = async |count| {
                while ran.load(Ordering::SeqCst) < count {
                    tokio::task::yield_now().await;
                }
            };
            let first = ask(now, true);
            started(1).await;
            let meanwhile = ask(now, false).await.expect("ends").expect_err("is refused");
            assert_eq!(meanwhile.code, ErrorCode::IdempotencyRequestInProgress);
            go.notify_one();
            first.await.expect("ends").expect_err("is refused");
            // A failed request can be retried, and one in progress expires.
            let lost = ask(now, false);
            started(2).await;
            let again = ask(now + IN_PROGRESS_TTL, false);
            started(3).await;
            go.notify_one();
            lost.await.expect("ends").expect_err("is too late");
            go.notify_one();
            assert_eq!(again.await.expect("ends").expect("succeeds"), 3);
            assert_eq!(ask(now + IN_PROGRESS_TTL, false).await.expect("ends").expect("replays"), 3);
            assert_eq!(ran.load(Ordering::SeqCst), 3);
        }
    }
}
