//! Routes of the tag "Runtime Bootstrap". Each calls the rule of the same name.

use super::prelude::*;
use crate::app::visitors::devices::{self, DeviceHolder};
use crate::app::visitors::{runtime, runtime_sessions};
use crate::app::{TenantId, health};

impl RuntimeBootstrapOperations for Routes {
    async fn get_runtime_health(cx: Cx<'_>, _: GetRuntimeHealthInput) -> Result<types::RuntimeHealth, Fault> {
        Ok(health::get_runtime_health(&cx.app).await)
    }

    async fn bootstrap_runtime(
        cx: Cx<'_>,
        input: BootstrapRuntimeInput,
    ) -> Result<types::RuntimeBootstrap, Fault> {
        let debug = input.debug.unwrap_or(false);
        let outcome = runtime::bootstrap_runtime(&cx.app, cx.tenant_hints(), cx.origin(), debug).await;
        cx.set_page(&outcome);
        Ok(outcome?)
    }

    async fn create_runtime_session(
        cx: Cx<'_>,
        input: CreateRuntimeSessionInput,
    ) -> Result<types::RuntimeSession, Fault> {
        let (hints, origin, idempotency_key) = (cx.tenant_hints(), cx.origin(), cx.idempotency_key()?);
        let outcome =
            runtime_sessions::create_runtime_session(&cx.app, hints, origin, input.body, idempotency_key)
                .await;
        cx.set_page(&outcome);
        Ok(outcome?)
    }

    async fn register_device_push_token(
        cx: Cx<'_>,
        principal: VisitorOrAgentOrAdmin,
        input: RegisterDevicePushTokenInput,
    ) -> Result<types::DevicePushTokenData, Fault> {
        let (tenant, holder) = holder(principal);
        Ok(devices::register_device_push_token(&cx.app, tenant, holder, input.body, cx.idempotency_key()?)
            .await?)
    }

    async fn unregister_device_push_token(
        cx: Cx<'_>,
        principal: VisitorOrAgentOrAdmin,
        input: UnregisterDevicePushTokenInput,
    ) -> Result<types::DevicePushTokenDisabled, Fault> {
        let (tenant, holder) = holder(principal);
        Ok(devices::unregister_device_push_token(&cx.app, tenant, holder, input.body).await?)
    }
}

/// Who is signed in on the device, and in which tenant.
fn holder(principal: VisitorOrAgentOrAdmin) -> (TenantId, DeviceHolder) {
    match principal {
        VisitorOrAgentOrAdmin::Visitor(visitor) => (
            visitor.tenant,
            DeviceHolder::Visitor { id: visitor.visitor_id, external_id: visitor.external_id },
        ),
        VisitorOrAgentOrAdmin::Agent(agent) => (agent.tenant, DeviceHolder::Agent { id: agent.agent_id }),
        VisitorOrAgentOrAdmin::Admin(admin) => (admin.tenant, DeviceHolder::Admin { subject: admin.subject }),
    }
}
