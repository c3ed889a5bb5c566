//! Bootstrap of a widget or app: public data of the tenant, branding and services.

use ringnity_store::tenants::{plan_features_of_tenant, subscription_get};
use ringnity_types::{RuntimeBootstrap, RuntimeBranding, RuntimeSdk, ServiceCapability, ServiceStatus};

use crate::app::tenants::services::{block, services, subscription_block_reason};
use crate::app::tenants::{self, TenantHints};
use crate::app::{App, AppError, AppResult, health};

/// Returns the tenant's public settings. With `debug`, blocked services have a reason.
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
            let tenant = tenants::resolve_tenant_for_origin(c, &hints, origin.as_deref())?;
            let mut services = services(&plan_features_of_tenant(c, &tenant.id)?);
            if let Some(reason) = subscription_block_reason(subscription_get(c, &tenant.id)?.as_ref(), now) {
                services.iter_mut().for_each(|service| block(service, &ServiceStatus::NotInPlan, reason));
            }
            Ok::<_, AppError>((tenant, services))
        })
        .await?;
    let visible = |service| if debug { service } else { ServiceCapability { reason: None, ..service } };
    Ok(RuntimeBootstrap {
        branding: Some(RuntimeBranding {
            display_name: tenant.company_name.clone().or_else(|| tenant.name.clone()),
            logo_url: tenant.logo_url.clone(),
            ..RuntimeBranding::default()
        }),
        services: services.into_iter().map(visible).collect(),
        sdk: Some(RuntimeSdk {
            version: Some(health::VERSION.to_owned()),
            api_base_url: Some(format!("{}/api", app.urls.public)),
            ..RuntimeSdk::default()
        }),
        tenant: tenants::public_view(&tenant),
    })
}
