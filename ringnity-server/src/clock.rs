//! The time, as everything in the server asks for it: tests set it, nothing else may call `Utc::now`.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use tokio::sync::watch;

/// A clock: the system's, or one that tests move.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Milliseconds that the clock is offset of the system's.
    offset: Arc<watch::Sender<i64>>,
}

impl Clock {
    /// The time now.
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + Duration::milliseconds(*self.offset.borrow())
    }

    /// Moves every holder of this clock offset. For tests.
    pub fn advance(&self, by: Duration) {
        self.offset.send_modify(|offset| *offset += by.num_milliseconds());
    }

    /// Tells when the clock is moved, for what sleeps until a time.
    pub fn subscribe(&self) -> watch::Receiver<i64> {
        self.offset.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_copy_of_a_clock_moves() {
        let clock = Clock::default();
        let copy = clock.clone();
        clock.advance(Duration::hours(1));
        assert!(copy.now() - Utc::now() > Duration::minutes(59));
    }
}
