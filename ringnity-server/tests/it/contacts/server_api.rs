//! Contacts of the Server API: upsert, list, update, delete, and their events.

use std::sync::Arc;

use reqwest::StatusCode;
use ringnity_server::app::{IdempotencyKey, contacts};
use ringnity_types::{ContactInput, ContactPatchInput};
use serde_json::{Value, json};

use crate::support::{TestServer, assert_data, on_each_engine};

const CONTACTS: &str = "/api/server/contacts";

async fn upsert(server: &TestServer, body: Value) -> Value {
    let answer = server.post(CONTACTS).bearer(server.key()).json(&body).send().await.ok();
    answer.data()["contact"].clone()
}

async fn list(server: &TestServer, query: &str) -> Value {
    server.get(&format!("{CONTACTS}{query}")).bearer(server.key()).send().await.ok().data().clone()
}

#[test]
fn key_identifies_its_tenant() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let health = server.get("/api/server/health").bearer(server.key()).send().await.ok();
        assert_eq!(health.data()["clientId"], json!(server.tenant_id().as_str()));
        assert_data!(health, "health");
        let tenant = server.get("/api/server/tenant").bearer(server.key()).send().await.ok();
        assert_data!(tenant, "tenant");
    });
}

#[test]
fn server_api_requires_key_with_scope() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        for path in ["/api/server/health", "/api/server/tenant", CONTACTS] {
            server.get(path).send().await.refused(401, "SERVER_API_KEY_INVALID");
            for credential in [token.as_str(), "rn_sk_live_0000", "x"] {
                server.get(path).bearer(credential).send().await.refused(401, "SERVER_API_KEY_INVALID");
            }
            server
                .get(path)
                .header("authorization", "Basic eDp5")
                .send()
                .await
                .refused(401, "SERVER_API_KEY_INVALID");
        }
        let health_only = server.key_with(&["server:health"]).await;
        server.get("/api/server/health").bearer(&health_only).send().await.ok();
        server
            .get("/api/server/tenant")
            .bearer(&health_only)
            .send()
            .await
            .refused(403, "SERVER_API_SCOPE_DENIED");
        server.get(CONTACTS).bearer(&health_only).send().await.refused(403, "SERVER_API_SCOPE_DENIED");
    });
}

#[test]
fn upserts_contact_by_external_id_then_phone() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let first = upsert(
            &server,
            json!({ "externalId": "crm-1", "name": "Ada", "phone": "+44 1", "tags": ["vip", "uk"] }),
        )
        .await;
        assert_eq!((&first["source"], &first["tags"]), (&json!("server_api"), &json!(["vip", "uk"])));
        let again =
            upsert(&server, json!({ "externalId": "crm-1", "name": "Ada Lovelace", "phone": "+44 2" })).await;
        assert_eq!(
            (&again["id"], &again["name"], &again["tags"]),
            (&first["id"], &json!("Ada Lovelace"), &json!(["vip", "uk"]))
        );

        let by_phone = upsert(&server, json!({ "name": "Grace", "phone": "+1 5" })).await;
        let named =
            upsert(&server, json!({ "externalId": "crm-2", "name": "Grace Hopper", "phone": "+1 5" })).await;
        assert_eq!((&named["id"], &named["externalId"]), (&by_phone["id"], &json!("crm-2")));
        assert_eq!(list(&server, "").await["pagination"]["total"], 2);

        let emptied =
            upsert(&server, json!({ "externalId": "crm-1", "name": "Ada", "phone": "+44 2", "tags": [] }))
                .await;
        assert_eq!(emptied["tags"], json!([]), "an empty list is not an absent one");
    });
}

#[test]
fn searches_counts_and_pages_contacts() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        for number in 0..25 {
            let tags = if number % 2 == 0 { json!(["even", "all"]) } else { json!(["all"]) };
            let company = if number < 5 { "Analytical_Engines" } else { "Other" };
            upsert(&server, json!({ "externalId": format!("c{number}"), "name": format!("Person {number:02}"), "phone": format!("+1 {number:04}"), "company": company, "email": format!("p{number}@x.example"), "tags": tags })).await;
        }
        let first = list(&server, "?limit=10").await;
        assert_eq!(first["pagination"], json!({ "total": 25, "page": 1, "limit": 10, "hasMore": true }));
        let mut seen: Vec<String> = Vec::new();
        for page in 1..=3 {
            let page = list(&server, &format!("?limit=10&page={page}")).await;
            seen.extend(
                page["contacts"]
                    .as_array()
                    .expect("list")
                    .iter()
                    .map(|c| c["id"].as_str().expect("id").to_owned()),
            );
        }
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((count, seen.len()), (25, 25), "pages neither skip nor repeat");
        let beyond = list(&server, "?limit=10&page=4").await;
        assert_eq!((&beyond["contacts"], &beyond["pagination"]["hasMore"]), (&json!([]), &json!(false)));

        for (query, total) in [
            ("?search=person%200", 10),
            ("?search=P24%40X", 1),
            ("?search=%2B1%200003", 1),
            ("?search=analytical_engines", 5),
            ("?search=analytical%25", 0),
            ("?search=perso_", 0),
            ("?tags=even", 13),
            ("?tags=even,all", 13),
            ("?tags=all,none", 0),
            ("?tags=even&search=person%200", 5),
            ("?search=", 25),
        ] {
            assert_eq!(list(&server, query).await["pagination"]["total"], total, "{query}");
        }
    });
}

#[test]
fn new_contacts_appear_after_last_page() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let names = async |page: u32| -> Vec<String> {
            let page = list(&server, &format!("?limit=2&page={page}")).await;
            let contacts = page["contacts"].as_array().expect("list");
            contacts.iter().map(|contact| contact["name"].as_str().expect("name").to_owned()).collect()
        };
        let add = async |name: &str| {
            server.clock.advance(chrono::Duration::seconds(1));
            upsert(&server, json!({ "externalId": name, "name": name, "phone": name })).await
        };
        for name in ["a", "b", "c"] {
            add(name).await;
        }
        let mut seen = names(1).await;
        add("d").await;
        add("a").await;
        seen.extend(names(2).await);
        assert_eq!(seen, ["a", "b", "c", "d"], "none twice, none left out");
    });
}

#[test]
fn plan_enables_and_limits_contacts() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let send = async |external: &str| {
            let body = json!({ "externalId": external, "name": "Ada", "phone": external });
            server.post(CONTACTS).bearer(server.key()).json(&body).send().await
        };
        server.set_quota("contacts", 2).await;
        let first = send("1").await.ok();
        send("2").await.ok();
        let refused = send("3").await.refused(403, "FEATURE_NOT_AVAILABLE");
        assert!(refused.text.contains("allows 2 contacts"), "{}", refused.text);
        send("2").await.ok();
        assert_eq!(list(&server, "").await["pagination"]["total"], 2, "nothing of the third was kept");
        // Concurrent requests do not exceed the limit either.
        let path = format!("{CONTACTS}/{}", first.data()["contact"]["id"].as_str().expect("id"));
        server.delete(&path).bearer(server.key()).send().await.ok();
        let ids: Vec<String> = (0..10).map(|n| format!("many {n}")).collect();
        let many = futures_util::future::join_all(ids.iter().map(|id| send(id))).await;
        assert_eq!(many.iter().filter(|answer| answer.status == 200).count(), 1);
        assert_eq!(list(&server, "").await["pagination"]["total"], 2);

        server.set_feature("contacts", false).await;
        for request in [
            server.get(CONTACTS),
            server.get(&path),
            server.patch(&path).json(&json!({ "name": "Ada King" })),
            server.delete(&path),
        ] {
            request.bearer(server.key()).send().await.refused(403, "FEATURE_NOT_AVAILABLE");
        }
        send("2").await.refused(403, "FEATURE_NOT_AVAILABLE");
    });
}

#[test]
fn reads_updates_and_deletes_contact() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let made = upsert(
            &server,
            json!({ "externalId": "x1", "name": "Ada", "phone": "1", "email": "a@b.example", "notes": "n" }),
        )
        .await;
        let path = format!("{CONTACTS}/{}", made["id"].as_str().expect("id"));
        assert_eq!(server.get(&path).bearer(server.key()).send().await.ok().data()["contact"], made);

        server.clock.advance(chrono::Duration::seconds(1));
        let patch = json!({ "name": "Ada L.", "tags": ["a"], "email": "" });
        let changed = server.patch(&path).bearer(server.key()).json(&patch).send().await;
        // An empty string is not an email address.
        changed.refused(400, "REQUEST_INVALID").names("/body/email");
        let patch = json!({ "name": "Ada L.", "tags": ["a"], "notes": "" });
        let changed = server.patch(&path).bearer(server.key()).json(&patch).send().await.ok();
        let contact = &changed.data()["contact"];
        assert_data!(changed, "updated_contact");
        let patch = json!({ "externalId": null, "email": null, "company": null });
        let changed = server.patch(&path).bearer(server.key()).json(&patch).send().await.ok();
        let bare = &changed.data()["contact"];
        assert!(["externalId", "email", "company"].iter().all(|gone| bare.get(gone).is_none()), "{bare}");
        assert_ne!(contact["updatedAt"], made["updatedAt"]);
        assert_eq!(contact["createdAt"], made["createdAt"]);

        upsert(&server, json!({ "externalId": "x2", "name": "B", "phone": "2" })).await;
        let taken =
            server.patch(&path).bearer(server.key()).json(&json!({ "externalId": "x2" })).send().await;
        taken.refused(409, "SERVER_CONTACT_CONFLICT");

        let deleted = server.delete(&path).bearer(server.key()).send().await.ok();
        assert_eq!(deleted.data(), &json!({ "deleted": true, "id": made["id"] }));
        for request in
            [server.get(&path), server.delete(&path), server.patch(&path).json(&json!({ "name": "z" }))]
        {
            request.bearer(server.key()).send().await.refused(404, "SERVER_CONTACT_NOT_FOUND");
        }
    });
}

/// Events of the outbox: the name of each, and its contact.
fn events_of(server: &TestServer) -> Vec<(String, String)> {
    let events = server.events().into_iter().map(|event| {
        let payload = event["payload"].as_str().expect("text");
        let payload: Value = serde_json::from_str(payload).expect("JSON");
        let id = payload["contact"]["id"].as_str().or(payload["contactId"].as_str());
        (event["name"].as_str().expect("a name").to_owned(), id.expect("a contact").to_owned())
    });
    events.collect()
}

#[test]
fn writes_one_event_per_contact_change() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let made = upsert(&server, json!({ "externalId": "x1", "name": "Ada", "phone": "1" })).await;
        let id = made["id"].as_str().expect("id").to_owned();
        let path = format!("{CONTACTS}/{id}");
        server.patch(&path).bearer(server.key()).json(&json!({ "name": "Ada L." })).send().await.ok();
        // An update that changes nothing writes no event.
        let now = server.get(&path).bearer(server.key()).send().await.ok();
        server.clock.advance(chrono::Duration::seconds(1));
        let same = server.patch(&path).bearer(server.key()).json(&json!({})).send().await.ok();
        assert_eq!(same.data(), now.data());
        server.delete(&path).bearer(server.key()).send().await.ok();
        for request in [server.delete(&path), server.patch(&path).json(&json!({ "name": "z" }))] {
            request.bearer(server.key()).send().await.refused(404, "SERVER_CONTACT_NOT_FOUND");
        }
        let expected = ["contact.created", "contact.updated", "contact.deleted"];
        assert_eq!(events_of(&server), expected.map(|name| (name.to_owned(), id.clone())));
    });
}

#[test]
fn deleted_contact_leaves_only_its_id_in_events() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let gone = json!({ "externalId": "x1", "name": "Ada Lovelace", "phone": "+44 1815", "email": "ada@x.example",
            "company": "Engines", "tags": ["countess"], "notes": "Wrote notes." });
        let made = upsert(&server, gone.clone()).await;
        upsert(&server, gone.clone()).await;
        upsert(&server, json!({ "externalId": "x2", "name": "Bob", "phone": "+1" })).await;
        // Another tenant has the same person as a contact.
        server.post(CONTACTS).bearer(&server.tenant("other").key).json(&gone).send().await.ok();
        let mut expected = server.database().events();
        let id = made["id"].as_str().expect("id");
        let bare = json!({ "contactId": id }).to_string();
        for event in expected.iter_mut().filter(|event| event["subject"] == id) {
            event["payload"] = json!(bare);
        }

        server.delete(&format!("{CONTACTS}/{id}")).bearer(server.key()).send().await.ok();
        let mut events = server.database().events();
        let deleted = events.pop().expect("an event");
        assert_eq!((&deleted["name"], &deleted["payload"]), (&json!("contact.deleted"), &json!(bare)));
        assert_eq!(events, expected, "all are there, and others' are as they were");

        // No table has anything else of the contact.
        let tenant = server.tenant_id();
        for (table, rows) in server.database().dump() {
            for row in rows.iter().filter(|row| row["tenant_id"] == tenant.as_str()) {
                let row = row.to_string().to_lowercase();
                for word in ["lovelace", "1815", "ada@x", "engines", "countess", "wrote"] {
                    assert!(!row.contains(word), "{table} has {word}: {row}");
                }
            }
        }
    });
}

#[test]
fn concurrent_delete_erases_contact_from_all_events() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let app = Arc::new(server.app().await);
        for _ in 0..8 {
            let made = upsert(&server, json!({ "externalId": "x1", "name": "Ada", "phone": "1" })).await;
            let id: ringnity_store::ContactId = made["id"].as_str().expect("id").into();
            let mut writers = tokio::task::JoinSet::new();
            for n in 0..8 {
                let (app, tenant, id) = (Arc::clone(&app), server.tenant_id(), id.clone());
                let input = ContactInput { external_id: Some("x1".into()), ..ContactInput::new("Ada", "1") };
                writers.spawn(async move {
                    if n == 4 {
                        contacts::delete_contact(&app, tenant, id).await.expect("it was there");
                    } else {
                        // An upsert after the delete creates another contact.
                        contacts::upsert_contact(&app, tenant, input, IdempotencyKey::default())
                            .await
                            .expect("upserts");
                    }
                });
            }
            while let Some(ended) = writers.join_next().await {
                ended.expect("no panic");
            }
            let bare = json!({ "contactId": id.as_str() }).to_string();
            let events = server.events();
            let events: Vec<_> = events.iter().filter(|event| event["subject"] == id.as_str()).collect();
            assert!(
                events.len() >= 2 && events.iter().all(|event| event["payload"] == bare.as_str()),
                "{events:#?}"
            );
        }
    });
}

#[test]
fn contact_stays_unchanged_if_event_cannot_be_written() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let kept = upsert(&server, json!({ "externalId": "x1", "name": "Ada", "phone": "1" })).await;
        let id = kept["id"].as_str().expect("id");
        let before = events_of(&server);
        server.database().refuse_events();

        let (app, tenant) = (server.app().await, server.tenant_id());
        let change = ContactPatchInput { name: Some("Eve".into()), ..ContactPatchInput::default() };
        assert!(contacts::delete_contact(&app, tenant.clone(), id.into()).await.is_err());
        assert!(contacts::update_contact(&app, tenant.clone(), id.into(), change).await.is_err());
        for external_id in ["x1", "x2"] {
            let input =
                ContactInput { external_id: Some(external_id.into()), ..ContactInput::new("Eve", "2") };
            let upserted =
                contacts::upsert_contact(&app, tenant.clone(), input, IdempotencyKey::default()).await;
            assert!(upserted.is_err(), "{external_id}");
        }

        let all = list(&server, "").await;
        assert_eq!((&all["contacts"], &all["pagination"]["total"]), (&json!([kept]), &json!(1)));
        assert_eq!(events_of(&server), before);
    });
}

#[test]
fn contact_of_other_tenant_is_not_found() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let made = upsert(&server, json!({ "externalId": "same", "name": "Ada", "phone": "1" })).await;
        let path = format!("{CONTACTS}/{}", made["id"].as_str().expect("id"));
        let other = &server.tenant("other").key;
        for request in
            [server.get(&path), server.delete(&path), server.patch(&path).json(&json!({ "name": "stolen" }))]
        {
            request.bearer(other).send().await.refused(404, "SERVER_CONTACT_NOT_FOUND");
        }
        let theirs = server
            .post(CONTACTS)
            .bearer(other)
            .json(&json!({ "externalId": "same", "name": "Theirs", "phone": "1", "clientId": server.tenant_id().as_str() }))
            .send()
            .await
            .ok();
        assert_ne!(theirs.data()["contact"]["id"], made["id"]);
        assert_eq!(
            server.get(&path).bearer(server.key()).send().await.ok().data()["contact"],
            made,
            "nothing changed"
        );
        assert_eq!(list(&server, "").await["pagination"]["total"], 1);
    });
}

#[test]
fn concurrent_upserts_make_one_contact() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let requests = (0..32).map(|number| {
            let body = json!({ "externalId": "one", "name": format!("Writer {number}"), "phone": "1" });
            server.post(CONTACTS).bearer(server.key()).json(&body).send()
        });
        for answer in futures(requests).await {
            answer.status(StatusCode::OK);
        }
        assert_eq!(list(&server, "").await["pagination"]["total"], 1);
    });
}

/// Runs all of them at once.
async fn futures<F: Future<Output = crate::support::Answer>>(
    all: impl Iterator<Item = F>,
) -> Vec<crate::support::Answer> {
    futures_util::future::join_all(all).await
}

#[test]
fn rejects_blank_name_and_phone() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let key = server.key();
        let contact = upsert(&server, json!({ "name": "Ada", "phone": "1" })).await;
        let path = format!("/api/server/contacts/{}", contact["id"].as_str().expect("id"));
        for (body, pointer) in [
            (json!({ "phone": " " }), "/body/phone"),
            (json!({ "name": "\t\n" }), "/body/name"),
            (json!({ "name": "Ada", "phone": "\u{a0}" }), "/body/phone"),
        ] {
            let answer = server.patch(&path).bearer(key).json(&body).send().await;
            answer.refused(400, "SERVER_CONTACT_VALIDATION_FAILED").names(pointer);
        }
        for body in [json!({ "name": " ", "phone": "2" }), json!({ "name": "Ada", "phone": " " })] {
            let answer = server.post("/api/server/contacts").bearer(key).json(&body).send().await;
            answer.refused(400, "SERVER_CONTACT_VALIDATION_FAILED");
        }
        let now = server.get(&path).bearer(key).send().await.ok();
        assert_eq!(now.data()["contact"], contact);
    });
}

#[test]
fn trims_and_deduplicates_tags() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let contact =
            upsert(&server, json!({ "name": "Ada", "phone": "1", "tags": [" vip ", "vip", " "] })).await;
        assert_eq!(contact["tags"], json!(["vip"]));
        let found = list(&server, "?tags=vip").await;
        assert_eq!(found["contacts"].as_array().map(Vec::len), Some(1), "{found}");
    });
}
