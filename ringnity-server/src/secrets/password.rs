//! Passwords: argon2id hashes, computed and verified on blocking threads, a few at a time.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;

/// Why a password was not verified or hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// No hashing slot became free in time.
    #[error("too many passwords are being hashed")]
    Busy,
    /// The system has no randomness, memory or threads left.
    #[error("cannot hash a password: {0}")]
    Failed(String),
}

/// A hash that no password matches. Verifying against it takes as long as against a real one, so that the response time
/// does not reveal whether an account exists. A constant, because computing it at first use would double the time of the
/// first unknown account.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$SE5dVQ7lyLIEMWf0OvJTbQ$Nh2CyXwY0KzYw3Yb8Gm1cS0aV9uJrQ2tEoLxPdZk4fI";

/// How long a sign-in waits for a hashing slot. Shorter than the timeouts of clients, so that they get an answer.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A fixed number of hashing slots, handed out in order. Each hash takes 19 MiB and a whole processor, so that more at
/// once would not finish sooner and would take memory, threads and time from everything else. Known and unknown accounts
/// wait alike.
#[derive(Clone)]
pub struct PasswordHasherPool {
    slots: Arc<Semaphore>,
    /// Memory for the next hashes. The allocator would keep what different threads free, once for each thread.
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
    acquire_timeout: Duration,
}

impl PasswordHasherPool {
    /// The pool of this process, with a slot for each processor.
    pub fn shared() -> Self {
        static SHARED: LazyLock<PasswordHasherPool> = LazyLock::new(|| {
            PasswordHasherPool::new(
                std::thread::available_parallelism().map_or(1, |processors| processors.get()),
                ACQUIRE_TIMEOUT,
            )
        });
        SHARED.clone()
    }

    /// A pool with that many slots, and how long a caller waits for one.
    pub fn new(slots: usize, acquire_timeout: Duration) -> Self {
        Self { slots: Arc::new(Semaphore::new(slots)), memory: Arc::default(), acquire_timeout }
    }

    /// Whether `password` matches `hash`. Without a hash, takes as long and returns false.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, PasswordError> {
        let spare = self.memory.clone();
        self.run(move || {
            let spare = || spare.lock().unwrap_or_else(PoisonError::into_inner);
            let mut memory = spare().pop().unwrap_or_default();
            let matches = matches(&password, hash.as_deref().unwrap_or(DUMMY_HASH), &mut memory);
            spare().push(memory);
            matches == Some(true) && hash.is_some()
        })
        .await
    }

    /// The argon2id hash of `password` in PHC form.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.run(move || hash_now(&password)).await?
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let failed = |error: &dyn std::error::Error| PasswordError::Failed(error.to_string());
        let slot = tokio::time::timeout(self.acquire_timeout, Arc::clone(&self.slots).acquire_owned()).await;
        let slot = slot.map_err(|_| PasswordError::Busy)?.map_err(|error| failed(&error))?;
        let done = tokio::task::spawn_blocking(move || {
            // Held until the work ends, even if the caller has stopped waiting.
            let _slot = slot;
            work()
        });
        done.await.map_err(|error| failed(&error))
    }
}

/// The argon2id hash of `password` in PHC form.
pub async fn hash(password: String) -> Result<String, PasswordError> {
    PasswordHasherPool::shared().hash(password).await
}

/// Whether `password` matches `hash`; `None` if that is not a hash. The content of `memory` has no effect.
fn matches(password: &str, hash: &str, memory: &mut Vec<Block>) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    let (salt, known) = (hash.salt.as_ref()?, hash.hash.as_ref()?);
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let version = hash.version.map(Version::try_from).transpose().ok()?.unwrap_or_default();
    let argon2 = Argon2::new(algorithm, version, Params::try_from(&hash).ok()?);
    let blocks = argon2.params().block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::new());
    }
    let mut output = [0; Output::MAX_LENGTH];
    let output = output.get_mut(..known.len())?;
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, &mut memory[..blocks]).ok()?;
    // `Output` compares in constant time.
    Some(Output::new(output).ok()? == *known)
}

fn hash_now(password: &str) -> Result<String, PasswordError> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| PasswordError::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_right_password_matches_hash() {
        let hashed = hash("correct horse".into()).await.expect("hashes");
        assert!(hashed.starts_with("$argon2id$"), "{hashed}");
        let pool = PasswordHasherPool::shared();
        assert!(pool.verify("correct horse".into(), Some(hashed.clone())).await.expect("a slot"));
        assert!(!pool.verify("battery staple".into(), Some(hashed)).await.expect("a slot"));
        assert!(!pool.verify("correct horse".into(), None).await.expect("a slot"));
    }

    /// OWASP's recommendation for argon2id, and what [`DUMMY_HASH`] has.
    #[tokio::test]
    async fn hashes_with_production_parameters() {
        let hashed = hash("correct horse".into()).await.expect("hashes");
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
    }

    #[test]
    fn verifies_hashes_of_other_costs_in_reused_memory() {
        let right = "correct horse";
        let costly = Params::new(24 * 1024, 3, 2, None).expect("costs");
        let costly = Argon2::new(Algorithm::Argon2i, Version::V0x10, costly);
        let costly = costly.hash_password(right.as_bytes()).expect("hashes").to_string();
        let usual = hash_now(right).expect("hashes");
        let mut memory = Vec::new();
        for hash in [&usual, &costly, &usual, &costly] {
            assert_eq!(matches(right, hash, &mut memory), Some(true), "{hash}");
            assert_eq!(matches("battery staple", hash, &mut memory), Some(false), "{hash}");
        }
        for none in ["", "correct horse", "$argon2id$v=19$m=19456,t=2,p=1$SE5dVQ7lyLIEMWf0OvJTbQ"] {
            assert_eq!(matches(right, none, &mut memory), None, "{none}");
        }
    }

    #[tokio::test]
    async fn refuses_when_no_slot_becomes_free() {
        let pool = PasswordHasherPool::new(1, Duration::from_millis(20));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, may_end) = std::sync::mpsc::channel::<()>();
        let inside = pool.clone();
        let first = tokio::spawn(async move {
            let work = move || {
                begun.send(()).expect("somebody listens");
                may_end.recv().expect("a word");
            };
            inside.run(work).await
        });
        has_begun.await.expect("begins");
        // Known and unknown accounts are refused alike.
        for hash in [None, Some(DUMMY_HASH.to_owned())] {
            let refused = pool.verify("correct horse".into(), hash).await;
            assert!(matches!(refused, Err(PasswordError::Busy)), "{refused:?}");
        }
        // A caller that stops waiting does not free the slot.
        first.abort();
        assert!(first.await.is_err_and(|error| error.is_cancelled()));
        assert!(matches!(pool.hash("correct horse".into()).await, Err(PasswordError::Busy)));
        end.send(()).expect("somebody works");
        let patient = PasswordHasherPool { acquire_timeout: Duration::from_secs(60), ..pool };
        assert!(!patient.verify("correct horse".into(), None).await.expect("a slot"));
    }

    #[test]
    fn dummy_hash_costs_as_much_as_real_hash() {
        let cost = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        let somebody = hash_now("correct horse").expect("hashes");
        assert_eq!(cost(DUMMY_HASH), cost(&somebody));
        assert!(PasswordHash::new(DUMMY_HASH).is_ok_and(|hash| {
            hash.hash.is_some_and(|output| {
                Some(output.len())
                    == PasswordHash::new(&somebody)
                        .ok()
                        .and_then(|known| known.hash)
                        .map(|output| output.len())
            })
        }));
    }
}
