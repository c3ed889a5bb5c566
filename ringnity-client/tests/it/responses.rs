//! How the client reads responses: errors, media types, redirects, timeouts.

use std::time::Duration;

use ringnity_client::types::{ErrorCode, OwnerLoginRequest};
use ringnity_client::{AdminToken, Client, Error, ServerKey, VisitorSession};
use serde_json::json;

use crate::mock_server::{MockResponse, MockServer};

async fn start_with(response: MockResponse) -> (MockServer, Client<ServerKey>) {
    let server = MockServer::start(response).await;
    let client = Client::new(&server.url).expect("builds").with_credential(ServerKey::new("k"));
    (server, client)
}

#[tokio::test]
async fn api_error_has_every_part_of_the_response() {
    let body = json!({ "success": false, "code": "REQUEST_INVALID", "message": "Two errors.", "details": ["/name: missing", "/phone: missing"] });
    let (_server, client) = start_with(MockResponse::json(400, body)).await;
    let error = client.get_contact("c").send().await.expect_err("is an error");
    assert_eq!(error.status().map(|status| status.as_u16()), Some(400));
    assert_eq!(error.code(), Some("REQUEST_INVALID"));
    assert_eq!(error.message(), Some("Two errors."));
    assert_eq!(error.details(), ["/name: missing", "/phone: missing"]);
    assert_eq!(error.request_id(), Some("req_1"));
    assert_eq!(
        error.to_string(),
        "400 REQUEST_INVALID: Two errors.; /name: missing; /phone: missing (request req_1)"
    );
    let Error::Api(error) = error else { panic!("{error:?}") };
    assert!(!matches!(error.body().code, ErrorCode::Unknown(_)));
}

#[tokio::test]
async fn unknown_error_code_is_kept() {
    let body = json!({ "success": false, "code": "SOMETHING_NEW", "message": "New." });
    let (_server, client) = start_with(MockResponse::json(409, body)).await;
    let error = client.get_contact("c").send().await.expect_err("is an error");
    let Error::Api(error) = error else { panic!("{error:?}") };
    assert_eq!(error.code(), Some("SOMETHING_NEW"));
    assert_eq!(error.body().code, ErrorCode::Unknown("SOMETHING_NEW".into()));
}

#[tokio::test]
async fn oauth_error_has_its_own_variant() {
    let body = json!({ "error": "invalid_grant", "error_description": "The code was used." });
    let server = MockServer::start(MockResponse::json(400, body)).await;
    let client = Client::new(&server.url).expect("builds");
    let request =
        serde_json::from_value(json!({ "grant_type": "authorization_code", "client_id": "c", "code": "x" }))
            .expect("is a request");
    let error = client.exchange_ringnity_oauth_token(request).send().await.expect_err("is an error");
    assert_eq!((error.code(), error.message()), (Some("invalid_grant"), Some("The code was used.")));
    assert!(matches!(error, Error::OAuth(_)), "{error:?}");
    let request = server.single_request();
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(request.text().contains("grant_type=authorization_code"), "{}", request.text());
}

#[tokio::test]
async fn undocumented_response_keeps_its_body() {
    let (server, client) = start_with(MockResponse::new(502, "text/html", "<h1>Bad gateway</h1>")).await;
    let error = client.get_contact("c").send().await.expect_err("is an error");
    let Error::Unexpected { status, ref headers, ref body } = error else { panic!("{error:?}") };
    assert_eq!((status.as_u16(), &body[..]), (502, &b"<h1>Bad gateway</h1>"[..]));
    assert_eq!(headers["content-type"], "text/html");
    assert_eq!(error.request_id(), Some("req_1"));

    server.respond_with(MockResponse::json(299, json!({})));
    let error = client.get_contact("c").send().await.expect_err("is an error");
    assert!(matches!(error, Error::Unexpected { status, .. } if status.as_u16() == 299), "{error:?}");
}

#[tokio::test]
async fn decode_error_keeps_the_body() {
    let (_server, client) = start_with(MockResponse::json(200, json!({ "success": true }))).await;
    let error = client.list_contacts().send().await.expect_err("is an error");
    let Error::Decode { status, ref headers, ref body, .. } = error else { panic!("{error:?}") };
    assert_eq!((status.as_u16(), &body[..]), (200, &br#"{"success":true}"#[..]));
    assert_eq!(headers["x-request-id"], "req_1");
}

#[tokio::test]
async fn report_is_json_or_csv_stream() {
    use ringnity_client::server_api::ExportServerReportOutput as Report;

    let (server, client) =
        start_with(MockResponse::new(200, "text/csv; charset=utf-8", "day,calls\n1,2\n")).await;
    let report = client.export_server_report().send().await.expect("succeeds");
    assert_eq!(report.request_id(), Some("req_1"));
    let Report::Csv(mut stream) = report.into_inner() else { panic!("is CSV") };
    let mut text = Vec::new();
    while let Some(chunk) = stream.chunk().await.expect("streams") {
        text.extend_from_slice(&chunk);
    }
    assert_eq!(text, b"day,calls\n1,2\n");
    assert_eq!(server.single_request().header("accept"), Some("application/json, text/csv"));

    let error = json!({ "success": false, "code": "REQUEST_INVALID", "message": "No." });
    server.respond_with(MockResponse::json(400, error));
    let error = client.export_server_report().accept("text/csv").send().await.expect_err("is an error");
    assert!(matches!(error, Error::Api(_)), "{error:?}");
    assert_eq!(server.single_request().header("accept"), Some("text/csv"));

    let client = client.with_credential(AdminToken::new("t"));
    server.respond_with(MockResponse::new(200, "text/csv", "a\n"));
    let report = client.export_admin_report().send().await.expect("succeeds");
    let ringnity_client::admin_reports::ExportAdminReportOutput::Csv(stream) = report.into_inner() else {
        panic!("is CSV")
    };
    assert_eq!(stream.text().await.expect("streams"), "a\n");
}

#[tokio::test]
async fn redirect_is_returned_not_followed() {
    let server =
        MockServer::start(MockResponse::new(302, "", "").header("Location", "/elsewhere?code=1")).await;
    let client = Client::new(&server.url).expect("builds");
    let response_type = serde_json::from_value(json!("code")).expect("is a response type");
    let call =
        client.authorize_with_ringnity(response_type, "client", "https://e.example/cb", "openid", "state");
    let response = call.send().await.expect("succeeds");
    assert_eq!((response.status().as_u16(), response.location.as_str()), (302, "/elsewhere?code=1"));
    assert_eq!(server.single_request().path, "/oauth/authorize", "the redirect was followed");
}

#[tokio::test]
async fn sends_and_reads_plain_text() {
    let server = MockServer::start(MockResponse::new(200, "application/sdp", "v=0 response")).await;
    let client = Client::new(&server.url).expect("builds").with_credential(VisitorSession::new("s"));
    let response = client.create_ai_visitor_realtime_call("v=0 offer").send().await.expect("succeeds");
    assert_eq!((response.text.as_str(), response.content_type.as_str()), ("v=0 response", "application/sdp"));
    let request = server.single_request();
    assert_eq!((request.header("content-type"), &*request.text()), (Some("application/sdp"), "v=0 offer"));

    let call = client.create_ai_visitor_realtime_call("v=0 offer").content_type("text/plain");
    call.send().await.expect("succeeds");
    assert_eq!(server.single_request().header("content-type"), Some("text/plain"));
}

#[tokio::test]
async fn request_times_out() {
    let mut response = MockResponse::json(200, json!({ "success": true }));
    response.delay = Duration::from_secs(20);
    let server = MockServer::start(response).await;
    let client = Client::builder(&server.url).timeout(Duration::from_millis(50)).build().expect("builds");
    let error = client.get_runtime_health().send().await.expect_err("is an error");
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.to_string(), "the request timed out");
}

#[tokio::test]
async fn transport_error_does_not_contain_the_url() {
    // Port 9 discards; nothing listens there.
    let client = Client::new("http://127.0.0.1:9").expect("builds").with_credential(ServerKey::new("k"));
    let error = client.list_contacts().search("private").send().await.expect_err("is an error");
    assert!(matches!(error, Error::Transport(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("private"), "{error:?}");
}

#[tokio::test]
async fn debug_output_redacts_secrets() {
    let client =
        Client::new("http://127.0.0.1:9").expect("builds").with_credential(ServerKey::new("hush-hush"));
    assert!(!format!("{client:?} {:?}", ServerKey::new("hush-hush")).contains("hush"));
    assert_eq!(ServerKey::new("hush-hush").expose(), "hush-hush");
}

#[tokio::test]
async fn request_builders_can_be_sent_from_other_tasks() {
    let server = MockServer::start(MockResponse::json(200, json!({ "success": true }))).await;
    let client = Client::new(&server.url).expect("builds");
    let call = client.get_runtime_health();
    drop(client);
    tokio::spawn(call.send()).await.expect("joins").expect("succeeds");
    let client = Client::new(&server.url).expect("builds");
    let login = client.login_owner(OwnerLoginRequest::new("a@b.example", "p"));
    tokio::spawn(login.send()).await.expect("joins").expect_err("is not a session");
}
