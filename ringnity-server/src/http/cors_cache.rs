//! Remembers CORS decisions for a few seconds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use ringnity_api::Cors;

/// CORS decisions of the last seconds, by origin, for requests whose tenant is not known.
#[derive(Debug, Default)]
pub struct CorsCache(Mutex<HashMap<String, (Cors, DateTime<Utc>)>>);

impl CorsCache {
    /// How long a decision is kept.
    const MAX_AGE: TimeDelta = TimeDelta::seconds(10);

    /// Maximum number of origins. Clients that make origins up can cause queries, but not fill the memory.
    const CAPACITY: usize = 1000;

    /// Maximum length of an origin in bytes. A scheme, a host name and a port are shorter.
    const MAX_ORIGIN_LEN: usize = 300;

    pub(super) fn get(&self, origin: &str, now: DateTime<Utc>) -> Option<Cors> {
        let decisions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (cors, at) = decisions.get(origin)?;
        // A decision from the future was made before the clock was set back.
        (*at <= now && now - *at < Self::MAX_AGE).then_some(*cors)
    }

    pub(super) fn insert(&self, origin: &str, cors: Cors, now: DateTime<Utc>) {
        if origin.len() > Self::MAX_ORIGIN_LEN {
            return;
        }
        let mut decisions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if decisions.len() >= Self::CAPACITY {
            decisions.clear();
        }
        decisions.insert(origin.to_owned(), (cors, now));
    }
}
