//! What a server gets for what callers ask: parameters, bodies, uploads, credentials, client-wide settings.

use ringnity_client::types::{AssignConversationRequest, ContactPatchInput, Field};
use ringnity_client::{AgentToken, Client, Error, OwnerToken, ServerKey, Upload, VisitorSession};
use serde_json::json;

use crate::server::{Answer, Server};

async fn start() -> (Server, Client) {
    let server = Server::start(Answer::json(500, json!({}))).await;
    let client = Client::new(&server.url).expect("builds");
    (server, client)
}

#[tokio::test]
async fn what_is_not_set_is_not_sent() {
    let (server, client) = start().await;
    let client = client.with_credential(ServerKey::new("k"));
    let _ = client.list_contacts().send().await;
    assert!(server.one().query.is_empty());
    let _ = client.list_contacts().page(2).limit(10).search("a&b=c").send().await;
    let mut query = server.one().query;
    query.sort();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(query, [pair("limit", "10"), pair("page", "2"), pair("search", "a&b=c")]);
}

#[tokio::test]
async fn a_path_value_stays_in_its_segment() {
    let (server, client) = start().await;
    let client = client.with_credential(ServerKey::new("k"));
    let _ = client.get_contact("a/b c?d").send().await;
    assert_eq!(server.one().path, "/api/server/contacts/a%2Fb%20c%3Fd");
    for id in ["", ".", ".."] {
        let error = client.get_contact(id).send().await.expect_err("cannot be sent");
        assert!(matches!(error, Error::InvalidRequest(_)), "{error:?}");
    }
    assert!(server.take().is_empty(), "and nothing is");
}

#[tokio::test]
async fn an_optional_body_is_sent_only_when_there_is_one() {
    let (server, client) = start().await;
    let client = client.with_credential(AgentToken::new("t"));
    let _ = client.assign_agent_conversation("c").send().await;
    let seen = server.one();
    assert_eq!((seen.header("content-type"), seen.body.len()), (None, 0));
    let nobody = AssignConversationRequest { assigned_agent_id: Field::Null, ..Default::default() };
    let _ = client.assign_agent_conversation("c").body(nobody).send().await;
    let seen = server.one();
    assert_eq!(seen.json()["assignedAgentId"], json!(null));
    assert_eq!(seen.json().get("reason"), None);
    assert_eq!(seen.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn delete_may_carry_a_body() {
    let (server, client) = start().await;
    let body = serde_json::from_value(json!({ "reason": "asked" })).expect("is a request");
    let call = client
        .with_credential(AgentToken::new("t"))
        .delete_agent_conversation_attachment("c", "m")
        .body(body);
    let _ = call.send().await;
    let seen = server.one();
    assert_eq!((&*seen.method, seen.json()), ("DELETE", json!({ "reason": "asked" })));
}

#[tokio::test]
async fn an_empty_list_is_not_an_absent_one() {
    let (server, client) = start().await;
    let client = client.with_credential(ServerKey::new("k"));
    let _ = client
        .update_contact("c", ContactPatchInput { tags: Some(vec![]), ..Default::default() })
        .send()
        .await;
    assert_eq!(server.one().json(), json!({ "tags": [] }));
}

#[tokio::test]
async fn an_upload_has_name_type_and_content_wherever_it_comes_from() {
    let (server, client) = start().await;
    let client = client.with_credential(VisitorSession::new("s"));
    let path = std::env::temp_dir().join(format!("upload-{}.png", std::process::id()));
    std::fs::write(&path, b"picture").expect("writes");
    let stream = futures_util::stream::iter(["pic", "ture"].map(Ok::<_, std::io::Error>));
    let uploads = [
        (
            Upload::file(&path),
            path.file_name().and_then(|name| name.to_str()).expect("has a name"),
            "image/png",
        ),
        (Upload::bytes("picture").file_name("a.jpg").content_type("image/jpeg"), "a.jpg", "image/jpeg"),
        (Upload::stream(stream).length(7).file_name("b.bin"), "b.bin", "application/octet-stream"),
    ];
    for (upload, name, media) in uploads {
        let _ = client.upload_visitor_conversation_attachment("c", upload).send().await;
        let seen = server.one();
        assert!(
            seen.header("content-type")
                .is_some_and(|value| value.starts_with("multipart/form-data; boundary="))
        );
        let text = seen.text();
        assert!(text.contains(&format!("filename=\"{name}\"")), "{text}");
        assert!(text.to_lowercase().contains(&format!("content-type: {media}")), "{text}");
        assert!(text.contains("\r\n\r\npicture\r\n"), "{text}");
    }
    std::fs::remove_file(&path).expect("cleans up");
    let error = client
        .upload_visitor_conversation_attachment("c", Upload::file(&path))
        .send()
        .await
        .expect_err("cannot be sent");
    assert!(matches!(&error, Error::InvalidRequest(problem) if problem.contains("upload-")), "{error:?}");
    let bad = Upload::bytes("x").content_type("not a type");
    let error =
        client.upload_visitor_conversation_attachment("c", bad).send().await.expect_err("cannot be sent");
    assert!(matches!(error, Error::InvalidRequest(_)), "{error:?}");
}

#[tokio::test]
async fn a_secret_goes_only_where_the_contract_asks_for_it() {
    let (server, client) = start().await;
    let _ = client.with_credential(OwnerToken::new("t")).get_runtime_health().send().await;
    assert_eq!(server.one().header("authorization"), None);
    let client = client.with_credential(OwnerToken::new("one")).with_credential(ServerKey::new("two"));
    let _ = client.get_server_tenant().send().await;
    assert_eq!(server.one().header("authorization"), Some("Bearer two"));
    let error = client
        .with_credential(ServerKey::new("a\nb"))
        .get_server_tenant()
        .send()
        .await
        .expect_err("cannot be sent");
    assert!(matches!(error, Error::InvalidRequest(_)), "{error:?}");
}

#[tokio::test]
async fn visitors_without_a_session_name_their_tenant() {
    let (server, _) = start().await;
    let client = Client::builder(&server.url).public_key("pk_1").tenant_slug("acme").build().expect("builds");
    let _ = client.get_visitor_chat_availability().send().await;
    let seen = server.one();
    assert_eq!(seen.header("x-ringnity-public-key"), Some("pk_1"));
    assert_eq!(seen.query, [("slug".to_owned(), "acme".to_owned())]);
    let _ = client.get_visitor_chat_availability().slug("other").send().await;
    assert_eq!(server.one().query, [("slug".to_owned(), "other".to_owned())], "a call's own word counts");
    let _ = client.get_runtime_health().send().await;
    assert_eq!(server.one().header("x-ringnity-public-key"), None, "operations without tenant get none");
}

#[tokio::test]
async fn the_user_agent_can_be_set_and_the_http_client_replaced() {
    let (server, client) = start().await;
    let _ = client.get_runtime_health().send().await;
    assert!(server.one().header("user-agent").is_some_and(|agent| agent.starts_with("ringnity-client/")));
    let client = Client::builder(&server.url).user_agent("shop/1").build().expect("builds");
    let _ = client.get_runtime_health().send().await;
    assert_eq!(server.one().header("user-agent"), Some("shop/1"));
    let http = reqwest::Client::builder().user_agent("own/1").build().expect("builds");
    let client =
        Client::builder(format!("{}/behind/", server.url)).http_client(http).build().expect("builds");
    let _ = client.get_runtime_health().send().await;
    let seen = server.one();
    assert_eq!((seen.header("user-agent"), &*seen.path), (Some("own/1"), "/behind/api/sdk/health"));
}

#[test]
fn a_base_url_that_is_none_is_refused() {
    for url in ["", "localhost", "ftp://example.com", "http://example.com/?a=b"] {
        assert!(matches!(Client::new(url), Err(Error::InvalidRequest(_))), "{url}");
    }
}
