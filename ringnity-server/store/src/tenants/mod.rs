//! Tenants, the domains that may embed their widget, their subscriptions, plans, and Server API credentials.

mod plans;
mod server_credentials;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::{delete, insert_into, prelude::*, update};

use crate::{
    changes::set_if_some,
    engine::{Conn, DbTimestamp, NullableDbTimestamp, StoreResult, on_engine, to_stored_precision},
    ids::{PlanId, TenantId},
    page::{Page, PageRequest},
    schema::{plan_features, subscriptions, tenant_domains, tenants},
};

pub use plans::*;
pub use server_credentials::*;

/// A tenant. The contract calls it client.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = tenants, treat_none_as_null = true)]
pub struct Tenant {
    /// Tenant id; `clientId` in the contract.
    pub id: TenantId,
    /// Unique name, part of the tenant's host name.
    pub slug: String,
    /// Public widget key, unique, not a secret; `apiKey` in the contract.
    pub public_key: String,
    /// Display name.
    pub name: Option<String>,
    /// Company name.
    pub company_name: Option<String>,
    /// Contact email.
    pub email: String,
    /// Phone number.
    pub phone: Option<String>,
    /// Industry.
    pub industry: Option<String>,
    /// URL of the logo.
    pub logo_url: Option<String>,
    /// IANA time zone, for day boundaries in reports.
    pub timezone: String,
    /// Requests for an inactive tenant are rejected.
    pub is_active: bool,
    /// Whether the owner completed onboarding.
    pub onboarding_completed: bool,
    /// Current plan.
    pub plan_id: PlanId,
    /// Creation time.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// Time of the last change.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
}

/// A new tenant. Fields as in [`Tenant`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct NewTenant {
    pub slug: String,
    pub public_key: String,
    pub name: Option<String>,
    pub company_name: Option<String>,
    pub email: String,
    pub phone: Option<String>,
    pub industry: Option<String>,
    pub logo_url: Option<String>,
    pub timezone: String,
    pub is_active: bool,
    pub onboarding_completed: bool,
    pub plan_id: PlanId,
}

impl NewTenant {
    /// An active tenant in UTC with only the required fields.
    pub fn new(
        slug: impl Into<String>,
        public_key: impl Into<String>,
        email: impl Into<String>,
        plan_id: PlanId,
    ) -> NewTenant {
        NewTenant {
            slug: slug.into(),
            public_key: public_key.into(),
            name: None,
            company_name: None,
            email: email.into(),
            phone: None,
            industry: None,
            logo_url: None,
            timezone: "UTC".to_owned(),
            is_active: true,
            onboarding_completed: false,
            plan_id,
        }
    }
}

/// Changes to a tenant: `None` keeps a field, `Some(None)` clears it.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct TenantChanges {
    pub slug: Option<String>,
    pub public_key: Option<String>,
    pub name: Option<Option<String>>,
    pub company_name: Option<Option<String>>,
    pub email: Option<String>,
    pub phone: Option<Option<String>>,
    pub industry: Option<Option<String>>,
    pub logo_url: Option<Option<String>>,
    pub timezone: Option<String>,
    pub is_active: Option<bool>,
    pub onboarding_completed: Option<bool>,
    pub plan_id: Option<PlanId>,
}

/// The subscription of a tenant.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = subscriptions, primary_key(tenant_id), treat_none_as_null = true)]
pub struct Subscription {
    /// Owning tenant.
    pub tenant_id: TenantId,
    /// Status, such as `trialing`, `active`, `past_due` or `canceled`.
    pub status: String,
    /// Start of the paid period.
    #[diesel(deserialize_as = NullableDbTimestamp, serialize_as = NullableDbTimestamp)]
    pub current_period_start: Option<DateTime<Utc>>,
    /// End of the paid period.
    #[diesel(deserialize_as = NullableDbTimestamp, serialize_as = NullableDbTimestamp)]
    pub current_period_end: Option<DateTime<Utc>>,
    /// Creation time.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// Time of the last change.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
}

/// Inserts a tenant. Conflicts: [`TENANT_SLUG`](crate::constraint::TENANT_SLUG),
/// [`TENANT_PUBLIC_KEY`](crate::constraint::TENANT_PUBLIC_KEY).
pub fn tenant_insert(c: &mut Conn, new: &NewTenant, now: DateTime<Utc>) -> StoreResult<Tenant> {
    let now = to_stored_precision(now);
    let new = new.clone();
    let tenant = Tenant {
        id: TenantId::generate(),
        slug: new.slug,
        public_key: new.public_key,
        name: new.name,
        company_name: new.company_name,
        email: new.email,
        phone: new.phone,
        industry: new.industry,
        logo_url: new.logo_url,
        timezone: new.timezone,
        is_active: new.is_active,
        onboarding_completed: new.onboarding_completed,
        plan_id: new.plan_id,
        created_at: now,
        updated_at: now,
    };
    insert_into(tenants::table).values(tenant.clone()).execute(c)?;
    Ok(tenant)
}

/// The tenant with this id, if any.
pub fn tenant_get(c: &mut Conn, id: &TenantId) -> StoreResult<Option<Tenant>> {
    Ok(tenants::table.find(id).select(Tenant::as_select()).first(c).optional()?)
}

/// The tenant with this id, with the features of its plan. One query, as this is read for every request with a
/// credential.
pub fn tenant_get_with_features(c: &mut Conn, id: &TenantId) -> StoreResult<Option<(Tenant, Features)>> {
    let included = plan_features::plan_id.eq(tenants::plan_id).and(plan_features::enabled.eq(true));
    let rows: Vec<(Tenant, Option<String>)> = tenants::table
        .left_join(plan_features::table.on(included))
        .filter(tenants::id.eq(id))
        .select((Tenant::as_select(), plan_features::feature_key.nullable()))
        .load(c)?;
    let features = rows.iter().filter_map(|(_, key)| Feature::from_key(key.as_deref()?)).collect();
    Ok(rows.into_iter().next().map(|(tenant, _)| (tenant, features)))
}

/// The tenant with this slug, if any.
pub fn tenant_by_slug(c: &mut Conn, slug: &str) -> StoreResult<Option<Tenant>> {
    Ok(tenants::table.filter(tenants::slug.eq(slug)).select(Tenant::as_select()).first(c).optional()?)
}

/// The tenant with this public widget key, if any.
pub fn tenant_by_public_key(c: &mut Conn, key: &str) -> StoreResult<Option<Tenant>> {
    Ok(tenants::table.filter(tenants::public_key.eq(key)).select(Tenant::as_select()).first(c).optional()?)
}

/// All tenants, oldest first: for operators, not for any tenant's own operations.
pub fn tenant_list(c: &mut Conn, page: PageRequest) -> StoreResult<Page<Tenant>> {
    let total = tenants::table.count().get_result(c)?;
    let rows = tenants::table
        .order((tenants::created_at.asc(), tenants::id.asc()))
        .limit(page.limit())
        .offset(page.offset())
        .select(Tenant::as_select())
        .load(c)?;
    Ok(Page { rows, total })
}

/// Changes a tenant and returns what it is then; `None` when there is none. Conflicts as with [`tenant_insert`].
pub fn tenant_update(
    c: &mut Conn,
    id: &TenantId,
    changes: &TenantChanges,
    now: DateTime<Utc>,
) -> StoreResult<Option<Tenant>> {
    let Some(mut tenant) = tenant_get(c, id)? else { return Ok(None) };
    let changes = changes.clone();
    set_if_some(&mut tenant.slug, changes.slug);
    set_if_some(&mut tenant.public_key, changes.public_key);
    set_if_some(&mut tenant.name, changes.name);
    set_if_some(&mut tenant.company_name, changes.company_name);
    set_if_some(&mut tenant.email, changes.email);
    set_if_some(&mut tenant.phone, changes.phone);
    set_if_some(&mut tenant.industry, changes.industry);
    set_if_some(&mut tenant.logo_url, changes.logo_url);
    set_if_some(&mut tenant.timezone, changes.timezone);
    set_if_some(&mut tenant.is_active, changes.is_active);
    set_if_some(&mut tenant.onboarding_completed, changes.onboarding_completed);
    set_if_some(&mut tenant.plan_id, changes.plan_id);
    tenant.updated_at = to_stored_precision(now);
    update(tenants::table.find(id)).set(tenant.clone()).execute(c)?;
    Ok(Some(tenant))
}

/// Domains that may embed the tenant's widget, in alphabetical order.
pub fn tenant_domain_list(c: &mut Conn, tenant: &TenantId) -> StoreResult<Vec<String>> {
    Ok(tenant_domains::table
        .filter(tenant_domains::tenant_id.eq(tenant))
        .order(tenant_domains::domain.asc())
        .select(tenant_domains::domain)
        .load(c)?)
}

/// Replaces the tenant's domains. Duplicates are ignored. Domains that stay keep their creation time.
pub fn tenant_domain_replace(
    c: &mut Conn,
    tenant: &TenantId,
    domains: &[String],
    now: DateTime<Utc>,
) -> StoreResult<()> {
    let before: BTreeSet<String> = tenant_domain_list(c, tenant)?.into_iter().collect();
    let wanted: BTreeSet<String> = domains.iter().cloned().collect();
    let gone: Vec<&String> = before.difference(&wanted).collect();
    if !gone.is_empty() {
        let of_tenant = tenant_domains::table.filter(tenant_domains::tenant_id.eq(tenant));
        on_engine!(c, c => delete(of_tenant.filter(tenant_domains::domain.eq_any(&gone))).execute(c))?;
    }
    let new: Vec<_> = wanted
        .difference(&before)
        .map(|domain| {
            (
                tenant_domains::tenant_id.eq(tenant),
                tenant_domains::domain.eq(domain),
                tenant_domains::created_at.eq(DbTimestamp::from(now)),
            )
        })
        .collect();
    if !new.is_empty() {
        on_engine!(c, c => insert_into(tenant_domains::table).values(&new).execute(c))?;
    }
    Ok(())
}

/// The given domains that are in the tenant's list.
pub fn tenant_domain_matching(
    c: &mut Conn,
    tenant: &TenantId,
    domains: &[String],
) -> StoreResult<Vec<String>> {
    Ok(tenant_domains::table
        .filter(tenant_domains::tenant_id.eq(tenant))
        .filter(tenant_domains::domain.eq_any(domains.to_vec()))
        .select(tenant_domains::domain)
        .load(c)?)
}

/// The given domains that are in the list of any active tenant. Takes no tenant: it is for CORS preflight requests, which
/// do not name one.
pub fn tenant_domain_matching_any(c: &mut Conn, domains: &[String]) -> StoreResult<Vec<String>> {
    Ok(tenant_domains::table
        .inner_join(tenants::table)
        .filter(tenants::is_active.eq(true))
        .filter(tenant_domains::domain.eq_any(domains.to_vec()))
        .select(tenant_domains::domain)
        .distinct()
        .load(c)?)
}

/// The tenant's subscription, if any.
pub fn subscription_get(c: &mut Conn, tenant: &TenantId) -> StoreResult<Option<Subscription>> {
    Ok(subscriptions::table.find(tenant).select(Subscription::as_select()).first(c).optional()?)
}

/// Inserts or replaces the tenant's subscription.
pub fn subscription_put(
    c: &mut Conn,
    tenant: &TenantId,
    status: &str,
    period: Option<(DateTime<Utc>, DateTime<Utc>)>,
    now: DateTime<Utc>,
) -> StoreResult<Subscription> {
    let before = subscription_get(c, tenant)?;
    let now = to_stored_precision(now);
    let subscription = Subscription {
        tenant_id: tenant.clone(),
        status: status.to_owned(),
        current_period_start: period.map(|(start, _)| to_stored_precision(start)),
        current_period_end: period.map(|(_, end)| to_stored_precision(end)),
        created_at: before.as_ref().map_or(now, |before| before.created_at),
        updated_at: now,
    };
    if before.is_some() {
        update(subscriptions::table.find(tenant)).set(subscription.clone()).execute(c)?;
    } else {
        insert_into(subscriptions::table).values(subscription.clone()).execute(c)?;
    }
    Ok(subscription)
}
