//! Requests that may be sent again: one under an idempotency key takes effect once, and every repeat gets the
//! answer of the first. ARCHITECTURE.md says how a rule uses it.

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

/// How long a repeat is recognised.
const RETENTION: Duration = Duration::hours(24);

/// How long a request that works outside a transaction counts as running when nothing more is heard of it: its
/// server may have died. What it does outside must give up sooner.
const IN_PROGRESS_TTL: Duration = Duration::minutes(2);

/// The key under which a request may be repeated, with what it asks for; or that it has none.
#[derive(Clone, Default)]
pub struct IdempotencyKey(Option<Arc<DerivedKey>>);

struct DerivedKey {
    /// What its row is found by.
    id: String,
    request_hash: String,
    /// Encrypts the answer. Made from the key that the client sent, of which the database has only a hash: answers
    /// may hold secrets that stand nowhere else.
    cipher: [u8; 32],
}

impl std::fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("IdempotencyKey").field(&self.0.as_ref().map(|key| &key.id)).finish()
    }
}

impl IdempotencyKey {
    /// The key `key` of `caller` for `operation`, to which it asks for what has this hash.
    pub fn new(caller: &str, operation: &str, key: &str, request_hash: String) -> Self {
        let digest = |purpose: &str| -> [u8; 32] {
            let mut hash = Sha256::new();
            for part in ["ringnity idempotency", purpose, caller, operation, key] {
                // The length keeps one part from reaching into the next.
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
            .ok_or_else(|| AppError::internal("a stored answer is too short"))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(AppError::internal)?;
        let text = self.with_cipher(|key, about| key.open_in_place(nonce, about, text))?;
        // It was written before this version of the server knew its answers otherwise.
        serde_json::from_slice(text).map_err(|error| AppError {
            source: Some(Box::new(error)),
            ..AppError::new(
                ErrorKind::Conflict,
                ErrorCode::ResourceConflict,
                "This request was carried out before the server was upgraded, and its answer cannot be told any more. Look up what it made, and use a new Idempotency-Key from now on.",
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

    /// Refuses a request that is no repeat of the earlier one under this key.
    fn ensure_same_request(&self, earlier: &IdempotencyRecord) -> AppResult<()> {
        if earlier.request_hash == self.request_hash {
            return Ok(());
        }
        Err(AppError::new(
            ErrorKind::Unprocessable,
            ErrorCode::IdempotencyKeyReused,
            "This Idempotency-Key was sent with another request before. Use a new key for each new request, and the old one only to repeat exactly what was sent.",
        ))
    }

    /// What an earlier request under this key means for this one.
    fn replay<T: DeserializeOwned>(&self, earlier: &IdempotencyRecord) -> AppResult<T> {
        self.ensure_same_request(earlier)?;
        match &earlier.answer {
            Some(sealed) => self.decrypt(sealed),
            None => Err(AppError::new(
                ErrorKind::Conflict,
                ErrorCode::IdempotencyRequestInProgress,
                "The first request with this Idempotency-Key is still being worked on. Wait a few seconds and send this one again, with the same key.",
            )),
        }
    }

    /// Keeps the output, and answers it as every repeat will read it.
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
                "This took so long that a repeat of it was begun. Wait for that one, or send this one again with the same key.",
            ));
        }
        self.decrypt(&sealed)
    }
}

impl App {
    /// Runs `work` as one write of the store, once for each key: a repeat gets what the first returned. Effect and
    /// answer are one transaction, so a crash leaves both or neither, and a repeat that comes meanwhile waits for
    /// the first and gets its answer. What is refused is not remembered.
    ///
    /// What `work` returns is stored as JSON, encrypted; the answer must be made of it alone, secrets included.
    pub async fn idempotent<T, F>(&self, idempotency_key: IdempotencyKey, work: F) -> AppResult<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Fn(&mut Conn) -> AppResult<T> + Send + 'static,
    {
        self.idempotent_authorized(idempotency_key, |_| Ok(()), move |c, ()| work(c)).await
    }

    /// The same where no credential was judged before: `guard` asks who may have the answer, in the same transaction,
    /// for a repeat as for the first. `work` gets what it found.
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

    /// The same for a rule that must do something outside a transaction first, such as asking a provider: `outside`
    /// runs once, then `work` as one write with what came of it. Nobody can wait for something outside in a
    /// transaction, so a repeat that comes meanwhile is refused with 409. What is done outside must give up within
    /// two minutes; should the server die in it, a repeat after that time does it again.
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
                // Another request is told so, whatever else is wrong with it.
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
            tracing::warn!(%error, "a request that failed cannot be tried again for two minutes");
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
    fn keys_are_told_apart_by_caller_and_operation_and_say_nothing() {
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
    async fn what_happens_outside_happens_once_and_repeats_meanwhile_are_told_to_wait() {
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
            let begun = async |count| {
                while ran.load(Ordering::SeqCst) < count {
                    tokio::task::yield_now().await;
                }
            };
            let first = ask(now, true);
            begun(1).await;
            let meanwhile = ask(now, false).await.expect("ends").expect_err("is refused");
            assert_eq!(meanwhile.code, ErrorCode::IdempotencyRequestInProgress);
            go.notify_one();
            first.await.expect("ends").expect_err("is refused");
            // What was refused may be tried again, and what nobody hears of any more is void after a while.
            let lost = ask(now, false);
            begun(2).await;
            let again = ask(now + IN_PROGRESS_TTL, false);
            begun(3).await;
            go.notify_one();
            lost.await.expect("ends").expect_err("is too late");
            go.notify_one();
            assert_eq!(again.await.expect("ends").expect("succeeds"), 3);
            assert_eq!(ask(now + IN_PROGRESS_TTL, false).await.expect("ends").expect("is told"), 3);
            assert_eq!(ran.load(Ordering::SeqCst), 3);
        }
    }
}
