//! Whether a tenant is ready for the SDKs: its services, and everything beside the plan that they depend on. One
//! look for the dashboard, the customer's backend and its administration, so that they cannot disagree.

use chrono::{DateTime, Utc};
use ringnity_store::tenants::{self, Feature, Subscription, Tenant};
use ringnity_store::{Conn, TenantId, events};
use ringnity_types::{
    AiStatus, Readiness, ReadinessCheck, ReadinessCheckKey, ReportStatus, ServiceKey, ServiceStatus,
};

use crate::app::tenants::domains;
use crate::app::tenants::services::{NO_AI, hold, lacks, lapse, services};
use crate::app::{AppResult, tenants as rules};

/// What to look at beside the tenant itself.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Page from which the widget would be used.
    pub origin: Option<String>,
    /// The only service that matters.
    pub service: Option<ServiceKey>,
}

/// Everything that is looked at, at one moment.
struct Facts {
    tenant: Tenant,
    features: Vec<Feature>,
    subscription: Option<Subscription>,
    domains: Vec<String>,
    active_keys: i64,
    last_event_at: Option<DateTime<Utc>>,
}

/// Looks at a tenant.
pub fn readiness(
    c: &mut Conn,
    tenant: &TenantId,
    question: &Question,
    now: DateTime<Utc>,
) -> AppResult<Readiness> {
    let facts = Facts {
        tenant: tenants::tenant_get(c, tenant)?.ok_or_else(rules::unknown)?,
        features: tenants::plan_features_of_tenant(c, tenant)?,
        subscription: tenants::subscription_get(c, tenant)?,
        domains: tenants::tenant_domain_list(c, tenant)?,
        active_keys: tenants::server_credential_count_active(c, tenant)?,
        last_event_at: events::event_last_at(c, tenant)?,
    };
    Ok(judge(&facts, question, now))
}

fn judge(facts: &Facts, question: &Question, now: DateTime<Utc>) -> Readiness {
    let switched_off = (!facts.tenant.is_active)
        .then(|| "the tenant is switched off; the platform's operators can switch it on".to_owned());
    let lapsed = lapse(facts.subscription.as_ref(), now).map(str::to_owned);
    let nowhere = facts
        .domains
        .is_empty()
        .then(|| "no website may carry the widget; add its domain to the allowed domains".to_owned());
    let elsewhere =
        question.origin.as_ref().filter(|origin| !domains::origin_allowed(origin, &facts.domains)).map(
            |origin| {
                format!("{origin} is on none of the allowed domains; add its domain, or test another page")
            },
        );
    let keyless = lacks(&facts.features, &[Feature::ServerApi]).or_else(|| {
        (facts.active_keys == 0).then(|| "no Server API key is active; make one for your backend".to_owned())
    });
    // What blocks every service, the worst first.
    let block = [
        (ServiceStatus::DisabledByAdmin, &switched_off),
        (ServiceStatus::NotInPlan, &lapsed),
        (ServiceStatus::NotConfigured, &nowhere),
        (ServiceStatus::NotConfigured, &elsewhere),
    ]
    .into_iter()
    .find_map(|(status, reason)| reason.clone().map(|reason| (status, reason)));
    let mut services = services(&facts.features);
    services.retain(|service| question.service.as_ref().is_none_or(|only| *only == service.key));
    for service in &mut services {
        if let Some((status, reason)) = &block {
            hold(service, status, reason);
        }
    }
    let idle = (!services.iter().any(|service| service.allowed == Some(true)))
        .then(|| "no service can be used; each of them says why".to_owned());
    let mut checks = vec![
        check(ReadinessCheckKey::Tenant, switched_off),
        check(ReadinessCheckKey::Subscription, lapsed.clone()),
        check(ReadinessCheckKey::AllowedDomains, nowhere),
    ];
    if question.origin.is_some() {
        checks.push(check(ReadinessCheckKey::Origin, elsewhere));
    }
    checks.push(check(ReadinessCheckKey::ServerApiKey, keyless));
    checks.push(check(ReadinessCheckKey::Services, idle));
    Readiness {
        services: Some(services),
        ai: Some(ai(facts)),
        reports: Some(reports(facts, lapsed)),
        checks: Some(checks),
    }
}

fn check(key: ReadinessCheckKey, problem: Option<String>) -> ReadinessCheck {
    ReadinessCheck { key, ready: problem.is_none(), reason: problem }
}

/// What to say where the plan does not contain `feature`.
fn ai(facts: &Facts) -> AiStatus {
    let reason = lacks(&facts.features, &[Feature::Ai]).unwrap_or_else(|| NO_AI.to_owned());
    AiStatus { ready: Some(false), reason: Some(reason), ..AiStatus::default() }
}

fn reports(facts: &Facts, lapsed: Option<String>) -> ReportStatus {
    let problem = lacks(&facts.features, &[Feature::Reports]).or(lapsed);
    ReportStatus {
        ready: Some(problem.is_none()),
        reason: problem,
        last_event_at: facts.last_event_at,
        ..ReportStatus::default()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use ringnity_store::PlanId;
    use ringnity_types::SubscriptionStatus;

    use super::*;

    fn facts() -> Facts {
        let now = Utc::now();
        Facts {
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

    /// The checks that fail, and what becomes of chat.
    fn outcome(facts: &Facts, question: &Question) -> (Vec<ReadinessCheckKey>, ServiceStatus) {
        let found = judge(facts, question, Utc::now());
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
    fn each_thing_that_is_missing_is_found_and_blocks_what_depends_on_it() {
        use ReadinessCheckKey::{AllowedDomains, Origin, ServerApiKey, Services, Subscription, Tenant};
        let nobody = Question::default();
        assert_eq!(outcome(&facts(), &nobody), (vec![], ServiceStatus::Available));

        let off = Facts { tenant: super::Tenant { is_active: false, ..facts().tenant }, ..facts() };
        assert_eq!(outcome(&off, &nobody), (vec![Tenant, Services], ServiceStatus::DisabledByAdmin));
        let expired =
            Facts { subscription: Some(subscription(&SubscriptionStatus::Expired, None)), ..facts() };
        assert_eq!(outcome(&expired, &nobody), (vec![Subscription, Services], ServiceStatus::NotInPlan));
        assert_eq!(judge(&expired, &nobody, Utc::now()).reports.and_then(|one| one.ready), Some(false));
        let nowhere = Facts { domains: vec![], ..facts() };
        assert_eq!(
            outcome(&nowhere, &nobody),
            (vec![AllowedDomains, Services], ServiceStatus::NotConfigured)
        );
        // A backend without a key stops nobody from chatting.
        let keyless = Facts { active_keys: 0, ..facts() };
        assert_eq!(outcome(&keyless, &nobody), (vec![ServerApiKey], ServiceStatus::Available));

        let from = |origin: &str| Question { origin: Some(origin.into()), ..Question::default() };
        assert_eq!(outcome(&facts(), &from("https://example.com")), (vec![], ServiceStatus::Available));
        let (failed, chat) = outcome(&facts(), &from("https://example.com.evil.io"));
        assert_eq!((failed, chat), (vec![Origin, Services], ServiceStatus::NotConfigured));
    }

    #[test]
    fn one_service_is_judged_alone() {
        let only = |service| Question { service: Some(service), ..Question::default() };
        let voice = judge(&facts(), &only(ServiceKey::VoiceCall), Utc::now());
        let services = voice.services.unwrap_or_default();
        assert_eq!((services.len(), &services[0].status), (1, &ServiceStatus::NotInPlan));
        let checks = voice.checks.unwrap_or_default();
        assert!(checks.iter().any(|check| check.key == ReadinessCheckKey::Services && !check.ready));
    }

    #[test]
    fn a_subscription_carries_the_plan_until_it_is_really_over() {
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
            let lapsed = lapse(Some(&subscription(&status, ends_in)), Utc::now());
            assert_eq!(lapsed.is_none(), carries, "{status} that ends in {ends_in:?}");
        }
        assert_eq!(lapse(None, Utc::now()), None);
    }
}
