//! What a widget or an app learns before anybody is known to it: the tenant, its looks, its services.

use ringnity_store::plans::{self, Feature};
use ringnity_store::tenants::subscription_get;
use ringnity_types::{
    RuntimeBootstrap, RuntimeBranding, RuntimeSdk, ServiceCapability, ServiceKey, ServiceStatus,
};

use super::readiness::{hold, lapse};
use super::tenants::{self, TenantHints};
use super::{App, AppError, AppResult, health};

/// The services of the contract, with the plan features that each needs.
const SERVICES: [(ServiceKey, &str, &[Feature]); 6] = [
    (ServiceKey::Chat, "Chat", &[Feature::Chat]),
    (ServiceKey::VoiceCall, "Voice call", &[Feature::Voice]),
    (ServiceKey::VideoCall, "Video call", &[Feature::Video]),
    (ServiceKey::AiChat, "AI chat", &[Feature::Ai]),
    (ServiceKey::AiVoice, "AI voice", &[Feature::Ai, Feature::AiVoice]),
    (ServiceKey::AiVideo, "AI video", &[Feature::Ai, Feature::AiVoice, Feature::Video]),
];

/// The tenant's public settings. With `debug`, blocked services say why.
pub async fn bootstrap_runtime(
    app: &App,
    hints: TenantHints,
    origin: Option<String>,
    debug: bool,
) -> AppResult<RuntimeBootstrap> {
    let now = app.now();
    let (tenant, services) = app
        .store
        .read(move |c| {
            let tenant = tenants::tenant_of_page(c, &hints, origin.as_deref())?;
            let mut services = services(&plans::plan_features_of_tenant(c, &tenant.id)?);
            if let Some(reason) = lapse(subscription_get(c, &tenant.id)?.as_ref(), now) {
                services.iter_mut().for_each(|service| hold(service, &ServiceStatus::NotInPlan, reason));
            }
            Ok::<_, AppError>((tenant, services))
        })
        .await?;
    let told = |service| if debug { service } else { ServiceCapability { reason: None, ..service } };
    Ok(RuntimeBootstrap {
        branding: Some(RuntimeBranding {
            display_name: tenant.company_name.clone().or_else(|| tenant.name.clone()),
            logo_url: tenant.logo_url.clone(),
            ..RuntimeBranding::default()
        }),
        services: services.into_iter().map(told).collect(),
        sdk: Some(RuntimeSdk {
            version: Some(health::VERSION.to_owned()),
            api_base_url: Some(format!("{}/api", app.urls.public)),
            ..RuntimeSdk::default()
        }),
        tenant: tenants::public_view(&tenant),
    })
}

/// What the plan's features make of each service, with the reason where one is blocked.
pub fn services(features: &[Feature]) -> Vec<ServiceCapability> {
    SERVICES
        .iter()
        .zip(1_i64..)
        .map(|((key, label, needed), place)| {
            let missing: Vec<&str> = needed
                .iter()
                .filter(|feature| !features.contains(feature))
                .map(|feature| feature.as_str())
                .collect();
            let ai = matches!(key, ServiceKey::AiChat | ServiceKey::AiVoice | ServiceKey::AiVideo);
            let (status, reason) = if !missing.is_empty() {
                (ServiceStatus::NotInPlan, Some(format!("the plan lacks: {}", missing.join(", "))))
            } else if ai {
                (ServiceStatus::AiNotReady, Some("no AI provider is configured for this tenant".to_owned()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_available_when_the_plan_has_all_it_needs() {
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
