//! Passwords: argon2id hashes, made and checked off the async threads, a few at once.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;

/// Why a password was not looked at, or not hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Its turn did not come.
    #[error("too many passwords are looked at already")]
    Busy,
    /// The system's randomness, memory or threads are gone.
    #[error("cannot hash a password: {0}")]
    Failed(String),
}

/// A hash that no password matches: checking against it takes as long as checking against a real one, so
/// that the time of an answer does not tell whether an account exists.
/// Written down rather than made, or the first unknown account would take twice as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$SE5dVQ7lyLIEMWf0OvJTbQ$Nh2CyXwY0KzYw3Yb8Gm1cS0aV9uJrQ2tEoLxPdZk4fI";

/// How long whoever signs in waits for a turn. Clients give up later, but somebody is told sooner what is going on.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where passwords are looked at, as many at once as there are places. Each takes 19 MiB and all of a processor, so
/// that more at once would be no sooner done: they would only take the memory of the machine, and the threads and the
/// time of everything else. Whoever waits, waits in turn, known or not.
#[derive(Clone)]
pub struct Places {
    free: Arc<Semaphore>,
    /// The memory of each place that was taken before. What is given back to the allocator by many threads in turn
    /// stays with each of them, so the places keep theirs.
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
    patience: Duration,
}

impl Places {
    /// Those of this process: one for each processor.
    pub fn of_the_process() -> Self {
        static PLACES: LazyLock<Places> = LazyLock::new(|| {
            Places::new(
                std::thread::available_parallelism().map_or(1, |processors| processors.get()),
                PATIENCE,
            )
        });
        PLACES.clone()
    }

    /// So many, for which one waits so long.
    pub fn new(places: usize, patience: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(places)), memory: Arc::default(), patience }
    }

    /// Whether `password` is the one behind `hash`; with no hash, takes as long and is false.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, PasswordError> {
        let kept = self.memory.clone();
        self.run(move || {
            let keep = || kept.lock().unwrap_or_else(PoisonError::into_inner);
            let mut memory = keep().pop().unwrap_or_default();
            let matches = matches(&password, hash.as_deref().unwrap_or(NOBODY), &mut memory);
            keep().push(memory);
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
        let turn = tokio::time::timeout(self.patience, Arc::clone(&self.free).acquire_owned()).await;
        let place = turn.map_err(|_| PasswordError::Busy)?.map_err(|error| failed(&error))?;
        let done = tokio::task::spawn_blocking(move || {
            // It is taken until the work ends, also when nobody waits for that any more.
            let _place = place;
            work()
        });
        done.await.map_err(|error| failed(&error))
    }
}

/// The argon2id hash of `password` in PHC form.
pub async fn hash(password: String) -> Result<String, PasswordError> {
    Places::of_the_process().hash(password).await
}

/// Whether `password` is the one behind `hash`; `None` where that is no hash. What is in `memory` does not matter.
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
    // Outputs are compared in a time that tells nothing.
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
    async fn only_the_password_matches_its_hash() {
        let hashed = hash("correct horse".into()).await.expect("hashes");
        assert!(hashed.starts_with("$argon2id$"), "{hashed}");
        let places = Places::of_the_process();
        assert!(places.verify("correct horse".into(), Some(hashed.clone())).await.expect("a turn"));
        assert!(!places.verify("battery staple".into(), Some(hashed)).await.expect("a turn"));
        assert!(!places.verify("correct horse".into(), None).await.expect("a turn"));
    }

    #[test]
    fn memory_that_was_used_before_makes_no_difference_nor_do_other_costs() {
        let right = "correct horse";
        let dear = Params::new(24 * 1024, 3, 2, None).expect("costs");
        let dear = Argon2::new(Algorithm::Argon2i, Version::V0x10, dear);
        let dear = dear.hash_password(right.as_bytes()).expect("hashes").to_string();
        let usual = hash_now(right).expect("hashes");
        let mut memory = Vec::new();
        for hash in [&usual, &dear, &usual, &dear] {
            assert_eq!(matches(right, hash, &mut memory), Some(true), "{hash}");
            assert_eq!(matches("battery staple", hash, &mut memory), Some(false), "{hash}");
        }
        for none in ["", "correct horse", "$argon2id$v=19$m=19456,t=2,p=1$SE5dVQ7lyLIEMWf0OvJTbQ"] {
            assert_eq!(matches(right, none, &mut memory), None, "{none}");
        }
    }

    #[tokio::test]
    async fn nobody_looks_at_a_password_before_its_turn() {
        let places = Places::new(1, Duration::from_millis(20));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, may_end) = std::sync::mpsc::channel::<()>();
        let inside = places.clone();
        let first = tokio::spawn(async move {
            let work = move || {
                begun.send(()).expect("somebody listens");
                may_end.recv().expect("a word");
            };
            inside.run(work).await
        });
        has_begun.await.expect("begins");
        // Whether there is such an account makes no difference.
        for hash in [None, Some(NOBODY.to_owned())] {
            let refused = places.verify("correct horse".into(), hash).await;
            assert!(matches!(refused, Err(PasswordError::Busy)), "{refused:?}");
        }
        // Whoever does not wait for it any more gives nobody else its place.
        first.abort();
        assert!(first.await.is_err_and(|error| error.is_cancelled()));
        assert!(matches!(places.hash("correct horse".into()).await, Err(PasswordError::Busy)));
        end.send(()).expect("somebody works");
        let patient = Places { patience: Duration::from_secs(60), ..places };
        assert!(!patient.verify("correct horse".into(), None).await.expect("a turn"));
    }

    #[test]
    fn nobody_costs_as_much_as_somebody() {
        let cost = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        let somebody = hash_now("correct horse").expect("hashes");
        assert_eq!(cost(NOBODY), cost(&somebody));
        assert!(PasswordHash::new(NOBODY).is_ok_and(|hash| {
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
