//! Serialization: absent, null and value; absent and empty; known and unknown enum values; constants; dates and
//! times.

use ringnity_types::{
    AssignConversationRequest, ConversationStatus, DateOrDateTime, ErrorCode, ErrorEnvelope, Field,
    LogoutEnvelope, RuntimeHealth, SendableMessageType, UnregisterDevicePushTokenRequest,
    UpdateOAuthClientRequest,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("reads")
}

fn write(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("writes")
}

#[test]
fn absent_null_and_value_round_trip() {
    let accept: AssignConversationRequest = read(json!({ "isTransfer": false }));
    assert_eq!(accept.assigned_agent_id, Field::Absent);
    assert_eq!(write(&accept), json!({ "isTransfer": false }));

    let unassigned: AssignConversationRequest = read(json!({ "isTransfer": false, "assignedAgentId": null }));
    assert_eq!(unassigned.assigned_agent_id, Field::Null);
    assert_eq!(write(&unassigned), json!({ "isTransfer": false, "assignedAgentId": null }));

    let ada: AssignConversationRequest = read(json!({ "isTransfer": false, "assignedAgentId": "ada" }));
    assert_eq!(ada.assigned_agent_id, Field::Value("ada".to_owned()));
    assert_eq!(write(&ada), json!({ "isTransfer": false, "assignedAgentId": "ada" }));

    assert_ne!(accept, unassigned);
    assert_eq!(AssignConversationRequest::default(), accept);
}

#[test]
fn empty_list_is_serialized_absent_list_is_not() {
    let unchanged = UpdateOAuthClientRequest::default();
    assert_eq!(write(&unchanged), json!({}));
    let cleared =
        UpdateOAuthClientRequest { allowed_scopes: Some(Vec::new()), ..UpdateOAuthClientRequest::default() };
    assert_eq!(write(&cleared), json!({ "allowedScopes": [] }));
    assert_eq!(read::<UpdateOAuthClientRequest>(json!({ "allowedScopes": [] })), cleared);
    assert_eq!(read::<UpdateOAuthClientRequest>(json!({})), unchanged);
}

#[test]
fn open_enum_keeps_unknown_values() {
    let error: ErrorEnvelope = read(json!({ "success": false, "code": "INVENTED_LATER", "message": "…" }));
    assert_eq!(error.code, ErrorCode::Unknown("INVENTED_LATER".to_owned()));
    assert_eq!(write(&error)["code"], "INVENTED_LATER");
    assert_eq!(ConversationStatus::from("snoozed").as_str(), "snoozed");
    assert!(ConversationStatus::ALL.iter().all(ConversationStatus::is_known));
}

#[test]
fn closed_enum_rejects_unknown_values_by_name() {
    let error = serde_json::from_value::<SendableMessageType>(json!("carrier-pigeon"))
        .expect_err("refused")
        .to_string();
    assert!(error.contains("carrier-pigeon") && error.contains("text"), "{error}");
    for value in SendableMessageType::ALL {
        assert_eq!(read::<SendableMessageType>(write(value)), *value);
    }
}

#[test]
fn constant_rejects_its_opposite() {
    assert!(
        serde_json::from_value::<ErrorEnvelope>(json!({ "success": true, "code": "X", "message": "" }))
            .is_err()
    );
    assert!(serde_json::from_value::<LogoutEnvelope>(json!({ "success": false, "data": {} })).is_err());
    assert_eq!(write(&ErrorEnvelope::new(ErrorCode::SdkClientNotFound, "gone"))["success"], json!(false));
}

#[test]
fn any_of_allows_both_alternatives() {
    let both = json!({ "deviceId": "d", "provider": "fcm", "token": "t" });
    let request: UnregisterDevicePushTokenRequest = read(both.clone());
    assert_eq!((request.device_id.as_deref(), request.token.as_deref()), (Some("d"), Some("t")));
    assert_eq!(write(&request), both);
}

#[test]
fn date_and_date_time_are_distinguished() {
    let day: DateOrDateTime = read(json!("2024-02-29"));
    assert!(matches!(day, DateOrDateTime::Date(_)));
    let instant: DateOrDateTime = read(json!("2024-02-29T14:00:00.25+02:00"));
    assert!(matches!(instant, DateOrDateTime::DateTime(_)));
    assert_eq!((write(&day), write(&instant)), (json!("2024-02-29"), json!("2024-02-29T12:00:00.250Z")));
    // `Display` is the form in a query string.
    assert_eq!(
        (day.to_string(), instant.to_string()),
        ("2024-02-29".to_owned(), "2024-02-29T12:00:00.250Z".to_owned())
    );
    assert!(serde_json::from_value::<DateOrDateTime>(json!("yesterday")).is_err());
}

#[test]
fn unknown_properties_are_kept_where_the_schema_is_open() {
    let later = json!({ "status": "ok", "uptimeSeconds": 7 });
    let health: RuntimeHealth = read(later.clone());
    assert_eq!(health.extra["uptimeSeconds"], json!(7));
    assert_eq!(write(&health), later);
}

#[test]
fn password_is_serialized_but_redacted_in_debug() {
    let login = ringnity_types::OwnerLoginRequest::new("ada@example.com", "S3cret-value");
    let printed = format!("{login:?} {login:#?}");
    assert!(printed.contains("ada@example.com") && !printed.contains("S3cret-value"), "{printed}");
    let sent = serde_json::to_string(&login).expect("writes");
    assert!(sent.contains("S3cret-value"), "{sent}");
}
