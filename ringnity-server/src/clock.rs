//! The time, as everything in the server asks for it: tests set it, nothing else may call `Utc::now`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Duration, Utc};

/// A clock: the system's, or one that tests move.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Milliseconds that the clock is ahead of the system's.
    ahead: Arc<AtomicI64>,
}

impl Clock {
    /// The time now.
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + Duration::milliseconds(self.ahead.load(Ordering::Relaxed))
    }

    /// Moves every holder of this clock ahead. For tests.
    pub fn advance(&self, by: Duration) {
        self.ahead.fetch_add(by.num_milliseconds(), Ordering::Relaxed);
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
