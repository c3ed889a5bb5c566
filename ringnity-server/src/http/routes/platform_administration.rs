//! Routes of the tag "Platform Administration". Each calls the rule of the same name.

use super::prelude::*;
use crate::app::identity::platform_auth;

impl PlatformAdministrationOperations for Routes {
    async fn login_platform_admin(
        cx: Cx<'_>,
        input: LoginPlatformAdminInput,
    ) -> Result<types::PlatformSession, Fault> {
        Ok(platform_auth::login_platform_admin(&cx.app, cx.client_address(), input.body).await?)
    }

    async fn refresh_platform_admin_session(
        cx: Cx<'_>,
        input: RefreshPlatformAdminSessionInput,
    ) -> Result<types::PlatformSession, Fault> {
        Ok(platform_auth::refresh_platform_admin_session(&cx.app, &input.body.refresh_token).await?)
    }

    not_implemented! {
        get_platform_plan_contracts(PlatformPrincipal, GetPlatformPlanContractsInput) -> types::PlanContractCatalogEnvelope;
        update_platform_plan_contracts(PlatformPrincipal, UpdatePlatformPlanContractsInput) -> types::PlanContractCatalogEnvelope;
        get_platform_ai_balance(PlatformPrincipal, GetPlatformAiBalanceInput) -> types::AiBalanceOverview;
        top_up_platform_ai_balance(PlatformPrincipal, TopUpPlatformAiBalanceInput) -> types::AiBalanceTopUpEnvelope;
        update_platform_ai_balance_tenant_settings(PlatformPrincipal, UpdatePlatformAiBalanceTenantSettingsInput) -> types::AiBalanceTenantSettingsEnvelope;
        get_platform_ai_pricing(PlatformPrincipal, GetPlatformAiPricingInput) -> types::AiPricingCatalogEnvelope;
        update_platform_ai_pricing(PlatformPrincipal, UpdatePlatformAiPricingInput) -> types::AiPricingCatalogEnvelope;
    }
}
