//! Runtime Bootstrap: devices that get push notifications.

use reqwest::StatusCode;
use ringnity_store::{TenantId, visitors};
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, assert_data, on_each_engine};

const PATH: &str = "/api/sdk/devices/push-token";

async fn register(server: &TestServer, token: &str, body: Value) -> Answer {
    server.post(PATH).header("x-ringnity-sdk-session", token).json(&body).send().await
}

async fn unregister(server: &TestServer, token: &str, body: Value) -> Answer {
    server.delete(PATH).header("x-ringnity-sdk-session", token).json(&body).send().await
}

async fn visitor(server: &TestServer) -> String {
    server.visitor_token("acme").await
}

async fn other_visitor(server: &TestServer) -> String {
    server.visitor_token("other").await
}

/// The session of a visitor whom the tenant's backend has verified.
async fn customer(server: &TestServer, external_id: &str) -> String {
    let context = server.context_token(&json!({ "externalId": external_id })).await;
    server.visitor_session(&json!({ "contextToken": context })).await
}

fn android(token: &str, device: &str) -> Value {
    json!({ "platform": "android", "token": token, "deviceId": device })
}

#[test]
fn registering_again_updates_device() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let session = visitor(&server).await;
        let body = json!({
            "platform": "android", "provider": "fcm", "token": "secret-token-1", "deviceId": "install-7f3a",
            "appId": "com.example.app", "audience": "customer", "externalId": "customer-1042",
            "callMode": "native-phone", "metadata": { "locale": "id" }
        });
        let first = register(&server, &session, body).await.status(StatusCode::CREATED);
        assert!(!first.text.contains("secret-token-1"), "a push token is never returned");
        assert_data!(first, "device");
        let device = first.data()["device"].clone();

        let again = register(&server, &session, android("secret-token-2", "install-7f3a")).await;
        assert_eq!(again.status(StatusCode::CREATED).data()["device"]["id"], device["id"]);
        // The same token with another device id is the same installation.
        let moved = register(&server, &session, android("secret-token-2", "install-9")).await;
        assert_eq!(moved.status(StatusCode::CREATED).data()["device"]["id"], device["id"]);
        // Another push service has a row of its own.
        let apns = json!({ "platform": "ios", "provider": "apns", "token": "secret-token-2", "deviceId": "install-9" });
        let apns = register(&server, &session, apns).await.status(StatusCode::CREATED);
        assert_ne!(apns.data()["device"]["id"], device["id"]);
    });
}

#[test]
fn device_with_known_token_replaces_its_row() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let session = visitor(&server).await;
        let one = register(&server, &session, android("t1", "d1")).await.status(StatusCode::CREATED);
        register(&server, &session, android("t2", "d2")).await.status(StatusCode::CREATED);
        let both = register(&server, &session, android("t2", "d1")).await.status(StatusCode::CREATED);
        assert_eq!(both.data()["device"]["id"], one.data()["device"]["id"]);
        let body = json!({ "deviceId": "d2" });
        unregister(&server, &session, body).await.refused(404, "SDK_DEVICE_TOKEN_NOT_FOUND");
    });
}

#[test]
fn disables_device_by_token_or_id() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let session = visitor(&server).await;
        for body in [
            json!({ "token": "t1" }),
            json!({ "deviceId": "d1" }),
            json!({ "token": "t1", "deviceId": "d1", "provider": "fcm" }),
        ] {
            let on = register(&server, &session, android("t1", "d1")).await.status(StatusCode::CREATED);
            register(&server, &session, android("t2", "d2")).await.status(StatusCode::CREATED);
            for wrong in [
                json!({ "token": "t1", "deviceId": "d2" }),
                json!({ "token": "t9", "deviceId": "d1" }),
                json!({ "token": "t1", "provider": "apns" }),
            ] {
                unregister(&server, &session, wrong).await.refused(404, "SDK_DEVICE_TOKEN_NOT_FOUND");
            }
            let off = unregister(&server, &session, body.clone()).await.ok();
            assert_eq!(off.data()["disabled"], 1);
            unregister(&server, &session, body).await.refused(404, "SDK_DEVICE_TOKEN_NOT_FOUND");
            // Registering it again reuses the row.
            let again = register(&server, &session, android("t1", "d1")).await.status(StatusCode::CREATED);
            assert_eq!(again.data()["device"]["id"], on.data()["device"]["id"]);
        }
        unregister(&server, &session, json!({})).await.refused(400, "REQUEST_INVALID");
    });
}

#[test]
fn erases_token_of_disabled_device() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let session = customer(&server, "c-1").await;
        let made =
            register(&server, &session, android("secret-token", "d1")).await.status(StatusCode::CREATED);
        unregister(&server, &session, json!({ "deviceId": "d1" })).await.ok();
        let tenant = TenantId::from(made.data()["device"]["clientId"].as_str().expect("tenant"));
        let store = server.store();
        let rows = store
            .read(move |c| visitors::device_find(c, &tenant, "fcm", Some("d1"), None))
            .await
            .expect("reads");
        assert_eq!((rows.len(), rows[0].enabled, rows[0].token.as_deref()), (1, false, None));
        assert!(!format!("{rows:?}").contains("secret-token"));
    });
}

#[test]
fn devices_of_other_tenant_are_not_found() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let (mine, theirs) = (visitor(&server).await, other_visitor(&server).await);
        register(&server, &mine, android("t1", "d1")).await.status(StatusCode::CREATED);
        for body in [json!({ "deviceId": "d1" }), json!({ "token": "t1" })] {
            unregister(&server, &theirs, body).await.refused(404, "SDK_DEVICE_TOKEN_NOT_FOUND");
        }
        register(&server, &theirs, android("t1", "d1")).await.status(StatusCode::CREATED);
        unregister(&server, &mine, json!({ "deviceId": "d1" })).await.ok();
        unregister(&server, &theirs, json!({ "deviceId": "d1" })).await.ok();
    });
}

#[test]
fn rejects_changes_to_device_of_other_user() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let (ann, eve) = (customer(&server, "ann").await, customer(&server, "eve").await);
        let agent = server.agent_token("grace", &["agent:presence:write"]).await;
        register(&server, &ann, android("t1", "d1")).await.status(StatusCode::CREATED);
        register(&server, &agent, android("t2", "d2")).await.status(StatusCode::CREATED);
        for other in [&eve, &agent, &visitor(&server).await] {
            let body = json!({ "deviceId": "d1" });
            unregister(&server, other, body).await.refused(404, "SDK_DEVICE_TOKEN_NOT_FOUND");
        }
        // The device id alone does not let a visitor take over an agent's device.
        register(&server, &eve, android("t3", "d2")).await.refused(409, "RESOURCE_CONFLICT");
        unregister(&server, &agent, json!({ "deviceId": "d2" })).await.ok();
        register(&server, &eve, android("t3", "d2")).await.status(StatusCode::CREATED);
        // An anonymous visitor differs in each session and is recognised by the device id.
        register(&server, &visitor(&server).await, android("t4", "d4")).await.status(StatusCode::CREATED);
        unregister(&server, &visitor(&server).await, json!({ "deviceId": "d4" })).await.ok();
        // The push token alone identifies the device.
        unregister(&server, &eve, json!({ "token": "t1" })).await.ok();
    });
}

/// The device in the answer to a registration.
fn device_of(answer: Answer) -> Value {
    answer.status(StatusCode::CREATED).data()["device"].clone()
}

#[test]
fn device_id_alone_does_not_take_over_device() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine)
            .tenant("acme")
            .agent("grace")
            .agent("alan")
            .tenant("other")
            .start()
            .await;
        let agent_two = json!({ "username": "alan", "scopes": ["agent:presence:write"] });
        let agent_two = server.sdk_token("agent", server.key(), &agent_two).await;
        let agent_one = server.agent_token("grace", &["agent:presence:write"]).await;
        let (ann, eve) = (customer(&server, "ann").await, customer(&server, "eve").await);
        for (device, holder, others) in [
            ("d1", &ann, [&visitor(&server).await, &eve, &agent_one]),
            ("d2", &agent_one, [&agent_two, &ann, &visitor(&server).await]),
        ] {
            let token = |of: &str| android(&format!("{device}-{of}"), device);
            let first = device_of(register(&server, holder, token("first")).await);
            for other in others {
                let mut body = token("other");
                body["externalId"] = json!("ann");
                register(&server, other, body).await.refused(409, "RESOURCE_CONFLICT");
            }
            // The holder keeps the device, also with a new token.
            let again = device_of(register(&server, holder, token("second")).await);
            assert_eq!((&again["id"], &again["externalId"]), (&first["id"], &first["externalId"]));
            // The push token identifies the device, whoever sends it.
            let taken = device_of(register(&server, others[0], token("second")).await);
            assert_eq!(taken["id"], first["id"]);
            assert!(taken.get("externalId").is_none(), "{taken}");
        }
    });
}

#[test]
fn reinstalled_app_gets_its_device_back() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        // An anonymous visitor is recognised by the device, before and after signing in.
        let first = device_of(register(&server, &visitor(&server).await, android("t1", "d1")).await);
        let again = device_of(register(&server, &visitor(&server).await, android("t2", "d1")).await);
        let ann = customer(&server, "ann").await;
        let signed_in = device_of(register(&server, &ann, android("t3", "d1")).await);
        assert_eq!((&again["id"], &signed_in["id"]), (&first["id"], &first["id"]));
        assert_eq!(signed_in["externalId"], "ann");
        // From then on only the same person may use the device, in any session.
        let anonymous = visitor(&server).await;
        register(&server, &anonymous, android("t4", "d1")).await.refused(409, "RESOURCE_CONFLICT");
        let back = device_of(register(&server, &customer(&server, "ann").await, android("t4", "d1")).await);
        assert_eq!(back["id"], first["id"]);
        // A disabled device can be taken by anybody.
        unregister(&server, &ann, json!({ "deviceId": "d1" })).await.ok();
        let taken = device_of(register(&server, &anonymous, android("t5", "d1")).await);
        assert_eq!(taken["id"], first["id"]);
        assert!(taken.get("externalId").is_none(), "{taken}");
    });
}

#[test]
fn audience_must_match_credential() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine)
            .tenant("acme")
            .agent("grace")
            .agent("alan")
            .tenant("other")
            .agent("grace")
            .start()
            .await;
        let agent = server.agent_token("grace", &["agent:presence:write"]).await;
        let admin = server.admin_token(&["admin:devices:write"]).await;
        let session = visitor(&server).await;
        let with = |audience: &str| {
            let mut body = android(&format!("t-{audience}"), &format!("d-{audience}"));
            body["audience"] = json!(audience);
            body
        };
        for (token, fits) in [
            (&session, ["visitor", "customer"].as_slice()),
            (&agent, &["visitor", "agent"]),
            (&admin, &["visitor", "admin"]),
        ] {
            for audience in ["visitor", "customer", "agent", "admin"] {
                let mut body = with(audience);
                body["token"] = json!(format!("{token}{audience}"));
                body["deviceId"] = json!(format!("{}{audience}", &token[token.len() - 20..]));
                let answer = register(&server, token, body).await;
                if fits.contains(&audience) {
                    let created = answer.status(StatusCode::CREATED);
                    let effective = if fits.contains(&"customer") { audience } else { fits[1] };
                    assert_eq!(created.data()["device"]["audience"], json!(effective));
                } else {
                    answer.refused(400, "SDK_DEVICE_TOKEN_INVALID").names("/body/audience");
                }
            }
        }
        let own = server.first_tenant().agent("grace").id.to_string();
        let theirs = server.tenant("other").agent("grace").id.to_string();
        let colleague = server.first_tenant().agent("alan").id.to_string();
        let named = |id: &str| json!({ "platform": "web", "token": "t", "agentId": id });
        let answer = register(&server, &agent, named(&own)).await.status(StatusCode::CREATED);
        assert_eq!(answer.data()["device"]["agentId"], json!(own));
        let unregistered = json!({ "token": "t" });
        unregister(&server, &agent, unregistered).await.ok();
        register(&server, &admin, named(&colleague)).await.status(StatusCode::CREATED);
        for (token, id) in [
            (&agent, &colleague),
            (&agent, &theirs),
            (&admin, &theirs),
            (&session, &own),
            (&session, &theirs),
        ] {
            register(&server, token, named(id)).await.refused(404, "RESOURCE_NOT_FOUND");
        }
    });
}

#[test]
fn verified_identity_overrides_claimed_one() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let session = customer(&server, "customer-1").await;
        let mut body = android("t1", "d1");
        body["externalId"] = json!("customer-2");
        let answer = register(&server, &session, body).await.status(StatusCode::CREATED);
        assert_eq!(answer.data()["device"]["externalId"], "customer-1");
        // An anonymous visitor has no external id.
        let mut body = android("t2", "d2");
        body["externalId"] = json!("customer-2");
        let answer = device_of(register(&server, &visitor(&server).await, body).await);
        assert!(answer.get("externalId").is_none(), "{answer}");
    });
}

#[test]
fn rejects_blank_token_and_plan_without_feature() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let session = visitor(&server).await;
        register(&server, &session, json!({ "platform": "ios", "token": "   " }))
            .await
            .refused(400, "SDK_DEVICE_TOKEN_INVALID");
        register(&server, &session, json!({ "platform": "ios" })).await.refused(400, "REQUEST_INVALID");
        let long = json!({ "platform": "ios", "token": "x".repeat(4096) });
        register(&server, &session, long).await.status(StatusCode::CREATED);
        server.post(PATH).json(&android("t", "d")).send().await.refused(401, "SDK_SESSION_REQUIRED");
        let key = server.key().to_owned();
        server
            .post(PATH)
            .bearer(&key)
            .json(&android("t", "d"))
            .send()
            .await
            .refused(401, "SDK_SESSION_REQUIRED");

        server.change_plan("free").await;
        register(&server, &session, android("t", "d")).await.refused(403, "FEATURE_NOT_AVAILABLE");
        // A registered device can be removed on any plan.
        unregister(&server, &session, json!({ "token": "x".repeat(4096) })).await.ok();
    });
}
