//! Tests of the museum itself.

use serde_json::{Value, json};

#[tokio::test]
async fn museum_manages_events_and_tickets() {
    let museum = super::start();
    let http = reqwest::Client::new();
    let send = async |method: &str, path: &str, body: Option<Value>| {
        let method = method.parse().expect("a method");
        let mut request = http.request(method, format!("{}{path}", museum.base_url));
        request = request.basic_auth("visitor", Some("whale-song"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("the museum answers");
        let (status, media) = (response.status().as_u16(), response.headers().get("content-type").cloned());
        let bytes = response.bytes().await.expect("a body");
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        (status, value, media.map(|media| media.to_str().expect("plain text").to_owned()))
    };
    let fields = json!({ "name": "Whales", "location": "Roof", "eventDescription": "", "dates": ["2031-06-01"], "price": 2.5 });
    let (status, event, _) = send("POST", "/special-events", Some(fields)).await;
    assert_eq!(status, 201, "{event}");
    let path = format!("/special-events/{}", event["eventId"].as_str().expect("an id"));
    assert_eq!(send("PATCH", &path, Some(json!({ "price": 1 }))).await.1["price"], 1);
    assert_eq!(send("GET", &path, None).await.1["price"], 1);
    let (_, list, _) = send("GET", "/special-events?startDate=2031-05-30&limit=30", None).await;
    assert_eq!(list[0]["eventId"], event["eventId"]);
    for query in [
        "limit=-1",
        "page=-9223372036854775808",
        "page=99999999999999999999999&limit=0",
        "startDate=9999-12-31",
    ] {
        let (status, list, _) = send("GET", &format!("/special-events?{query}"), None).await;
        assert_eq!((status, list), (200, json!([])), "{query}");
        assert_eq!(send("GET", &format!("/museum-hours?{query}"), None).await.0, 200, "{query}");
    }
    assert_eq!(send("GET", "/museum-hours?limit=31", None).await.0, 400);
    assert_eq!(send("DELETE", &path, None).await.0, 204);
    assert_eq!(send("GET", &path, None).await.0, 404);

    let ticket = json!({ "ticketType": "general", "ticketDate": "2031-06-01", "email": "ada@example.com" });
    let (status, ticket, _) = send("POST", "/tickets", Some(ticket)).await;
    assert_eq!(status, 201, "{ticket}");
    let picture = format!("/tickets/{}/qr", ticket["ticketId"].as_str().expect("an id"));
    let (status, _, media) = send("GET", &picture, None).await;
    assert_eq!((status, media.as_deref()), (200, Some("image/png")));

    let nobody = http.get(format!("{}/museum-hours", museum.base_url)).send().await.expect("an answer");
    assert_eq!(nobody.status(), 401);
    assert_eq!(send("PUT", &path, None).await.0, 405);
    assert!(serde_json::from_str::<Value>(super::FLOWS).is_ok());
    assert_eq!(museum.inputs["visitor"], "visitor:whale-song");
}
