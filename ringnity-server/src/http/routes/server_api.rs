//! Routes of the tag "Server API". Each calls the rule of the same name.

use super::prelude::*;
use crate::app::contacts::{self, ListContacts};
use crate::app::identity::sdk_tokens;
use crate::app::tenants::developer;
use crate::app::{health, tenants};

impl ServerApiOperations for Routes {
    async fn get_server_api_health(
        cx: Cx<'_>,
        principal: ServerPrincipal,
        _: GetServerApiHealthInput,
    ) -> Result<types::ServerApiHealth, Fault> {
        Ok(health::get_server_api_health(&cx.app, principal.tenant, principal.credential_id).await?)
    }

    async fn get_server_tenant(
        cx: Cx<'_>,
        principal: ServerPrincipal,
        _: GetServerTenantInput,
    ) -> Result<types::TenantData, Fault> {
        Ok(tenants::get_server_tenant(&cx.app, principal.tenant).await?)
    }

    async fn list_contacts(
        cx: Cx<'_>,
        principal: ServerPrincipal,
        input: ListContactsInput,
    ) -> Result<types::ContactList, Fault> {
        let ListContactsInput { page, limit, search, tags } = input;
        let query = ListContacts { page, limit, search, tags };
        Ok(contacts::list_contacts(&cx.app, principal.tenant, query).await?)
    }

    async fn upsert_contact(
        cx: Cx<'_>,
        principal: ServerPrincipal,
        input: UpsertContactInput,
    ) -> Result<types::ContactData, Fault> {
        Ok(contacts::upsert_contact(&cx.app, principal.tenant, input.body, cx.idempotency_key()?).await?)
    }

    async fn get_contact(
        cx: Cx<'_>,
        principal: ServerPrincipal,
        input: GetContactInput,
    ) -> Result<types::ContactData, Fault> {
        Ok(contacts::get_contact(&cx.app, principal.tenant, input.id.into()).await?)
    }

    async fn update_contact(
        cx: Cx<'_>,
        principal: ServerPrincipal,
        input: UpdateContactInput,
    ) -> Result<types::ContactData, Fault> {
        Ok(contacts::update_contact(&cx.app, principal.tenant, input.id.into(), input.body).await?)
    }

    async fn delete_contact(
        cx: Cx<'_>,
        principal: ServerPrincipal,
        input: DeleteContactInput,
    ) -> Result<types::ContactDeleted, Fault> {
        Ok(contacts::delete_contact(&cx.app, principal.tenant, input.id.into()).await?)
    }

    async fn create_visitor_context_token(
        cx: Cx<'_>,
        principal: ServerPrincipal,
        input: CreateVisitorContextTokenInput,
    ) -> Result<types::SdkToken, Fault> {
        Ok(sdk_tokens::create_visitor_context_token(
            &cx.app,
            principal.tenant,
            principal.credential_id,
            input.body,
            cx.idempotency_key()?,
        )
        .await?)
    }

    async fn create_agent_token(
        cx: Cx<'_>,
        principal: ServerPrincipal,
        input: CreateAgentTokenInput,
    ) -> Result<types::SdkToken, Fault> {
        Ok(sdk_tokens::create_agent_token(
            &cx.app,
            principal.tenant,
            principal.credential_id,
            input.body,
            cx.idempotency_key()?,
        )
        .await?)
    }

    async fn create_admin_token(
        cx: Cx<'_>,
        principal: ServerPrincipal,
        input: CreateAdminTokenInput,
    ) -> Result<types::SdkToken, Fault> {
        Ok(sdk_tokens::create_admin_token(
            &cx.app,
            principal.tenant,
            principal.credential_id,
            input.body,
            cx.idempotency_key()?,
        )
        .await?)
    }

    async fn get_sdk_readiness(
        cx: Cx<'_>,
        principal: ServerPrincipal,
        _: GetSdkReadinessInput,
    ) -> Result<types::Readiness, Fault> {
        Ok(developer::get_sdk_readiness(&cx.app, principal.tenant).await?)
    }

    not_implemented! {
        get_server_report_summary(ServerPrincipal, GetServerReportSummaryInput) -> types::Report;
        get_server_report_timeseries(ServerPrincipal, GetServerReportTimeseriesInput) -> types::ReportTimeseries;
        export_server_report(ServerPrincipal, ExportServerReportInput) -> ExportServerReportOutput;
    }
}
