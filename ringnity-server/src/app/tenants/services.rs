//! Services of the contract and their status, from plan, subscription and configuration. Widget, dashboard and rules
//! use the same status.

use chrono::{DateTime, Utc};
use ringnity_store::tenants::{Feature, Subscription};
use ringnity_types::{ServiceCapability, ServiceKey, ServiceStatus, SubscriptionStatus};

/// Reason for services that need AI.
pub(crate) const AI_NOT_CONFIGURED: &str = "no AI provider is configured for this tenant";

/// The services, their labels and the plan features they need.
const SERVICES: [(ServiceKey, &str, &[Feature]); 6] = [
    (ServiceKey::Chat, "Chat", &[Feature::Chat]),
    (ServiceKey::VoiceCall, "Voice call", &[Feature::Voice]),
    (ServiceKey::VideoCall, "Video call", &[Feature::Video]),
    (ServiceKey::AiChat, "AI chat", &[Feature::Ai]),
    (ServiceKey::AiVoice, "AI voice", &[Feature::Ai, Feature::AiVoice]),
    (ServiceKey::AiVideo, "AI video", &[Feature::Ai, Feature::AiVoice, Feature::Video]),
];

/// The status of each service for the features of a plan.
pub fn services(features: &[Feature]) -> Vec<ServiceCapability> {
    SERVICES
        .iter()
        .zip(1_i64..)
        .map(|((key, label, needed), place)| {
            let (status, reason) = if let Some(lacking) = missing_features(features, needed) {
                (ServiceStatus::NotInPlan, Some(lacking))
            } else if needed.contains(&Feature::Ai) {
                (ServiceStatus::AiNotReady, Some(AI_NOT_CONFIGURED.to_owned()))
            } else {
                (ServiceStatus::Available, None)
            };
            ServiceCapability {
                allowed: Some(status == ServiceStatus::Available),
                key: key.clone(),
                label: Some((*label).to_owned()),
                status,
                reason,
                required_features: Some(needed.iter().map(|feature| feature.as_str().to_owned()).collect()),
                admin_enabled: Some(true),
                sort_order: Some(place * 10),
            }
        })
        .collect()
}

/// The missing features as text; `None` if there are none.
pub(crate) fn missing_features(features: &[Feature], needed: &[Feature]) -> Option<String> {
    let missing: Vec<&str> =
        needed.iter().filter(|feature| !features.contains(feature)).map(|feature| feature.as_str()).collect();
    (!missing.is_empty()).then(|| format!("the plan lacks: {}", missing.join(", ")))
}

/// Blocks a service, unless the plan does not include it: that reason takes precedence.
pub(crate) fn block(service: &mut ServiceCapability, status: &ServiceStatus, reason: &str) {
    if service.status != ServiceStatus::NotInPlan {
        service.status = status.clone();
        service.allowed = Some(false);
        service.reason = Some(reason.to_owned());
    }
}

/// Why a subscription blocks the services, if it does. A tenant without a subscription is not blocked. A canceled one
/// counts until the end of the paid period.
pub(crate) fn subscription_block_reason(
    subscription: Option<&Subscription>,
    now: DateTime<Utc>,
) -> Option<&'static str> {
    let subscription = subscription?;
    let over = subscription.current_period_end.map(|end| end <= now);
    match SubscriptionStatus::from(subscription.status.as_str()) {
        SubscriptionStatus::Expired => Some("the subscription has expired; renew it"),
        SubscriptionStatus::Canceled if over != Some(false) => {
            Some("the subscription was canceled; choose a plan to continue")
        }
        SubscriptionStatus::Trialing if over == Some(true) => {
            Some("the trial has ended; choose a plan to continue")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_is_available_if_the_plan_has_all_features() {
        let services = services(&[Feature::Chat, Feature::Video, Feature::Ai]);
        let status =
            |key| services.iter().find(|service| service.key == key).map(|service| service.status.clone());
        assert_eq!(status(ServiceKey::Chat), Some(ServiceStatus::Available));
        assert_eq!(status(ServiceKey::VoiceCall), Some(ServiceStatus::NotInPlan));
        assert_eq!(status(ServiceKey::AiChat), Some(ServiceStatus::AiNotReady));
        assert_eq!(status(ServiceKey::AiVideo), Some(ServiceStatus::NotInPlan));
        for service in services.iter().chain(&super::services(&[])) {
            assert_eq!(service.reason.is_none(), service.status == ServiceStatus::Available, "{service:?}");
        }
    }
}
