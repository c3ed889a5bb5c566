//! Push devices: register and unregister.

use ringnity_store::visitors::{self, DevicePushToken as Stored, NewDevice};
use ringnity_store::{AgentId, Conn, TenantId, VisitorId, identity};
use ringnity_types::{
    DevicePushAudience, DevicePushPlatform, DevicePushProvider, DevicePushToken, DevicePushTokenData,
    DevicePushTokenDisabled, ErrorCode, Field, RegisterDevicePushTokenRequest, SdkCallMode,
    UnregisterDevicePushTokenRequest,
};

use crate::app::identity::sdk_tokens::metadata_text;
use crate::app::non_blank;
use crate::app::{App, AppError, AppResult, ErrorKind, IdempotencyKey};
use crate::secrets;

/// The holder of a device: the principal that registers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceHolder {
    /// A visitor.
    Visitor {
        /// Id of the visitor.
        id: VisitorId,
        /// The verified external id, if the visitor has one.
        external_id: Option<String>,
    },
    /// An agent.
    Agent {
        /// Id of the agent.
        id: AgentId,
    },
    /// The tenant's administration.
    Admin {
        /// Subject of the admin token.
        subject: String,
    },
}

impl DeviceHolder {
    fn kind(&self) -> &'static str {
        match self {
            Self::Visitor { .. } => "visitor",
            Self::Agent { .. } => "agent",
            Self::Admin { .. } => "admin",
        }
    }

    fn id(&self) -> &str {
        match self {
            Self::Visitor { id, .. } => id.as_str(),
            Self::Agent { id } => id.as_str(),
            Self::Admin { subject } => subject,
        }
    }

    /// Whether this holder may change `device` with only its deviceId: the one who registered it may, and any visitor
    /// if an unverified visitor registered it. Unverified visitors have a new id in each session, so only the deviceId
    /// identifies their device.
    fn may_manage(&self, c: &mut Conn, tenant: &TenantId, device: &Stored) -> AppResult<bool> {
        if device.subject_kind != self.kind() {
            return Ok(false);
        }
        if device.subject_id == self.id() {
            return Ok(true);
        }
        if !matches!(self, Self::Visitor { .. }) {
            return Ok(false);
        }
        let visitor = visitors::visitor_get(c, tenant, &VisitorId::from(device.subject_id.as_str()))?;
        Ok(visitor.is_none_or(|visitor| visitor.external_id.is_none()))
    }

    /// The audience of the device. `visitor` is the default of the contract, so for agents and administrators it means
    /// their own audience.
    fn audience(&self, wanted: DevicePushAudience) -> AppResult<DevicePushAudience> {
        let allowed = match (self, &wanted) {
            (Self::Visitor { .. }, DevicePushAudience::Visitor | DevicePushAudience::Customer) => wanted,
            (Self::Agent { .. }, DevicePushAudience::Visitor | DevicePushAudience::Agent) => {
                DevicePushAudience::Agent
            }
            (Self::Admin { .. }, DevicePushAudience::Visitor | DevicePushAudience::Admin) => {
                DevicePushAudience::Admin
            }
            _ => {
                return Err(invalid_device("The audience does not match the token. Omit it.")
                    .detail(format!("/body/audience: {wanted} is not allowed for {}", self.kind())));
            }
        };
        Ok(allowed)
    }

    /// The agent of the device, if the holder may use it.
    fn agent(&self, c: &mut Conn, tenant: &TenantId, named: Option<&str>) -> AppResult<Option<String>> {
        match (self, named) {
            (Self::Agent { id }, None) => Ok(Some(id.to_string())),
            (Self::Agent { id }, Some(named)) if named == id.as_str() => Ok(Some(id.to_string())),
            (_, None) => Ok(None),
            (Self::Admin { .. }, Some(named)) => {
                let agent =
                    identity::agent_get(c, tenant, &AgentId::from(named))?.ok_or_else(agent_not_found)?;
                Ok(Some(agent.id.into_string()))
            }
            (_, Some(_)) => Err(agent_not_found()),
        }
    }
}

/// Registers a device, or updates a registered one.
pub async fn register_device_push_token(
    app: &App,
    tenant: TenantId,
    holder: DeviceHolder,
    request: RegisterDevicePushTokenRequest,
    idempotency_key: IdempotencyKey,
) -> AppResult<DevicePushTokenData> {
    let now = app.now();
    if request.token.trim().is_empty() {
        return Err(invalid_device("The token is blank. Send the token of the push service.")
            .detail("/body/token: is blank"));
    }
    let audience = holder.audience(request.audience)?;
    let named = non_blank(request.agent_id);
    let external_id = match &holder {
        // For visitors only the verified external id counts.
        DeviceHolder::Visitor { external_id, .. } => external_id.clone(),
        DeviceHolder::Agent { .. } | DeviceHolder::Admin { .. } => non_blank(request.external_id),
    };
    let new = NewDevice {
        subject_kind: holder.kind().to_owned(),
        subject_id: holder.id().to_owned(),
        platform: request.platform.to_string(),
        provider: request.provider.to_string(),
        token_hash: secrets::hash(&request.token),
        token: request.token,
        device_id: non_blank(request.device_id),
        app_id: non_blank(request.app_id),
        audience: audience.to_string(),
        external_id,
        agent_id: None,
        call_mode: request.call_mode.to_string(),
        metadata: metadata_text(request.metadata.as_deref())?,
    };
    app.idempotent(idempotency_key, move |c| {
            let agent_id = holder.agent(c, &tenant, named.as_deref())?;
            let device_id = new.device_id.as_deref();
            for known in visitors::device_find(c, &tenant, &new.provider, device_id, Some(&new.token_hash))? {
                // The push token proves possession of the device, the deviceId alone does not. A reinstalled app with
                // a new token and an unverified session cannot be distinguished from an attacker who knows the
                // deviceId; it gets its device back with a verified session.
                let same = known.token_hash == new.token_hash || holder.may_manage(c, &tenant, &known)?;
                if known.enabled && !same {
                    return Err(AppError::new(
                        ErrorKind::Conflict,
                        ErrorCode::ResourceConflict,
                        "The deviceId is registered by another user. Unregister it there first, or send another deviceId.",
                    ));
                }
            }
            let new = NewDevice { agent_id, ..new.clone() };
            let stored = visitors::device_put(c, &tenant, &new, now)?;
            Ok(DevicePushTokenData { device: device(stored) })
        })
        .await
}

/// Disables a device, selected by token, deviceId, or both.
pub async fn unregister_device_push_token(
    app: &App,
    tenant: TenantId,
    holder: DeviceHolder,
    request: UnregisterDevicePushTokenRequest,
) -> AppResult<DevicePushTokenDisabled> {
    let now = app.now();
    let provider = request.provider.to_string();
    let (device_id, token_hash) = (request.device_id, request.token.as_deref().map(secrets::hash));
    app.store
        .write(move |c| {
            let found =
                visitors::device_find(c, &tenant, &provider, device_id.as_deref(), token_hash.as_deref())?;
            let known = found
                .into_iter()
                .find(|known| {
                    device_id.as_ref().is_none_or(|id| known.device_id.as_ref() == Some(id))
                        && token_hash.as_ref().is_none_or(|hash| known.token_hash == *hash)
                })
                .ok_or_else(device_not_found)?;
            // The push token proves possession of the device.
            let may = token_hash.is_some() || holder.may_manage(c, &tenant, &known)?;
            if !may || !visitors::device_disable(c, &tenant, &known.id, now)? {
                return Err(device_not_found());
            }
            Ok::<_, AppError>(())
        })
        .await?;
    Ok(DevicePushTokenDisabled { disabled: 1 })
}

fn device(stored: Stored) -> DevicePushToken {
    DevicePushToken {
        id: stored.id.into_string(),
        client_id: stored.tenant_id.into_string(),
        platform: DevicePushPlatform::from(stored.platform),
        provider: DevicePushProvider::from(stored.provider),
        audience: DevicePushAudience::from(stored.audience),
        updated_at: Some(stored.updated_at),
        created_at: Some(stored.created_at),
        last_seen_at: Some(stored.last_seen_at),
        enabled: stored.enabled,
        call_mode: Some(SdkCallMode::from(stored.call_mode)),
        device_id: Field::or_absent(stored.device_id),
        app_id: Field::or_absent(stored.app_id),
        external_id: Field::or_absent(stored.external_id),
        agent_id: Field::or_absent(stored.agent_id),
    }
}

fn invalid_device(message: &'static str) -> AppError {
    AppError::new(ErrorKind::Invalid, ErrorCode::SdkDeviceTokenInvalid, message)
}

fn agent_not_found() -> AppError {
    AppError::not_found(
        ErrorCode::ResourceNotFound,
        "The agent does not exist or is not accessible. Omit agentId.",
    )
}

fn device_not_found() -> AppError {
    AppError::not_found(
        ErrorCode::SdkDeviceTokenNotFound,
        "The device is not registered. Check that token, deviceId and provider belong to the same device.",
    )
}
