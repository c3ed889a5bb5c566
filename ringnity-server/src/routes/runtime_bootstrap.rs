//! Routes of the area "Runtime Bootstrap": each hands its principal and input to the rule of the same name.

use ringnity_api::{
    BootstrapRuntimeInput, Call, CreateRuntimeSessionInput, Fault, GetRuntimeHealthInput,
    RegisterDevicePushTokenInput, RuntimeBootstrapOperations, UnregisterDevicePushTokenInput,
    VisitorOrAgentOrAdmin,
};
use ringnity_types as types;
use ringnity_types::ConstTrue;

use crate::app::{health, runtime};

use super::{Routes, State, fault, later};

impl RuntimeBootstrapOperations for Routes {
    async fn get_runtime_health(
        cx: &State,
        _: Call,
        _: GetRuntimeHealthInput,
    ) -> Result<types::RuntimeHealthEnvelope, Fault> {
        Ok(types::RuntimeHealthEnvelope {
            success: ConstTrue,
            data: Some(health::get_runtime_health(&cx.app)),
        })
    }

    async fn bootstrap_runtime(
        cx: &State,
        call: Call,
        input: BootstrapRuntimeInput,
    ) -> Result<types::RuntimeBootstrapEnvelope, Fault> {
        let origin = call.origin().map(str::to_owned);
        let debug = input.debug.unwrap_or(false);
        let data = runtime::bootstrap_runtime(&cx.app, cx.tenant_hints(&call), origin, debug)
            .await
            .map_err(fault)?;
        Ok(types::RuntimeBootstrapEnvelope::new(data))
    }

    later! {
        create_runtime_session(CreateRuntimeSessionInput) -> types::RuntimeSessionEnvelope;
        register_device_push_token(VisitorOrAgentOrAdmin, RegisterDevicePushTokenInput) -> types::DevicePushTokenEnvelope;
        unregister_device_push_token(VisitorOrAgentOrAdmin, UnregisterDevicePushTokenInput) -> types::DevicePushTokenDisabledEnvelope;
    }
}
