//! What was answered is there after a restart.

use serde_json::json;

use crate::support::on_each_engine;

#[test]
fn what_was_answered_is_there_after_a_restart() {
    on_each_engine(async |mut server| {
        let body = json!({ "externalId": "kept", "name": "Ada", "phone": "1" });
        let made = server.post("/api/server/contacts").bearer(server.key()).json(&body).send().await.ok();
        let key = server.key_with(&["server:contacts:read"]).await;
        server.restart().await;
        let listed = server.get("/api/server/contacts").bearer(&key).send().await.ok();
        assert_eq!(listed.data()["contacts"][0], made.data()["contact"]);
        let again = server.get("/api/sdk/bootstrap?slug=demo").send().await.ok();
        assert_eq!(again.data()["tenant"]["clientId"], json!(server.demo.first.tenant.client_id));
    });
}
