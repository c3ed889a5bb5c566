//! Routes of the area "Runtime Bootstrap": each hands its principal and input to the rule of the same name.

use ringnity_api::{
    BootstrapRuntimeInput, Call, CreateRuntimeSessionInput, Fault, GetRuntimeHealthInput,
    RegisterDevicePushTokenInput, RuntimeBootstrapOperations, UnregisterDevicePushTokenInput,
    VisitorOrAgentOrAdmin,
};
use ringnity_types as types;
use ringnity_types::ConstTrue;

use crate::app::visitors::devices::{self, DeviceHolder};
use crate::app::visitors::{runtime, runtime_sessions};
use crate::app::{TenantId, health};
use crate::http::state::Page;

use crate::http::routes::{Routes, State, fault, tenant_id};

impl RuntimeBootstrapOperations for Routes {
    async fn get_runtime_health(
        cx: &State,
        _: Call,
        _: GetRuntimeHealthInput,
    ) -> Result<types::RuntimeHealthEnvelope, Fault> {
        Ok(types::RuntimeHealthEnvelope {
            success: ConstTrue,
            data: Some(health::get_runtime_health(&cx.app).await),
        })
    }

    async fn bootstrap_runtime(
        cx: &State,
        call: Call,
        input: BootstrapRuntimeInput,
    ) -> Result<types::RuntimeBootstrapEnvelope, Fault> {
        let origin = call.origin().map(str::to_owned);
        let debug = input.debug.unwrap_or(false);
        let outcome = runtime::bootstrap_runtime(&cx.app, cx.tenant_hints(&call), origin, debug).await;
        Page::note(&call, &outcome);
        Ok(types::RuntimeBootstrapEnvelope::new(outcome.map_err(fault)?))
    }

    async fn create_runtime_session(
        cx: &State,
        call: Call,
        input: CreateRuntimeSessionInput,
    ) -> Result<types::RuntimeSessionEnvelope, Fault> {
        let origin = call.origin().map(str::to_owned);
        let hints = cx.tenant_hints(&call);
        let outcome =
            runtime_sessions::create_runtime_session(&cx.app, hints, origin, input.body, cx.repeat(&call))
                .await;
        Page::note(&call, &outcome);
        Ok(types::RuntimeSessionEnvelope::new(outcome.map_err(fault)?))
    }

    async fn register_device_push_token(
        cx: &State,
        call: Call,
        principal: VisitorOrAgentOrAdmin,
        input: RegisterDevicePushTokenInput,
    ) -> Result<types::DevicePushTokenEnvelope, Fault> {
        let (tenant, holder) = holder(principal);
        let data = devices::register_device_push_token(&cx.app, tenant, holder, input.body, cx.repeat(&call));
        Ok(types::DevicePushTokenEnvelope::new(data.await.map_err(fault)?))
    }

    async fn unregister_device_push_token(
        cx: &State,
        _: Call,
        principal: VisitorOrAgentOrAdmin,
        input: UnregisterDevicePushTokenInput,
    ) -> Result<types::DevicePushTokenDisabledEnvelope, Fault> {
        let (tenant, holder) = holder(principal);
        let data = devices::unregister_device_push_token(&cx.app, tenant, holder, input.body);
        Ok(types::DevicePushTokenDisabledEnvelope::new(data.await.map_err(fault)?))
    }
}

/// Who is signed in on the device, and in which tenant.
fn holder(principal: VisitorOrAgentOrAdmin) -> (TenantId, DeviceHolder) {
    match principal {
        VisitorOrAgentOrAdmin::Visitor(visitor) => (
            tenant_id(&visitor.tenant),
            DeviceHolder::Visitor { id: visitor.visitor_id, external_id: visitor.external_id },
        ),
        VisitorOrAgentOrAdmin::Agent(agent) => {
            (tenant_id(&agent.tenant), DeviceHolder::Agent { id: agent.agent_id })
        }
        VisitorOrAgentOrAdmin::Admin(admin) => {
            (tenant_id(&admin.tenant), DeviceHolder::Admin { subject: admin.subject })
        }
    }
}
