//! The clock of the server. Nothing else may call `Utc::now`, so that tests can move the time.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use tokio::sync::watch;

/// The system clock, with an offset that tests set.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Milliseconds ahead of the system clock.
    offset: Arc<watch::Sender<i64>>,
}

impl Clock {
    /// The time now.
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + Duration::milliseconds(*self.offset.borrow())
    }

    /// Moves this clock and its clones ahead. For tests.
    pub fn advance(&self, by: Duration) {
        self.offset.send_modify(|offset| *offset += by.num_milliseconds());
    }

    /// Notifies when the clock is moved, for tasks that sleep until a time.
    pub fn subscribe(&self) -> watch::Receiver<i64> {
        self.offset.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advances_every_clone() {
        let clock = Clock::default();
        let copy = clock.clone();
        clock.advance(Duration::hours(1));
        assert!(copy.now() - Utc::now() > Duration::minutes(59));
    }
}
