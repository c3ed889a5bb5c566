//! Routes of the area "Platform Administration": each hands its principal and input to the rule of the same name.

use ringnity_api::{
    Call, Fault, GetPlatformAiBalanceInput, GetPlatformAiPricingInput, GetPlatformPlanContractsInput,
    LoginPlatformAdminInput, PlatformAdministrationOperations, PlatformPrincipal,
    RefreshPlatformAdminSessionInput, TopUpPlatformAiBalanceInput,
    UpdatePlatformAiBalanceTenantSettingsInput, UpdatePlatformAiPricingInput,
    UpdatePlatformPlanContractsInput,
};
use ringnity_types as types;

use crate::app::identity::platform_auth;

use crate::http::routes::{Routes, State, fault, later};

impl PlatformAdministrationOperations for Routes {
    async fn login_platform_admin(
        cx: &State,
        call: Call,
        input: LoginPlatformAdminInput,
    ) -> Result<types::PlatformSessionEnvelope, Fault> {
        let data = platform_auth::login_platform_admin(&cx.app, cx.client_address(&call), input.body)
            .await
            .map_err(fault)?;
        Ok(types::PlatformSessionEnvelope::new(data))
    }

    async fn refresh_platform_admin_session(
        cx: &State,
        _: Call,
        input: RefreshPlatformAdminSessionInput,
    ) -> Result<types::PlatformSessionEnvelope, Fault> {
        let data = platform_auth::refresh_platform_admin_session(&cx.app, &input.body.refresh_token)
            .await
            .map_err(fault)?;
        Ok(types::PlatformSessionEnvelope::new(data))
    }

    later! {
        get_platform_plan_contracts(PlatformPrincipal, GetPlatformPlanContractsInput) -> types::PlanContractCatalogEnvelope;
        update_platform_plan_contracts(PlatformPrincipal, UpdatePlatformPlanContractsInput) -> types::PlanContractCatalogEnvelope;
        get_platform_ai_balance(PlatformPrincipal, GetPlatformAiBalanceInput) -> types::AiBalanceOverviewEnvelope;
        top_up_platform_ai_balance(PlatformPrincipal, TopUpPlatformAiBalanceInput) -> types::AiBalanceTopUpEnvelope;
        update_platform_ai_balance_tenant_settings(PlatformPrincipal, UpdatePlatformAiBalanceTenantSettingsInput) -> types::AiBalanceTenantSettingsEnvelope;
        get_platform_ai_pricing(PlatformPrincipal, GetPlatformAiPricingInput) -> types::AiPricingCatalogEnvelope;
        update_platform_ai_pricing(PlatformPrincipal, UpdatePlatformAiPricingInput) -> types::AiPricingCatalogEnvelope;
    }
}
