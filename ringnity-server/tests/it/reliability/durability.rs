//! Answered writes survive a restart.

use serde_json::json;

use crate::support::{TestServer, on_each_engine};

#[test]
fn sqlite_file_is_private_to_one_server() {
    on_each_engine(async |engine| {
        let mut server = TestServer::builder(engine).tenant("acme").start().await;
        let Some(file) = server.database_file() else {
            server.second().await.expect("shares PostgreSQL").stop().await.expect("stops");
            return;
        };
        let words = server.second().await.err().expect("is refused").to_string();
        assert!(words.contains("another server uses") && words.contains("--data-dir"), "{words}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            for end in ["", "-wal", "-shm"] {
                let mut name = file.clone().into_os_string();
                name.push(end);
                let mode = std::fs::metadata(&name).expect("a file").permissions().mode();
                assert_eq!(mode & 0o077, 0, "{} is open to others: {mode:o}", name.display());
            }
        }
        // The file is free as soon as the server has stopped.
        server.restart().await;
        server.get("/api/sdk/health").send().await.ok();
    });
}

#[test]
fn answered_writes_survive_restart() {
    on_each_engine(async |engine| {
        let mut server = TestServer::builder(engine).tenant("acme").start().await;
        let body = json!({ "externalId": "kept", "name": "Ada", "phone": "1" });
        let made = server.post("/api/server/contacts").bearer(server.key()).json(&body).send().await.ok();
        let key = server.key_with(&["server:contacts:read"]).await;
        server.restart().await;
        let listed = server.get("/api/server/contacts").bearer(&key).send().await.ok();
        assert_eq!(listed.data()["contacts"][0], made.data()["contact"]);
        let again = server.get("/api/sdk/bootstrap?slug=acme").send().await.ok();
        assert_eq!(again.data()["tenant"]["clientId"], json!(server.tenant_id().as_str()));
    });
}
