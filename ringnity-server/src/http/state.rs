//! What every request shares: the rules with their store, and the contract's checks.

use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;
use ringnity_api::runtime::Parts;
use ringnity_api::{Boundary, Call, Cors, Hooks, TenantHints as Said};
use ringnity_types::ErrorCode;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

use crate::app::tenants::{self, TenantHints};
use crate::app::{App, AppError, AppResult};
use crate::http::auth::caller::Caller;
use crate::telemetry::metrics::Metrics;

/// The kinds of credential that pages of a tenant's customers hold.
const HELD_BY_PAGES: [&str; 4] = ["visitor", "agent", "admin", "oauth"];

/// The state of a running server.
pub struct State {
    /// The rules.
    pub app: Arc<App>,
    /// Checks of requests and answers.
    pub boundary: Boundary,
    /// Proxies that are believed when they say where a client is.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Set when the server begins to stop.
    pub stopping: Arc<AtomicBool>,
    /// Requests that are being handled.
    pub handled: Handled,
    /// What pages were told a moment ago.
    pub told_pages: ToldPages,
}

/// How many requests are being handled.
#[derive(Debug, Clone, Default)]
pub struct Handled(Arc<watch::Sender<usize>>);

/// One of them, while it exists.
#[derive(Debug)]
struct Handling(Handled);

impl Handled {
    fn one(&self) -> Handling {
        self.0.send_modify(|number| *number += 1);
        Handling(self.clone())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        *self.0.borrow()
    }

    /// Waits until there has been none for so long.
    pub async fn none_for(&self, time: Duration) {
        let mut number = self.0.subscribe();
        loop {
            // It cannot be closed: one who sends is here.
            let _ = number.wait_for(|number| *number == 0).await;
            if tokio::time::timeout(time, number.wait_for(|number| *number > 0)).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.0.send_modify(|number| *number -= 1);
    }
}

/// What was decided about the page that asks, when the tenant was known: kept with the request, so that the
/// answer's headers say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    allowed: bool,
}

impl Page {
    /// Keeps what `outcome` says of the page. Other refusals say nothing of it.
    pub fn note<T>(call: &Call, outcome: &AppResult<T>) {
        let allowed = match outcome {
            Ok(_) => true,
            Err(refusal) if refusal.code == ErrorCode::SdkOriginNotAllowed => false,
            Err(_) => return,
        };
        call.note(Self { allowed });
    }
}

/// Of a request that has come to its handler.
#[derive(Clone)]
struct Received;

/// What pages were told a moment ago when it was not known which tenant they ask for, by their origins.
#[derive(Debug, Default)]
pub struct ToldPages(Mutex<HashMap<String, (Cors, DateTime<Utc>)>>);

impl ToldPages {
    /// How long the same is said again.
    const AGE: TimeDelta = TimeDelta::seconds(10);

    /// How many origins are remembered. Those who make some up may make the server ask again, not fill its memory.
    const MOST: usize = 1000;

    /// Bytes of an origin that is remembered: a scheme, a host name and a port need no more.
    const LONGEST: usize = 300;

    fn get(&self, origin: &str, now: DateTime<Utc>) -> Option<Cors> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (cors, at) = told.get(origin)?;
        // What was said later than now was said before the clock was set back.
        (*at <= now && now - *at < Self::AGE).then_some(*cors)
    }

    fn keep(&self, origin: &str, cors: Cors, now: DateTime<Utc>) {
        if origin.len() > Self::LONGEST {
            return;
        }
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= Self::MOST {
            told.clear();
        }
        told.insert(origin.to_owned(), (cors, now));
    }
}

impl State {
    /// What a page is told that asks beforehand, or was refused before anything looked at its tenant: nothing that
    /// is not said to everybody. So any tenant's domain will do, and it may have been one a moment ago.
    async fn cors_of_anybody(&self, call: &Call, origin: &str) -> Cors {
        let now = self.app.now();
        if let Some(cors) = self.told_pages.get(origin, now) {
            return cors;
        }
        // No request is refused for asking this, yet nobody makes the database look without end: who comes too fast
        // may read that, and the request that follows a preflight is judged by itself.
        if self.app.rates.count_anonymous(self.client_address(call), now).is_some() {
            return Cors::Allow;
        }
        let page = origin.to_owned();
        let listed = self.app.store.read(move |c| tenants::any_tenant_allows_origin(c, &page)).await;
        let Ok(listed) = listed else { return Cors::Deny };
        let cors = if listed { Cors::Allow } else { Cors::Deny };
        self.told_pages.keep(origin, cors, now);
        cors
    }

    /// What a request without a credential says of its tenant.
    pub fn tenant_hints(&self, call: &Call) -> TenantHints {
        let said = Said::of(call);
        TenantHints {
            host_slug: said.host.as_deref().and_then(|host| self.app.urls.slug_of_host(host)),
            public_key: said.public_key,
            slug: said.slug,
        }
    }
}

impl Hooks for State {
    fn boundary(&self) -> &Boundary {
        &self.boundary
    }

    fn is_leaving(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    fn begun(&self, call: &Call) {
        call.note(Arc::new(self.handled.one()));
    }

    fn received(&self, call: &Call, parts: &Parts) {
        call.note(Received);
        self.note_repeat(call, parts);
    }

    /// Counts the answer and logs that it was given: nothing of the request but what it was.
    fn answered(&self, call: &Call, status: StatusCode) {
        let took = call.elapsed();
        self.metrics.answered(call.operation(), status, took);
        let tenant = call.noted::<Caller>().and_then(|caller| caller.tenant);
        tracing::info!(
            operation = call.operation().id,
            status = status.as_u16(),
            milliseconds = took.as_millis() as u64,
            request_id = call.request_id(),
            tenant = tenant.as_ref().map(|tenant| tenant.as_str()),
            client = %self.client_address(call),
            "answered"
        );
    }

    fn broken_answer(&self, call: &Call, _: &[String]) {
        self.metrics.broken(call.operation());
    }

    /// Pages may read an answer when their origin is on an allowed domain of the tenant that the request is about.
    /// Where it is about none, any tenant's domain will do.
    async fn cors(&self, call: &Call, origin: &str) -> Cors {
        if self.app.urls.is_dashboard(origin) {
            return Cors::AllowWithCookies;
        }
        let accepts = call.operation().accepts;
        if !accepts.is_empty() && !accepts.iter().any(|access| HELD_BY_PAGES.contains(&access.kind)) {
            // Keys and sign-ins to the dashboard have no business on other pages.
            return Cors::Deny;
        }
        if let Some(page) = call.noted::<Page>() {
            return if page.allowed { Cors::Allow } else { Cors::Deny };
        }
        if call.noted::<Received>().is_none() {
            return self.cors_of_anybody(call, origin).await;
        }
        let hints = self.tenant_hints(call);
        let origin = origin.to_owned();
        let allowed = self
            .app
            .store
            .read(move |c| {
                if !hints.name_tenant() {
                    return tenants::any_tenant_allows_origin(c, &origin);
                }
                tenants::resolve_tenant_for_origin(c, &hints, Some(&origin))?;
                Ok::<_, AppError>(true)
            })
            .await;
        if allowed.is_ok_and(|allowed| allowed) { Cors::Allow } else { Cors::Deny }
    }
}
