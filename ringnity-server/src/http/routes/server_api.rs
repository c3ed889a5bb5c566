//! Routes of the area "Server API": each hands its principal and input to the rule of the same name.

use ringnity_api::{
    Call, CreateAdminTokenInput, CreateAgentTokenInput, CreateVisitorContextTokenInput, DeleteContactInput,
    ExportServerReportInput, ExportServerReportOutput, Fault, GetContactInput, GetSdkReadinessInput,
    GetServerApiHealthInput, GetServerReportSummaryInput, GetServerReportTimeseriesInput,
    GetServerTenantInput, ListContactsInput, ServerApiOperations, ServerPrincipal, UpdateContactInput,
    UpsertContactInput,
};
use ringnity_types as types;
use ringnity_types::ConstTrue;

use crate::app::contacts::{self, ListContacts};
use crate::app::identity::sdk_tokens;
use crate::app::tenants::developer;
use crate::app::{health, tenants};

use crate::http::routes::{Routes, State, fault, later, tenant_id};

impl ServerApiOperations for Routes {
    async fn get_server_api_health(
        cx: &State,
        _: Call,
        principal: ServerPrincipal,
        _: GetServerApiHealthInput,
    ) -> Result<types::ServerApiHealthEnvelope, Fault> {
        let data = health::get_server_api_health(
            &cx.app,
            tenant_id(&principal.tenant),
            principal.credential_id.into(),
        );
        Ok(types::ServerApiHealthEnvelope { success: ConstTrue, data: Some(data.await.map_err(fault)?) })
    }

    async fn get_server_tenant(
        cx: &State,
        _: Call,
        principal: ServerPrincipal,
        _: GetServerTenantInput,
    ) -> Result<types::TenantEnvelope, Fault> {
        let data = tenants::get_server_tenant(&cx.app, tenant_id(&principal.tenant)).await.map_err(fault)?;
        Ok(types::TenantEnvelope::new(data))
    }

    async fn list_contacts(
        cx: &State,
        _: Call,
        principal: ServerPrincipal,
        input: ListContactsInput,
    ) -> Result<types::ContactListEnvelope, Fault> {
        let ListContactsInput { page, limit, search, tags } = input;
        let query = ListContacts { page, limit, search, tags };
        let data =
            contacts::list_contacts(&cx.app, tenant_id(&principal.tenant), query).await.map_err(fault)?;
        Ok(types::ContactListEnvelope::new(data))
    }

    async fn upsert_contact(
        cx: &State,
        call: Call,
        principal: ServerPrincipal,
        input: UpsertContactInput,
    ) -> Result<types::ContactEnvelope, Fault> {
        let tenant = tenant_id(&principal.tenant);
        let data =
            contacts::upsert_contact(&cx.app, tenant, input.body, cx.repeat(&call)).await.map_err(fault)?;
        Ok(types::ContactEnvelope::new(data))
    }

    async fn get_contact(
        cx: &State,
        _: Call,
        principal: ServerPrincipal,
        input: GetContactInput,
    ) -> Result<types::ContactEnvelope, Fault> {
        let tenant = tenant_id(&principal.tenant);
        let data = contacts::get_contact(&cx.app, tenant, input.id.into()).await.map_err(fault)?;
        Ok(types::ContactEnvelope::new(data))
    }

    async fn update_contact(
        cx: &State,
        _: Call,
        principal: ServerPrincipal,
        input: UpdateContactInput,
    ) -> Result<types::ContactEnvelope, Fault> {
        let tenant = tenant_id(&principal.tenant);
        let data =
            contacts::update_contact(&cx.app, tenant, input.id.into(), input.body).await.map_err(fault)?;
        Ok(types::ContactEnvelope::new(data))
    }

    async fn delete_contact(
        cx: &State,
        _: Call,
        principal: ServerPrincipal,
        input: DeleteContactInput,
    ) -> Result<types::ContactDeletedEnvelope, Fault> {
        let tenant = tenant_id(&principal.tenant);
        let data = contacts::delete_contact(&cx.app, tenant, input.id.into()).await.map_err(fault)?;
        Ok(types::ContactDeletedEnvelope::new(data))
    }

    async fn create_visitor_context_token(
        cx: &State,
        call: Call,
        principal: ServerPrincipal,
        input: CreateVisitorContextTokenInput,
    ) -> Result<types::SdkTokenEnvelope, Fault> {
        let (tenant, key) = (tenant_id(&principal.tenant), principal.credential_id.into());
        let data =
            sdk_tokens::create_visitor_context_token(&cx.app, tenant, key, input.body, cx.repeat(&call));
        Ok(types::SdkTokenEnvelope::new(data.await.map_err(fault)?))
    }

    async fn create_agent_token(
        cx: &State,
        call: Call,
        principal: ServerPrincipal,
        input: CreateAgentTokenInput,
    ) -> Result<types::SdkTokenEnvelope, Fault> {
        let (tenant, key) = (tenant_id(&principal.tenant), principal.credential_id.into());
        let data = sdk_tokens::create_agent_token(&cx.app, tenant, key, input.body, cx.repeat(&call));
        Ok(types::SdkTokenEnvelope::new(data.await.map_err(fault)?))
    }

    async fn create_admin_token(
        cx: &State,
        call: Call,
        principal: ServerPrincipal,
        input: CreateAdminTokenInput,
    ) -> Result<types::SdkTokenEnvelope, Fault> {
        let (tenant, key) = (tenant_id(&principal.tenant), principal.credential_id.into());
        let data = sdk_tokens::create_admin_token(&cx.app, tenant, key, input.body, cx.repeat(&call));
        Ok(types::SdkTokenEnvelope::new(data.await.map_err(fault)?))
    }

    async fn get_sdk_readiness(
        cx: &State,
        _: Call,
        principal: ServerPrincipal,
        _: GetSdkReadinessInput,
    ) -> Result<types::ReadinessEnvelope, Fault> {
        let tenant = tenant_id(&principal.tenant);
        let data = developer::get_sdk_readiness(&cx.app, tenant).await.map_err(fault)?;
        Ok(types::ReadinessEnvelope::new(data))
    }

    later! {
        get_server_report_summary(ServerPrincipal, GetServerReportSummaryInput) -> types::ReportSummaryEnvelope;
        get_server_report_timeseries(ServerPrincipal, GetServerReportTimeseriesInput) -> types::ReportTimeseriesEnvelope;
        export_server_report(ServerPrincipal, ExportServerReportInput) -> ExportServerReportOutput;
    }
}
