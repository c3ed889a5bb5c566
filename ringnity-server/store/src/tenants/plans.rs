//! Plans, with their features and quotas. Callers enforce them.

use chrono::{DateTime, Utc};
use diesel::{
    dsl::{exists, select},
    prelude::*,
    upsert::excluded,
};

use crate::{
    engine::{Conn, DbTimestamp, StoreResult, on_engine, to_stored_precision},
    ids::{PlanId, TenantId},
    schema::{plan_feature_keys, plan_features, plan_quota_keys, plan_quotas, plans, tenants},
};

pub use ringnity_domain::{Feature, Features};

/// Quotas that rules enforce, by their keys in the plan catalog.
macro_rules! quotas {
    ($($(#[$doc:meta])* $variant:ident = $key:literal,)+) => {
        /// What a plan limits the number of. Each is a row of the plan catalog, which may have more: those that an
        /// operator adds are shown to people, and no rule depends on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Quota {
            $($(#[$doc])* $variant,)+
        }

        impl Quota {
            /// All quotas.
            pub const ALL: &[Quota] = &[$(Quota::$variant),+];

            /// Key of the quota in the plan catalog.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Quota::$variant => $key,)+
                }
            }
        }
    };
}

quotas! {
    /// Active agents, not counting owners.
    Agents = "agents",
    /// Departments.
    Departments = "departments",
    /// Domains that may embed the widget.
    AllowedDomains = "allowed_domains",
    /// Stored contacts.
    Contacts = "contacts",
    /// Active Server API keys.
    ServerApiKeys = "server_api_keys",
    /// Active webhook endpoints.
    Webhooks = "webhooks",
    /// Registered OAuth clients.
    OauthClients = "oauth_clients",
    /// Requests per minute and credential.
    ApiRequestsPerMinute = "api_requests_per_minute",
    /// AI replies per month.
    AiChatReplies = "ai_chat_replies",
    /// Minutes of AI voice per month.
    AiVoiceMinutes = "ai_voice_minutes",
    /// Documents and web pages for AI answers.
    AiKnowledgeItems = "ai_knowledge_items",
    /// Maximum size of an attachment, in megabytes.
    AttachmentMegabytes = "attachment_megabytes",
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = plans)]
pub struct Plan {
    /// Plan id.
    pub id: PlanId,
    /// Unique name. A new installation has `free`, `starter`, `professional` and `enterprise`.
    pub slug: String,
    /// Display name.
    pub name: String,
    /// Position in lists, ascending.
    pub sort_order: i64,
    /// Whether tenants can choose it.
    pub is_active: bool,
    /// Creation time.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// Time of the last change.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
}

/// A feature in the catalog.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = plan_feature_keys)]
#[allow(missing_docs)]
pub struct PlanFeatureKey {
    pub feature_key: String,
    pub name: String,
    pub category: String,
    pub description: String,
    pub status: String,
    pub sort_order: i64,
}

/// A quota in the catalog.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = plan_quota_keys)]
#[allow(missing_docs)]
pub struct PlanQuotaKey {
    pub quota_key: String,
    pub name: String,
    pub unit: String,
    pub category: String,
    pub description: String,
    pub sort_order: i64,
}

/// A feature of a plan.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = plan_features)]
pub struct PlanFeature {
    /// Plan.
    pub plan_id: PlanId,
    /// Key of the feature.
    pub feature_key: String,
    /// Whether the plan includes it.
    pub enabled: bool,
    /// Settings as JSON text.
    pub config: String,
}

/// A quota of a plan.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = plan_quotas)]
pub struct PlanQuota {
    /// Plan.
    pub plan_id: PlanId,
    /// Key of the quota.
    pub quota_key: String,
    /// `number`, `unlimited`, `custom` or `disabled`.
    pub value_type: String,
    /// The limit if `value_type` is `number`.
    pub limit_value: Option<i64>,
    /// `monthly` or `minute`; `None` for a limit on the total.
    pub reset_period: Option<String>,
    /// Settings as JSON text.
    pub config: String,
}

impl PlanQuota {
    /// The limit. `None` if there is none (`unlimited` and `custom`), 0 if the quota is `disabled`.
    pub fn limit(&self) -> Option<i64> {
        match self.value_type.as_str() {
            "number" => Some(self.limit_value.unwrap_or(0)),
            "disabled" => Some(0),
            _ => None,
        }
    }
}

/// All plans with their features and quotas.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanCatalog {
    /// All features.
    pub feature_keys: Vec<PlanFeatureKey>,
    /// All quotas.
    pub quota_keys: Vec<PlanQuotaKey>,
    /// All plans.
    pub plans: Vec<Plan>,
    /// Features of all plans.
    pub features: Vec<PlanFeature>,
    /// Quotas of all plans.
    pub quotas: Vec<PlanQuota>,
}

/// The plan with this slug, if any.
pub fn plan_by_slug(c: &mut Conn, slug: &str) -> StoreResult<Option<Plan>> {
    Ok(plans::table.filter(plans::slug.eq(slug)).select(Plan::as_select()).first(c).optional()?)
}

/// Inserts a plan without features and quotas. Conflict: [`PLAN_SLUG`](crate::constraint::PLAN_SLUG).
pub fn plan_insert(
    c: &mut Conn,
    slug: &str,
    name: &str,
    sort_order: i64,
    is_active: bool,
    now: DateTime<Utc>,
) -> StoreResult<Plan> {
    let now = to_stored_precision(now);
    let plan = Plan {
        id: PlanId::generate(),
        slug: slug.to_owned(),
        name: name.to_owned(),
        sort_order,
        is_active,
        created_at: now,
        updated_at: now,
    };
    diesel::insert_into(plans::table).values(plan.clone()).execute(c)?;
    Ok(plan)
}

/// The tenant's plan. `None` if there is no such tenant.
pub fn plan_of_tenant(c: &mut Conn, tenant: &TenantId) -> StoreResult<Option<Plan>> {
    Ok(plans::table
        .inner_join(tenants::table)
        .filter(tenants::id.eq(tenant))
        .select(Plan::as_select())
        .first(c)
        .optional()?)
}

/// The whole catalog. Features, quotas and plans are in their sort order.
pub fn plan_catalog(c: &mut Conn) -> StoreResult<PlanCatalog> {
    Ok(PlanCatalog {
        feature_keys: plan_feature_keys::table
            .order((plan_feature_keys::sort_order, plan_feature_keys::feature_key))
            .select(PlanFeatureKey::as_select())
            .load(c)?,
        quota_keys: plan_quota_keys::table
            .order((plan_quota_keys::sort_order, plan_quota_keys::quota_key))
            .select(PlanQuotaKey::as_select())
            .load(c)?,
        plans: plans::table.order((plans::sort_order, plans::id)).select(Plan::as_select()).load(c)?,
        features: plan_features::table
            .order((plan_features::plan_id, plan_features::feature_key))
            .select(PlanFeature::as_select())
            .load(c)?,
        quotas: plan_quotas::table
            .order((plan_quotas::plan_id, plan_quotas::quota_key))
            .select(PlanQuota::as_select())
            .load(c)?,
    })
}

/// The features that the tenant's plan includes, of those in [`Feature`].
pub fn plan_features_of_tenant(c: &mut Conn, tenant: &TenantId) -> StoreResult<Vec<Feature>> {
    let included: Vec<String> = plan_features::table
        .inner_join(plans::table.inner_join(tenants::table))
        .filter(tenants::id.eq(tenant))
        .filter(plan_features::enabled.eq(true))
        .select(plan_features::feature_key)
        .load(c)?;
    let is_included = |feature: &Feature| included.iter().any(|key| key == feature.as_str());
    Ok(Feature::ALL.iter().copied().filter(is_included).collect())
}

/// Whether the tenant's plan includes the feature.
pub fn plan_of_tenant_includes(c: &mut Conn, tenant: &TenantId, feature: Feature) -> StoreResult<bool> {
    let included = plan_features::table
        .inner_join(plans::table.inner_join(tenants::table))
        .filter(tenants::id.eq(tenant))
        .filter(plan_features::feature_key.eq(feature.as_str()))
        .filter(plan_features::enabled.eq(true));
    Ok(select(exists(included)).get_result(c)?)
}

/// The quota of the tenant's plan. `None` if the plan does not define it.
pub fn plan_quota_of_tenant(c: &mut Conn, tenant: &TenantId, quota: Quota) -> StoreResult<Option<PlanQuota>> {
    Ok(plan_quotas::table
        .inner_join(plans::table.inner_join(tenants::table))
        .filter(tenants::id.eq(tenant))
        .filter(plan_quotas::quota_key.eq(quota.as_str()))
        .select(PlanQuota::as_select())
        .first(c)
        .optional()?)
}

/// Inserts or replaces a feature of a plan. An unknown plan or feature is a
/// [`StoreError::Reference`](crate::StoreError::Reference).
pub fn plan_feature_put(c: &mut Conn, feature: &PlanFeature) -> StoreResult<()> {
    on_engine!(c, c => diesel::insert_into(plan_features::table)
        .values(feature)
        .on_conflict((plan_features::plan_id, plan_features::feature_key))
        .do_update()
        .set((
            plan_features::enabled.eq(excluded(plan_features::enabled)),
            plan_features::config.eq(excluded(plan_features::config)),
        ))
        .execute(c))?;
    Ok(())
}

/// Inserts or replaces a quota of a plan. An unknown plan or quota is a
/// [`StoreError::Reference`](crate::StoreError::Reference).
pub fn plan_quota_put(c: &mut Conn, quota: &PlanQuota) -> StoreResult<()> {
    on_engine!(c, c => diesel::insert_into(plan_quotas::table)
        .values(quota)
        .on_conflict((plan_quotas::plan_id, plan_quotas::quota_key))
        .do_update()
        .set((
            plan_quotas::value_type.eq(excluded(plan_quotas::value_type)),
            plan_quotas::limit_value.eq(excluded(plan_quotas::limit_value)),
            plan_quotas::reset_period.eq(excluded(plan_quotas::reset_period)),
            plan_quotas::config.eq(excluded(plan_quotas::config)),
        ))
        .execute(c))?;
    Ok(())
}
