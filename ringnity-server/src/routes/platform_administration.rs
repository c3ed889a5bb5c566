//! Routes of the area "Platform Administration": each hands its principal and input to the rule of the same name.

use ringnity_api::{
    GetPlatformAiBalanceInput, GetPlatformAiPricingInput, GetPlatformPlanContractsInput,
    LoginPlatformAdminInput, PlatformAdministrationOperations, PlatformPrincipal,
    RefreshPlatformAdminSessionInput, TopUpPlatformAiBalanceInput,
    UpdatePlatformAiBalanceTenantSettingsInput, UpdatePlatformAiPricingInput,
    UpdatePlatformPlanContractsInput,
};
use ringnity_types as types;

use super::{Routes, later};

impl PlatformAdministrationOperations for Routes {
    later! {
        login_platform_admin(LoginPlatformAdminInput) -> types::PlatformSessionEnvelope;
        refresh_platform_admin_session(RefreshPlatformAdminSessionInput) -> types::PlatformSessionEnvelope;
        get_platform_plan_contracts(PlatformPrincipal, GetPlatformPlanContractsInput) -> types::PlanContractCatalogEnvelope;
        update_platform_plan_contracts(PlatformPrincipal, UpdatePlatformPlanContractsInput) -> types::PlanContractCatalogEnvelope;
        get_platform_ai_balance(PlatformPrincipal, GetPlatformAiBalanceInput) -> types::AiBalanceOverviewEnvelope;
        top_up_platform_ai_balance(PlatformPrincipal, TopUpPlatformAiBalanceInput) -> types::AiBalanceTopUpEnvelope;
        update_platform_ai_balance_tenant_settings(PlatformPrincipal, UpdatePlatformAiBalanceTenantSettingsInput) -> types::AiBalanceTenantSettingsEnvelope;
        get_platform_ai_pricing(PlatformPrincipal, GetPlatformAiPricingInput) -> types::AiPricingCatalogEnvelope;
        update_platform_ai_pricing(PlatformPrincipal, UpdatePlatformAiPricingInput) -> types::AiPricingCatalogEnvelope;
    }
}
