//! What the client sends: parameters, bodies, uploads, credentials, settings of the client.

use ringnity_client::types::{AssignConversationRequest, ContactPatchInput, Field};
use ringnity_client::{AgentToken, Client, Error, OwnerToken, ServerKey, Upload, VisitorSession};
use serde_json::json;

use crate::mock_server::{MockResponse, MockServer};

async fn start() -> (MockServer, Client) {
    let server = MockServer::start(MockResponse::json(500, json!({}))).await;
    let client = Client::new(&server.url).expect("builds");
    (server, client)
}

#[tokio::test]
async fn unset_parameters_are_not_sent() {
    let (server, client) = start().await;
    let client = client.with_credential(ServerKey::new("k"));
    let _ = client.list_contacts().send().await;
    assert!(server.single_request().query.is_empty());
    let _ = client.list_contacts().page(2).limit(10).search("a&b=c").send().await;
    let mut query = server.single_request().query;
    query.sort();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(query, [pair("limit", "10"), pair("page", "2"), pair("search", "a&b=c")]);
}

#[tokio::test]
async fn path_parameter_stays_in_its_segment() {
    let (server, client) = start().await;
    let client = client.with_credential(ServerKey::new("k"));
    let _ = client.get_contact("a/b c?d").send().await;
    assert_eq!(server.single_request().path, "/api/server/contacts/a%2Fb%20c%3Fd");
    for id in ["", ".", ".."] {
        let error = client.get_contact(id).send().await.expect_err("cannot be sent");
        assert!(matches!(error, Error::InvalidRequest(_)), "{error:?}");
    }
    assert!(server.take_requests().is_empty(), "an invalid request was sent");
}

#[tokio::test]
async fn optional_body_is_sent_only_if_set() {
    let (server, client) = start().await;
    let client = client.with_credential(AgentToken::new("t"));
    let _ = client.assign_agent_conversation("c").send().await;
    let request = server.single_request();
    assert_eq!((request.header("content-type"), request.body.len()), (None, 0));
    let unassigned = AssignConversationRequest { assigned_agent_id: Field::Null, ..Default::default() };
    let _ = client.assign_agent_conversation("c").body(unassigned).send().await;
    let request = server.single_request();
    assert_eq!(request.json()["assignedAgentId"], json!(null));
    assert_eq!(request.json().get("reason"), None);
    assert_eq!(request.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn delete_request_can_have_a_body() {
    let (server, client) = start().await;
    let body = serde_json::from_value(json!({ "reason": "asked" })).expect("is a request");
    let call = client
        .with_credential(AgentToken::new("t"))
        .delete_agent_conversation_attachment("c", "m")
        .body(body);
    let _ = call.send().await;
    let request = server.single_request();
    assert_eq!((&*request.method, request.json()), ("DELETE", json!({ "reason": "asked" })));
}

#[tokio::test]
async fn empty_list_is_sent() {
    let (server, client) = start().await;
    let client = client.with_credential(ServerKey::new("k"));
    let _ = client
        .update_contact("c", ContactPatchInput { tags: Some(vec![]), ..Default::default() })
        .send()
        .await;
    assert_eq!(server.single_request().json(), json!({ "tags": [] }));
}

#[tokio::test]
async fn upload_has_name_type_and_content_from_any_source() {
    let (server, client) = start().await;
    let client = client.with_credential(VisitorSession::new("s"));
    let path = std::env::temp_dir().join(format!("upload-{}.png", std::process::id()));
    std::fs::write(&path, b"picture").expect("writes");
    let stream = futures_util::stream::iter(["pictu", "re"].map(Ok::<_, std::io::Error>));
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
        let request = server.single_request();
        assert!(
            request
                .header("content-type")
                .is_some_and(|value| value.starts_with("multipart/form-data; boundary="))
        );
        let text = request.text();
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
async fn credential_is_sent_only_with_operations_that_accept_it() {
    let (server, client) = start().await;
    let _ = client.with_credential(OwnerToken::new("t")).get_runtime_health().send().await;
    assert_eq!(server.single_request().header("authorization"), None);
    let client = client.with_credential(OwnerToken::new("one")).with_credential(ServerKey::new("two"));
    let _ = client.get_server_tenant().send().await;
    assert_eq!(server.single_request().header("authorization"), Some("Bearer two"));
    let error = client
        .with_credential(ServerKey::new("a\nb"))
        .get_server_tenant()
        .send()
        .await
        .expect_err("cannot be sent");
    assert!(matches!(error, Error::InvalidRequest(_)), "{error:?}");
}

#[tokio::test]
async fn tenant_of_visitors_without_a_session_is_sent() {
    let (server, _) = start().await;
    let client = Client::builder(&server.url).public_key("pk_1").tenant_slug("acme").build().expect("builds");
    let _ = client.get_visitor_chat_availability().send().await;
    let request = server.single_request();
    assert_eq!(request.header("x-ringnity-public-key"), Some("pk_1"));
    assert_eq!(request.query, [("slug".to_owned(), "acme".to_owned())]);
    let _ = client.get_visitor_chat_availability().slug("other").send().await;
    assert_eq!(
        server.single_request().query,
        [("slug".to_owned(), "other".to_owned())],
        "the builder's value takes precedence"
    );
    let _ = client.get_runtime_health().send().await;
    assert_eq!(
        server.single_request().header("x-ringnity-public-key"),
        None,
        "sent with an operation without a tenant"
    );
}

#[tokio::test]
async fn user_agent_and_http_client_can_be_replaced() {
    let (server, client) = start().await;
    let _ = client.get_runtime_health().send().await;
    assert!(
        server
            .single_request()
            .header("user-agent")
            .is_some_and(|agent| agent.starts_with("ringnity-client/"))
    );
    let client = Client::builder(&server.url).user_agent("shop/1").build().expect("builds");
    let _ = client.get_runtime_health().send().await;
    assert_eq!(server.single_request().header("user-agent"), Some("shop/1"));
    let http = reqwest::Client::builder().user_agent("own/1").build().expect("builds");
    let client =
        Client::builder(format!("{}/behind/", server.url)).http_client(http).build().expect("builds");
    let _ = client.get_runtime_health().send().await;
    let request = server.single_request();
    assert_eq!((request.header("user-agent"), &*request.path), (Some("own/1"), "/behind/api/sdk/health"));
}

#[test]
fn rejects_invalid_base_urls() {
    for url in ["", "localhost", "ftp://example.com", "http://example.com/?a=b"] {
        assert!(matches!(Client::new(url), Err(Error::InvalidRequest(_))), "{url}");
    }
}
