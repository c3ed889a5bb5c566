//! The tables as diesel sees them, in the order of the migrations. Nothing but `table!` here.

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    plans (id) {
        id -> Text,
        slug -> Text,
        name -> Text,
        sort_order -> BigInt,
        is_active -> Bool,
        created_at -> UtcTimestamp,
        updated_at -> UtcTimestamp,
    }
}

diesel::table! {
    plan_feature_keys (feature_key) {
        feature_key -> Text,
        name -> Text,
        category -> Text,
        description -> Text,
        status -> Text,
        sort_order -> BigInt,
    }
}

diesel::table! {
    plan_quota_keys (quota_key) {
        quota_key -> Text,
        name -> Text,
        unit -> Text,
        category -> Text,
        description -> Text,
        sort_order -> BigInt,
    }
}

diesel::table! {
    plan_features (plan_id, feature_key) {
        plan_id -> Text,
        feature_key -> Text,
        enabled -> Bool,
        config -> Text,
    }
}

diesel::table! {
    plan_quotas (plan_id, quota_key) {
        plan_id -> Text,
        quota_key -> Text,
        value_type -> Text,
        limit_value -> Nullable<BigInt>,
        reset_period -> Nullable<Text>,
        config -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    tenants (id) {
        id -> Text,
        slug -> Text,
        public_key -> Text,
        name -> Nullable<Text>,
        company_name -> Nullable<Text>,
        email -> Text,
        phone -> Nullable<Text>,
        industry -> Nullable<Text>,
        logo_url -> Nullable<Text>,
        timezone -> Text,
        is_active -> Bool,
        onboarding_completed -> Bool,
        plan_id -> Text,
        created_at -> UtcTimestamp,
        updated_at -> UtcTimestamp,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    tenant_domains (tenant_id, domain) {
        tenant_id -> Text,
        domain -> Text,
        created_at -> UtcTimestamp,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    subscriptions (tenant_id) {
        tenant_id -> Text,
        status -> Text,
        current_period_start -> Nullable<UtcTimestamp>,
        current_period_end -> Nullable<UtcTimestamp>,
        created_at -> UtcTimestamp,
        updated_at -> UtcTimestamp,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    owners (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        email -> Text,
        password_hash -> Nullable<Text>,
        name -> Nullable<Text>,
        is_active -> Bool,
        last_login_at -> Nullable<UtcTimestamp>,
        created_at -> UtcTimestamp,
        updated_at -> UtcTimestamp,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    departments (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        name -> Text,
        created_at -> UtcTimestamp,
        updated_at -> UtcTimestamp,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    agents (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        username -> Text,
        password_hash -> Nullable<Text>,
        name -> Text,
        email -> Nullable<Text>,
        role -> Text,
        department_id -> Nullable<Text>,
        is_active -> Bool,
        last_login_at -> Nullable<UtcTimestamp>,
        created_at -> UtcTimestamp,
        updated_at -> UtcTimestamp,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    platform_admins (id) {
        id -> Text,
        email -> Text,
        password_hash -> Text,
        name -> Text,
        role -> Text,
        is_active -> Bool,
        last_login_at -> Nullable<UtcTimestamp>,
        created_at -> UtcTimestamp,
        updated_at -> UtcTimestamp,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    server_credentials (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        name -> Text,
        environment -> Text,
        scopes -> Text,
        secret_hash -> Text,
        secret_preview -> Text,
        is_active -> Bool,
        last_used_at -> Nullable<UtcTimestamp>,
        created_at -> UtcTimestamp,
        updated_at -> UtcTimestamp,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    session_families (id) {
        id -> Text,
        tenant_id -> Nullable<Text>,
        subject_kind -> Text,
        subject_id -> Text,
        created_at -> UtcTimestamp,
        expires_at -> UtcTimestamp,
        revoked_at -> Nullable<UtcTimestamp>,
        revoked_reason -> Nullable<Text>,
        credential_id -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    refresh_tokens (token_hash) {
        token_hash -> Text,
        family_id -> Text,
        issued_at -> UtcTimestamp,
        expires_at -> UtcTimestamp,
        used_at -> Nullable<UtcTimestamp>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    signing_keys (kid) {
        kid -> Text,
        purpose -> Text,
        algorithm -> Text,
        private_key -> Text,
        public_key -> Nullable<Text>,
        active -> Nullable<Text>,
        created_at -> UtcTimestamp,
        retired_at -> Nullable<UtcTimestamp>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    contacts (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        external_id -> Nullable<Text>,
        name -> Text,
        phone -> Text,
        email -> Nullable<Text>,
        company -> Nullable<Text>,
        tags -> Text,
        notes -> Nullable<Text>,
        source -> Nullable<Text>,
        search_text -> Text,
        created_at -> UtcTimestamp,
        updated_at -> UtcTimestamp,
    }
}

diesel::table! {
    contact_tags (tenant_id, contact_id, tag) {
        tenant_id -> Text,
        contact_id -> Text,
        tag -> Text,
    }
}

diesel::table! {
    contact_totals (tenant_id, shard) {
        tenant_id -> Text,
        shard -> BigInt,
        total -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    events (sequence) {
        sequence -> BigInt,
        id -> Text,
        tenant_id -> Text,
        name -> Text,
        payload -> Text,
        created_at -> UtcTimestamp,
        transaction_id -> BigInt,
        subject -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    workspace_entry_tokens (token_hash) {
        token_hash -> Text,
        tenant_id -> Text,
        owner_id -> Text,
        session_id -> Text,
        created_at -> UtcTimestamp,
        expires_at -> UtcTimestamp,
        used_at -> Nullable<UtcTimestamp>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    owner_identities (issuer, subject) {
        issuer -> Text,
        subject -> Text,
        tenant_id -> Text,
        owner_id -> Text,
        email -> Text,
        created_at -> UtcTimestamp,
        last_login_at -> Nullable<UtcTimestamp>,
    }
}

diesel::table! {
    owner_agents (tenant_id, owner_id) {
        tenant_id -> Text,
        owner_id -> Text,
        agent_id -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    visitors (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        external_id -> Nullable<Text>,
        claimed_external_id -> Nullable<Text>,
        name -> Nullable<Text>,
        email -> Nullable<Text>,
        phone -> Nullable<Text>,
        metadata -> Text,
        created_at -> UtcTimestamp,
        updated_at -> UtcTimestamp,
        last_seen_at -> UtcTimestamp,
    }
}

diesel::table! {
    visitor_contexts (family_id) {
        family_id -> Text,
        tenant_id -> Text,
        external_id -> Nullable<Text>,
        name -> Nullable<Text>,
        email -> Nullable<Text>,
        phone -> Nullable<Text>,
        metadata -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    device_push_tokens (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        subject_kind -> Text,
        subject_id -> Text,
        platform -> Text,
        provider -> Text,
        token -> Nullable<Text>,
        token_hash -> Text,
        device_id -> Nullable<Text>,
        app_id -> Nullable<Text>,
        audience -> Text,
        external_id -> Nullable<Text>,
        agent_id -> Nullable<Text>,
        call_mode -> Text,
        metadata -> Text,
        enabled -> Bool,
        created_at -> UtcTimestamp,
        updated_at -> UtcTimestamp,
        last_seen_at -> UtcTimestamp,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    idempotency_keys (id) {
        id -> Text,
        request_hash -> Text,
        answer -> Nullable<Text>,
        lapses_at -> Nullable<UtcTimestamp>,
        created_at -> UtcTimestamp,
        expires_at -> UtcTimestamp,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    rate_buckets (id) {
        id -> Text,
        full_at -> UtcTimestamp,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    sign_in_places (id) {
        id -> Text,
        expires_at -> UtcTimestamp,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    oauth_clients (tenant_id, id) {
        tenant_id -> Text,
        id -> Text,
        client_id -> Text,
        name -> Text,
        client_type -> Text,
        secret_hash -> Nullable<Text>,
        redirect_uris -> Text,
        allowed_scopes -> Text,
        require_pkce -> Bool,
        last_used_at -> Nullable<UtcTimestamp>,
        revoked_at -> Nullable<UtcTimestamp>,
        created_at -> UtcTimestamp,
        updated_at -> UtcTimestamp,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::engine::UtcTimestamp;

    jobs (id) {
        id -> Text,
        kind -> Text,
        subject -> Text,
        payload -> Text,
        run_at -> UtcTimestamp,
        attempts -> BigInt,
        lease -> Nullable<Text>,
        last_error -> Nullable<Text>,
        created_at -> UtcTimestamp,
        updated_at -> UtcTimestamp,
    }
}

diesel::joinable!(tenants -> plans (plan_id));
diesel::joinable!(plan_features -> plans (plan_id));
diesel::joinable!(plan_quotas -> plans (plan_id));
diesel::joinable!(refresh_tokens -> session_families (family_id));
diesel::joinable!(tenant_domains -> tenants (tenant_id));

diesel::allow_tables_to_appear_in_same_query!(
    agents,
    contact_tags,
    contact_totals,
    contacts,
    departments,
    device_push_tokens,
    events,
    owner_agents,
    owner_identities,
    oauth_clients,
    owners,
    plan_feature_keys,
    plan_features,
    plan_quota_keys,
    plan_quotas,
    plans,
    platform_admins,
    refresh_tokens,
    server_credentials,
    session_families,
    signing_keys,
    subscriptions,
    tenant_domains,
    tenants,
    visitor_contexts,
    visitors,
    workspace_entry_tokens,
);
