//! SDK readiness of a tenant: its services and what they depend on. The dashboard, the customer's backend and its
//! administration use the same evaluation.

use chrono::{DateTime, Utc};
use ringnity_store::tenants::{self, Feature, Subscription, Tenant};
use ringnity_store::{Conn, TenantId, events};
use ringnity_types::{
    AiStatus, Readiness, ReadinessCheck, ReadinessCheckKey, ReportStatus, ServiceKey, ServiceStatus,
};

use crate::app::tenants::domains;
use crate::app::tenants::services::{
    AI_NOT_CONFIGURED, block, missing_features, services, subscription_block_reason,
};
use crate::app::{AppResult, tenants as rules};

/// Options of a readiness check.
#[derive(Debug, Clone, Default)]
pub struct ReadinessQuery {
    /// Origin of the page that would embed the widget.
    pub origin: Option<String>,
    /// Check only this service.
    pub service: Option<ServiceKey>,
}

/// Everything that the evaluation depends on.
struct ReadinessInputs {
    tenant: Tenant,
    features: Vec<Feature>,
    subscription: Option<Subscription>,
    domains: Vec<String>,
    active_keys: i64,
    last_event_at: Option<DateTime<Utc>>,
}

/// Checks a tenant.
pub fn readiness(
    c: &mut Conn,
    tenant: &TenantId,
    query: &ReadinessQuery,
    now: DateTime<Utc>,
) -> AppResult<Readiness> {
    let inputs = ReadinessInputs {
        tenant: tenants::tenant_get(c, tenant)?.ok_or_else(rules::tenant_not_found)?,
        features: tenants::plan_features_of_tenant(c, tenant)?,
        subscription: tenants::subscription_get(c, tenant)?,
        domains: tenants::tenant_domain_list(c, tenant)?,
        active_keys: tenants::server_credential_count_active(c, tenant)?,
        last_event_at: events::event_last_at(c, tenant)?,
    };
    Ok(evaluate(&inputs, query, now))
}

fn evaluate(inputs: &ReadinessInputs, query: &ReadinessQuery, now: DateTime<Utc>) -> Readiness {
    let inactive = (!inputs.tenant.is_active)
        .then(|| "the tenant is disabled; ask the operators of the platform to enable it".to_owned());
    let subscription_problem =
        subscription_block_reason(inputs.subscription.as_ref(), now).map(str::to_owned);
    let no_domains = inputs
        .domains
        .is_empty()
        .then(|| "no domain may embed the widget; add yours to the allowed domains".to_owned());
    let origin_problem =
        query.origin.as_ref().filter(|origin| !domains::origin_allowed(origin, &inputs.domains)).map(
            |origin| format!("{origin} matches no allowed domain; add its domain, or test another page"),
        );
    let no_server_key = missing_features(&inputs.features, &[Feature::ServerApi]).or_else(|| {
        (inputs.active_keys == 0)
            .then(|| "no Server API key is active; create one for your backend".to_owned())
    });
    // What blocks every service, most severe first.
    let blocker = [
        (ServiceStatus::DisabledByAdmin, &inactive),
        (ServiceStatus::NotInPlan, &subscription_problem),
        (ServiceStatus::NotConfigured, &no_domains),
        (ServiceStatus::NotConfigured, &origin_problem),
    ]
    .into_iter()
    .find_map(|(status, reason)| reason.clone().map(|reason| (status, reason)));
    let mut services = services(&inputs.features);
    services.retain(|service| query.service.as_ref().is_none_or(|only| *only == service.key));
    for service in &mut services {
        if let Some((status, reason)) = &blocker {
            block(service, status, reason);
        }
    }
    let no_service = (!services.iter().any(|service| service.allowed == Some(true)))
        .then(|| "no service is available; see the reason of each service".to_owned());
    let mut checks = vec![
        check(ReadinessCheckKey::Tenant, inactive),
        check(ReadinessCheckKey::Subscription, subscription_problem.clone()),
        check(ReadinessCheckKey::AllowedDomains, no_domains),
    ];
    if query.origin.is_some() {
        checks.push(check(ReadinessCheckKey::Origin, origin_problem));
    }
    checks.push(check(ReadinessCheckKey::ServerApiKey, no_server_key));
    checks.push(check(ReadinessCheckKey::Services, no_service));
    Readiness {
        services: Some(services),
        ai: Some(ai(inputs)),
        reports: Some(reports(inputs, subscription_problem)),
        checks: Some(checks),
    }
}

fn check(key: ReadinessCheckKey, problem: Option<String>) -> ReadinessCheck {
    ReadinessCheck { key, ready: problem.is_none(), reason: problem }
}

fn ai(inputs: &ReadinessInputs) -> AiStatus {
    let reason =
        missing_features(&inputs.features, &[Feature::Ai]).unwrap_or_else(|| AI_NOT_CONFIGURED.to_owned());
    AiStatus { ready: Some(false), reason: Some(reason), ..AiStatus::default() }
}

fn reports(inputs: &ReadinessInputs, subscription_problem: Option<String>) -> ReportStatus {
    let problem = missing_features(&inputs.features, &[Feature::Reports]).or(subscription_problem);
    ReportStatus {
        ready: Some(problem.is_none()),
        reason: problem,
        last_event_at: inputs.last_event_at,
        ..ReportStatus::default()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use ringnity_store::PlanId;
    use ringnity_types::SubscriptionStatus;

    use super::*;

    fn inputs() -> ReadinessInputs {
        let now = Utc::now();
        ReadinessInputs {
            tenant: Tenant {
                id: TenantId::generate(),
                slug: "demo".into(),
                public_key: "rn_pk_1".into(),
                name: None,
                company_name: None,
                email: "a@b.example".into(),
                phone: None,
                industry: None,
                logo_url: None,
                timezone: "UTC".into(),
                is_active: true,
                onboarding_completed: true,
                plan_id: PlanId::from("pln_1"),
                created_at: now,
                updated_at: now,
            },
            features: vec![Feature::Chat, Feature::Reports, Feature::ServerApi],
            subscription: None,
            domains: vec!["example.com".into()],
            active_keys: 1,
            last_event_at: None,
        }
    }

    fn subscription(status: &SubscriptionStatus, ends_in: Option<TimeDelta>) -> Subscription {
        let now = Utc::now();
        Subscription {
            tenant_id: TenantId::generate(),
            status: status.to_string(),
            current_period_start: None,
            current_period_end: ends_in.map(|time| now + time),
            created_at: now,
            updated_at: now,
        }
    }

    /// The failed checks, and the status of chat.
    fn outcome(inputs: &ReadinessInputs, query: &ReadinessQuery) -> (Vec<ReadinessCheckKey>, ServiceStatus) {
        let found = evaluate(inputs, query, Utc::now());
        let failed = found.checks.unwrap_or_default().into_iter().filter(|check| !check.ready);
        let mut services = found.services.unwrap_or_default().into_iter();
        let chat = services.find(|service| service.key == ServiceKey::Chat).expect("chat");
        assert_eq!(chat.allowed, Some(chat.status == ServiceStatus::Available));
        assert_eq!(chat.reason.is_none(), chat.status == ServiceStatus::Available);
        (
            failed
                .inspect(|check| assert!(check.reason.is_some(), "{:?} says why", check.key))
                .map(|check| check.key)
                .collect(),
            chat.status,
        )
    }

    #[test]
    fn finds_each_problem_and_blocks_services() {
        use ReadinessCheckKey::{AllowedDomains, Origin, ServerApiKey, Services, Subscription, Tenant};
        let default = ReadinessQuery::default();
        assert_eq!(outcome(&inputs(), &default), (vec![], ServiceStatus::Available));

        let off =
            ReadinessInputs { tenant: super::Tenant { is_active: false, ..inputs().tenant }, ..inputs() };
        assert_eq!(outcome(&off, &default), (vec![Tenant, Services], ServiceStatus::DisabledByAdmin));
        let expired = ReadinessInputs {
            subscription: Some(subscription(&SubscriptionStatus::Expired, None)),
            ..inputs()
        };
        assert_eq!(outcome(&expired, &default), (vec![Subscription, Services], ServiceStatus::NotInPlan));
        assert_eq!(evaluate(&expired, &default, Utc::now()).reports.and_then(|one| one.ready), Some(false));
        let no_domains = ReadinessInputs { domains: vec![], ..inputs() };
        assert_eq!(
            outcome(&no_domains, &default),
            (vec![AllowedDomains, Services], ServiceStatus::NotConfigured)
        );
        // Chat works without a Server API key.
        let no_server_key = ReadinessInputs { active_keys: 0, ..inputs() };
        assert_eq!(outcome(&no_server_key, &default), (vec![ServerApiKey], ServiceStatus::Available));

        let from = |origin: &str| ReadinessQuery { origin: Some(origin.into()), ..ReadinessQuery::default() };
        assert_eq!(outcome(&inputs(), &from("https://example.com")), (vec![], ServiceStatus::Available));
        let (failed, chat) = outcome(&inputs(), &from("https://example.com.evil.io"));
        assert_eq!((failed, chat), (vec![Origin, Services], ServiceStatus::NotConfigured));
    }

    #[test]
    fn evaluates_one_service_alone() {
        let only = |service| ReadinessQuery { service: Some(service), ..ReadinessQuery::default() };
        let voice = evaluate(&inputs(), &only(ServiceKey::VoiceCall), Utc::now());
        let services = voice.services.unwrap_or_default();
        assert_eq!((services.len(), &services[0].status), (1, &ServiceStatus::NotInPlan));
        let checks = voice.checks.unwrap_or_default();
        assert!(checks.iter().any(|check| check.key == ReadinessCheckKey::Services && !check.ready));
    }

    #[test]
    fn subscription_counts_until_its_period_ends() {
        let day = TimeDelta::days(1);
        for (status, ends_in, carries) in [
            (SubscriptionStatus::Active, None, true),
            (SubscriptionStatus::Active, Some(-day), true),
            (SubscriptionStatus::PastDue, Some(-day), true),
            (SubscriptionStatus::Trialing, None, true),
            (SubscriptionStatus::Trialing, Some(day), true),
            (SubscriptionStatus::Trialing, Some(-day), false),
            (SubscriptionStatus::Canceled, Some(day), true),
            (SubscriptionStatus::Canceled, Some(-day), false),
            (SubscriptionStatus::Canceled, None, false),
            (SubscriptionStatus::Expired, Some(day), false),
        ] {
            let subscription_problem =
                subscription_block_reason(Some(&subscription(&status, ends_in)), Utc::now());
            assert_eq!(subscription_problem.is_none(), carries, "{status} that ends in {ends_in:?}");
        }
        assert_eq!(subscription_block_reason(None, Utc::now()), None);
    }
}
