//! Rate limits of credentials: a token bucket (GCRA) with the plan's requests per minute. On SQLite there is one node,
//! and buckets are in memory. On PostgreSQL nodes share them. A write for each request would be too expensive, so a
//! node leases tokens of the shared bucket in one write. A lease is at most a quarter of what is left and a tenth of
//! the limit, and lasts ten seconds. Leased tokens count as spent, so all nodes together stay within the limit.

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

/// Requests per minute if the plan sets no limit.
const DEFAULT_PER_MINUTE: u32 = 300;

/// Requests per minute from one address without a valid credential. Many people may share the address.
const ANONYMOUS_PER_MINUTE: u32 = 600;

/// How long the limit of a plan is cached.
const PLAN_CACHE_TTL: Duration = Duration::seconds(10);

/// Tenants whose plan limit is cached.
const PLAN_CACHE_CAPACITY: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// How long leased tokens can be spent.
const LEASE_DURATION: Duration = Duration::seconds(10);

/// State of a limit after a request was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimitStatus {
    /// Requests per minute.
    pub limit: i64,
    /// Requests left.
    pub remaining: i64,
    /// When the bucket is full again.
    pub resets_at: DateTime<Utc>,
    /// How long to wait, if this request exceeds the limit.
    pub wait: Option<Duration>,
}

/// The rate limiter of this node.
pub struct RateLimiter {
    setting: RateLimit,
    buckets: Mutex<EvictingMap<String, Arc<tokio::sync::Mutex<Bucket>>>>,
    anonymous: Mutex<EvictingMap<String, DateTime<Utc>>>,
    plans: Mutex<LruCache<TenantId, PlanLimit>>,
}

/// Requests per minute of a tenant's plan, and when the cache entry expires.
type PlanLimit = (Option<u32>, DateTime<Utc>);

#[derive(Default)]
struct Bucket {
    /// When the bucket is full again; on PostgreSQL, the last known time of the shared bucket.
    tat: Option<DateTime<Utc>>,
    /// Leased tokens that are not spent.
    leased: i64,
    /// When the lease ends or, without tokens, when to ask again.
    lease_ends: Option<DateTime<Utc>>,
}

impl RateLimiter {
    /// All buckets are full.
    pub fn new(setting: RateLimit) -> Self {
        Self {
            setting,
            buckets: Mutex::default(),
            anonymous: Mutex::default(),
            plans: Mutex::new(LruCache::new(PLAN_CACHE_CAPACITY)),
        }
    }

    /// Counts a request of `caller`. Returns `None` if there is no limit.
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
        // Requests of one credential wait here only while one of them leases tokens.
        let mut bucket = bucket.lock().await;
        Ok(Some(match store.engine() {
            Engine::Sqlite => bucket.take(rate, now),
            Engine::Postgres => bucket.take_leased(store, caller, rate, now).await,
        }))
    }

    /// Counts a request without a valid credential. Returns how long to wait if it exceeds the limit. Each node counts
    /// in memory, so such requests cost no write.
    pub fn count_anonymous(&self, address: IpAddr, now: DateTime<Utc>) -> Option<Duration> {
        let limit = match self.setting {
            RateLimit::Off => return None,
            RateLimit::PerMinute(limit) => limit.max(ANONYMOUS_PER_MINUTE),
            RateLimit::Plan => ANONYMOUS_PER_MINUTE,
        };
        let rate = Gcra::new(limit, Duration::minutes(1));
        let mut anonymous = self.anonymous.lock().unwrap_or_else(PoisonError::into_inner);
        anonymous.evict(|tat| *tat > now);
        let tat = anonymous.entries.entry(network(address)).or_insert(now);
        let taken = rate.take(Some(*tat), 1, now);
        *tat = taken.tat;
        (taken.tokens == 0).then(|| rate.retry_after(Some(taken.tat), now))
    }

    /// The limit of the tenant's plan, or the default without a tenant.
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
            // A limit of 0 would lock the tenant out of the dashboard too.
            Some(quota) => quota.limit().map(|limit| u32::try_from(limit.max(1)).unwrap_or(u32::MAX)),
        };
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.put(tenant.clone(), (limit, now + PLAN_CACHE_TTL));
        Ok(limit)
    }

    fn bucket(&self, caller: &str, now: DateTime<Utc>) -> Arc<tokio::sync::Mutex<Bucket>> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // A locked bucket is in use.
        buckets.evict(|bucket| bucket.try_lock().map_or(true, |bucket| !bucket.is_idle(now)));
        buckets.entries.entry(caller.to_owned()).or_default().clone()
    }
}

impl Bucket {
    fn is_idle(&self, now: DateTime<Utc>) -> bool {
        self.tat.is_none_or(|tat| tat <= now) && self.lease_ends.is_none_or(|ends| ends <= now)
    }

    fn take(&mut self, rate: Gcra, now: DateTime<Utc>) -> RateLimitStatus {
        let taken = rate.take(self.tat, 1, now);
        self.tat = Some(taken.tat);
        self.status(rate, taken.tokens > 0, now)
    }

    async fn take_leased(
        &mut self,
        store: &Store,
        caller: &str,
        rate: Gcra,
        now: DateTime<Utc>,
    ) -> RateLimitStatus {
        // A lease that ends too late was taken before the clock was set back.
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
                // The database may still be readable, so this node counts alone meanwhile.
                tracing::warn!(%error, "cannot share a rate limit between nodes; this node counts alone");
                let left = rate.available(self.tat, now);
                rate.take(self.tat, lease_size(rate, left), now)
            });
        self.tat = Some(taken.tat);
        self.leased = taken.tokens;
        // Without tokens, ask again when the first one is back.
        let pause = if taken.tokens > 0 {
            LEASE_DURATION
        } else {
            rate.retry_after(self.tat, now).min(LEASE_DURATION)
        };
        self.lease_ends = Some(now + pause);
    }

    fn status(&self, rate: Gcra, allowed: bool, now: DateTime<Utc>) -> RateLimitStatus {
        RateLimitStatus {
            limit: rate.capacity(),
            remaining: self.leased + rate.available(self.tat, now),
            resets_at: self.tat.unwrap_or(now).max(now),
            wait: (!allowed).then(|| rate.retry_after(self.tat, now)),
        }
    }
}

/// How many of the remaining tokens a node leases.
fn lease_size(rate: Gcra, left: i64) -> i64 {
    (left / 4).clamp(1, (rate.capacity() / 10).max(1))
}
