//! How often each credential may ask: a bucket of tokens that holds what the plan allows in a minute and fills as
//! fast. On SQLite there is one node, and buckets are in its memory. On PostgreSQL nodes share them, and a write
//! for each request would be too dear: a node leases a few tokens of the shared bucket in one write and spends
//! them by itself. A lease is a quarter of what is left and a tenth of all at most, so that little is stranded at
//! other nodes when it gets tight, and it lasts ten seconds; leased tokens count as spent, so that all nodes
//! together let through no more than one would.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};
use lru::LruCache;
use ringnity_store::rate_limits::{Gcra, rate_bucket_take, rate_bucket_tat};
use ringnity_store::tenants::{self, Quota};
use ringnity_store::{Engine, Store, StoreError, TenantId};

use super::AppResult;
use super::evicting_map::EvictingMap;
use super::network::network;
use crate::config::RateLimit;
use crate::secrets;

/// Requests a minute where no plan says anything.
const DEFAULT_PER_MINUTE: u32 = 300;

/// Requests a minute from one address without an accepted credential: many people may be behind it.
const ANONYMOUS_PER_MINUTE: u32 = 600;

/// How long what a plan says is believed.
const PLAN_CACHE_TTL: Duration = Duration::seconds(10);

/// Tenants whose plan limit is cached.
const PLAN_CACHE_CAPACITY: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// How long leased tokens may be spent.
const LEASE_DURATION: Duration = Duration::seconds(10);

/// Where a credential stands with its limit, one request counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimitStatus {
    /// Requests a minute.
    pub limit: i64,
    /// Requests that are left.
    pub remaining: i64,
    /// When all of them are there again.
    pub full_at: DateTime<Utc>,
    /// How long to wait, when this request is one too many.
    pub wait: Option<Duration>,
}

/// The buckets of this node.
pub struct RateLimiter {
    setting: RateLimit,
    buckets: Mutex<EvictingMap<String, Arc<tokio::sync::Mutex<Bucket>>>>,
    anonymous: Mutex<EvictingMap<String, DateTime<Utc>>>,
    plans: Mutex<LruCache<TenantId, PlanLimit>>,
}

/// What a tenant's plan allows in a minute, and until when that is believed without asking again.
type PlanLimit = (Option<u32>, DateTime<Utc>);

#[derive(Default)]
struct Bucket {
    /// When it is full again; on PostgreSQL, when the shared one was last known to be.
    full_at: Option<DateTime<Utc>>,
    /// Tokens that this node has taken out and not spent.
    leased: i64,
    /// Until when it may spend them, or need not ask for more because there are none.
    lease_ends: Option<DateTime<Utc>>,
}

impl RateLimiter {
    /// No bucket has been touched yet.
    pub fn new(setting: RateLimit) -> Self {
        Self {
            setting,
            buckets: Mutex::default(),
            anonymous: Mutex::default(),
            plans: Mutex::new(LruCache::new(PLAN_CACHE_CAPACITY)),
        }
    }

    /// Counts a request of `caller`. `None` where nothing is limited.
    pub async fn count(
        &self,
        store: &Store,
        caller: &str,
        tenant: Option<&TenantId>,
        now: DateTime<Utc>,
    ) -> AppResult<Option<RateLimitStatus>> {
        let limit = match self.setting {
            RateLimit::Off => None,
            RateLimit::PerMinute(limit) => Some(limit),
            RateLimit::Plan => self.limit_of(store, tenant, now).await?,
        };
        let Some(limit) = limit else { return Ok(None) };
        let rate = Gcra::new(limit, Duration::minutes(1));
        let bucket = self.bucket(caller, now);
        // Requests of one credential wait here for each other only while the first of them leases tokens.
        let mut bucket = bucket.lock().await;
        Ok(Some(match store.engine() {
            Engine::Sqlite => bucket.take(rate, now),
            Engine::Postgres => bucket.take_leased(store, caller, rate, now).await,
        }))
    }

    /// Counts a request without an accepted credential, from that address; answers how long to wait where it is one
    /// too many. Each node counts for itself: a stranger costs no write.
    pub fn count_anonymous(&self, address: IpAddr, now: DateTime<Utc>) -> Option<Duration> {
        let limit = match self.setting {
            RateLimit::Off => return None,
            RateLimit::PerMinute(limit) => limit.max(ANONYMOUS_PER_MINUTE),
            RateLimit::Plan => ANONYMOUS_PER_MINUTE,
        };
        let rate = Gcra::new(limit, Duration::minutes(1));
        let mut anonymous = self.anonymous.lock().unwrap_or_else(PoisonError::into_inner);
        anonymous.evict(|full_at| *full_at > now);
        let full_at = anonymous.entries.entry(network(address)).or_insert(now);
        let taken = rate.take(Some(*full_at), 1, now);
        *full_at = taken.tat;
        (taken.tokens == 0).then(|| rate.retry_after(Some(taken.tat), now))
    }

    /// What the tenant's plan says; whoever has no tenant has what is usual.
    async fn limit_of(
        &self,
        store: &Store,
        tenant: Option<&TenantId>,
        now: DateTime<Utc>,
    ) -> AppResult<Option<u32>> {
        let Some(tenant) = tenant else { return Ok(Some(DEFAULT_PER_MINUTE)) };
        let known = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).copied();
        if let Some((limit, until)) = known
            && until > now
        {
            return Ok(limit);
        }
        let asked = tenant.clone();
        let quota = store
            .read(move |c| tenants::plan_quota_of_tenant(c, &asked, Quota::ApiRequestsPerMinute))
            .await?;
        let limit = match quota {
            None => Some(DEFAULT_PER_MINUTE),
            // A plan without any would lock its people out of the dashboard as well.
            Some(quota) => quota.limit().map(|limit| u32::try_from(limit.max(1)).unwrap_or(u32::MAX)),
        };
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.put(tenant.clone(), (limit, now + PLAN_CACHE_TTL));
        Ok(limit)
    }

    fn bucket(&self, caller: &str, now: DateTime<Utc>) -> Arc<tokio::sync::Mutex<Bucket>> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is locked is in use.
        buckets.evict(|bucket| bucket.try_lock().map_or(true, |bucket| !bucket.is_idle(now)));
        buckets.entries.entry(caller.to_owned()).or_default().clone()
    }
}

impl Bucket {
    fn is_idle(&self, now: DateTime<Utc>) -> bool {
        self.full_at.is_none_or(|full_at| full_at <= now) && self.lease_ends.is_none_or(|ends| ends <= now)
    }

    fn take(&mut self, rate: Gcra, now: DateTime<Utc>) -> RateLimitStatus {
        let taken = rate.take(self.full_at, 1, now);
        self.full_at = Some(taken.tat);
        self.status(rate, taken.tokens > 0, now)
    }

    async fn take_leased(
        &mut self,
        store: &Store,
        caller: &str,
        rate: Gcra,
        now: DateTime<Utc>,
    ) -> RateLimitStatus {
        // One that ends later than a lease can was taken before the clock was set back.
        if self.lease_ends.is_none_or(|ends| ends <= now || ends > now + LEASE_DURATION) {
            self.leased = 0;
            self.lease_ends = None;
        }
        if self.leased == 0 && self.lease_ends.is_none() {
            self.lease(store, caller, rate, now).await;
        }
        let allowed = self.leased > 0;
        self.leased -= i64::from(allowed);
        if allowed && self.leased == 0 {
            self.lease_ends = None;
        }
        self.status(rate, allowed, now)
    }

    async fn lease(&mut self, store: &Store, caller: &str, rate: Gcra, now: DateTime<Utc>) {
        let id = secrets::hash(&format!("requests of {caller}"));
        let taken = store
            .try_write(move |c| {
                let left = rate.available(rate_bucket_tat(c, &id)?, now);
                rate_bucket_take(c, &id, rate, lease_size(rate, left), now)
            })
            .await
            .unwrap_or_else(|error: StoreError| {
                // A database that takes no writes may still be read, and this node can count for itself meanwhile.
                tracing::warn!(%error, "nodes cannot share a limit; each counts alone");
                let left = rate.available(self.full_at, now);
                rate.take(self.full_at, lease_size(rate, left), now)
            });
        self.full_at = Some(taken.tat);
        self.leased = taken.tokens;
        // Without tokens there is nothing to ask for before one has come back.
        let pause = if taken.tokens > 0 {
            LEASE_DURATION
        } else {
            rate.retry_after(self.full_at, now).min(LEASE_DURATION)
        };
        self.lease_ends = Some(now + pause);
    }

    fn status(&self, rate: Gcra, allowed: bool, now: DateTime<Utc>) -> RateLimitStatus {
        RateLimitStatus {
            limit: rate.capacity(),
            remaining: self.leased + rate.available(self.full_at, now),
            full_at: self.full_at.unwrap_or(now).max(now),
            wait: (!allowed).then(|| rate.retry_after(self.full_at, now)),
        }
    }
}

/// How many of the tokens that are left a node leases.
fn lease_size(rate: Gcra, left: i64) -> i64 {
    (left / 4).clamp(1, (rate.capacity() / 10).max(1))
}
