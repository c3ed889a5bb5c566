//! Plans and what they contain: features and quotas, as data. Enforcing them is not done here.

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

/// What the rules ask plans for, by the keys of the catalog. One list for each, so that a key which is misspelt or
/// forgotten does not pass for one that no plan says anything about.
macro_rules! catalog_keys {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $key:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// As it is stored.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $key,)+
                }
            }
        }
    };
}

catalog_keys! {
    /// What a plan may contain or not. Each is a row of the catalog, which may know of more: those that an operator
    /// adds are for people to read, and no rule asks for them.
    Feature {
        /// Visitor chat with agents.
        Chat = "chat",
        /// Visitor voice calls.
        Voice = "voice",
        /// Visitor video calls.
        Video = "video",
        /// AI replies to visitors.
        Ai = "ai",
        /// Documents and web pages that the AI answers from.
        AiKnowledge = "ai_knowledge",
        /// Realtime voice calls with the AI.
        AiVoice = "ai_voice",
        /// Tickets made from conversations.
        Tickets = "tickets",
        /// Contacts kept in step with the customer's backend.
        Contacts = "contacts",
        /// Report summaries and time series.
        Reports = "reports",
        /// Reports as downloads.
        ReportExport = "report_export",
        /// Event deliveries to the customer's backend.
        Webhooks = "webhooks",
        /// Server API keys.
        ServerApi = "server_api",
        /// Mobile SDKs and push notifications.
        MobileSdk = "mobile_sdk",
        /// OAuth clients that sign users in.
        Oauth = "oauth",
        /// The tenant's own looks in the widget.
        CustomBranding = "custom_branding",
    }
}

catalog_keys! {
    /// Of what a plan allows so many. Each is a row of the catalog, as with [`Feature`].
    Quota {
        /// Agents who work, beside owners.
        Agents = "agents",
        /// Departments.
        Departments = "departments",
        /// Domains that may carry the widget.
        AllowedDomains = "allowed_domains",
        /// Contacts kept.
        Contacts = "contacts",
        /// Active Server API keys.
        ServerApiKeys = "server_api_keys",
        /// Active webhook endpoints.
        Webhooks = "webhooks",
        /// Registered OAuth clients.
        OauthClients = "oauth_clients",
        /// Requests a minute for each credential.
        ApiRequestsPerMinute = "api_requests_per_minute",
        /// AI replies in a month.
        AiChatReplies = "ai_chat_replies",
        /// Minutes of AI voice in a month.
        AiVoiceMinutes = "ai_voice_minutes",
        /// Documents and web pages that the AI may answer from.
        AiKnowledgeItems = "ai_knowledge_items",
        /// Megabytes of the largest attachment.
        AttachmentMegabytes = "attachment_megabytes",
    }
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = plans)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Unique: `free`, `starter`, `professional`, `enterprise` in a new installation.
    pub slug: String,
    /// Display name.
    pub name: String,
    /// Place in lists.
    pub sort_order: i64,
    /// Whether it can be chosen.
    pub is_active: bool,
    /// When it was made.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
}

/// Something that a plan may contain or not.
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

/// Something of which a plan allows so many.
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

/// Whether a plan contains a feature.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = plan_features)]
pub struct PlanFeature {
    /// Which plan.
    pub plan_id: PlanId,
    /// Which feature.
    pub feature_key: String,
    /// Whether it is contained.
    pub enabled: bool,
    /// Settings of it, as JSON text.
    pub config: String,
}

/// How many of something a plan allows.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = plan_quotas)]
pub struct PlanQuota {
    /// Which plan.
    pub plan_id: PlanId,
    /// Of what.
    pub quota_key: String,
    /// `number`, `unlimited`, `custom` or `disabled`.
    pub value_type: String,
    /// How many, where `value_type` is `number`.
    pub limit_value: Option<i64>,
    /// `monthly`, `minute`, or for ever.
    pub reset_period: Option<String>,
    /// Settings of it, as JSON text.
    pub config: String,
}

impl PlanQuota {
    /// How many are allowed; `None` for any number (unlimited, or agreed upon elsewhere).
    pub fn limit(&self) -> Option<i64> {
        match self.value_type.as_str() {
            "number" => Some(self.limit_value.unwrap_or(0)),
            "disabled" => Some(0),
            _ => None,
        }
    }
}

/// Everything about all plans.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanCatalog {
    /// What plans may contain.
    pub feature_keys: Vec<PlanFeatureKey>,
    /// What plans may limit.
    pub quota_keys: Vec<PlanQuotaKey>,
    /// The plans.
    pub plans: Vec<Plan>,
    /// Contents of all plans.
    pub features: Vec<PlanFeature>,
    /// Limits of all plans.
    pub quotas: Vec<PlanQuota>,
}

/// The plan with that slug.
pub fn plan_by_slug(c: &mut Conn, slug: &str) -> StoreResult<Option<Plan>> {
    Ok(plans::table.filter(plans::slug.eq(slug)).select(Plan::as_select()).first(c).optional()?)
}

/// Makes a plan that contains and limits nothing yet. Conflict: [`PLAN_SLUG`](crate::constraint::PLAN_SLUG).
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

/// The plan that the tenant is on.
pub fn plan_of_tenant(c: &mut Conn, tenant: &TenantId) -> StoreResult<Option<Plan>> {
    Ok(plans::table
        .inner_join(tenants::table)
        .filter(tenants::id.eq(tenant))
        .select(Plan::as_select())
        .first(c)
        .optional()?)
}

/// The whole catalog, in its own order.
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

/// The features that the tenant's plan contains, of those that rules know.
pub fn plan_features_of_tenant(c: &mut Conn, tenant: &TenantId) -> StoreResult<Vec<Feature>> {
    let held: Vec<String> = plan_features::table
        .inner_join(plans::table.inner_join(tenants::table))
        .filter(tenants::id.eq(tenant))
        .filter(plan_features::enabled.eq(true))
        .select(plan_features::feature_key)
        .load(c)?;
    let is_held = |feature: &Feature| held.iter().any(|key| key == feature.as_str());
    Ok(Feature::ALL.iter().copied().filter(is_held).collect())
}

/// Whether the tenant's plan contains that feature.
pub fn plan_of_tenant_includes(c: &mut Conn, tenant: &TenantId, feature: Feature) -> StoreResult<bool> {
    let held = plan_features::table
        .inner_join(plans::table.inner_join(tenants::table))
        .filter(tenants::id.eq(tenant))
        .filter(plan_features::feature_key.eq(feature.as_str()))
        .filter(plan_features::enabled.eq(true));
    Ok(select(exists(held)).get_result(c)?)
}

/// What the tenant's plan says about that quota; `None` where it says nothing.
pub fn plan_quota_of_tenant(c: &mut Conn, tenant: &TenantId, quota: Quota) -> StoreResult<Option<PlanQuota>> {
    Ok(plan_quotas::table
        .inner_join(plans::table.inner_join(tenants::table))
        .filter(tenants::id.eq(tenant))
        .filter(plan_quotas::quota_key.eq(quota.as_str()))
        .select(PlanQuota::as_select())
        .first(c)
        .optional()?)
}

/// Says whether a plan contains a feature. An unknown plan or feature is a
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

/// Says how many of something a plan allows. An unknown plan or quota is a
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
