//! Waiting for what happens in the background.

use std::time::{Duration, Instant};

/// How long a test waits for something that should happen at once.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Waits until `condition` holds.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < TIMEOUT, "timed out waiting until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
