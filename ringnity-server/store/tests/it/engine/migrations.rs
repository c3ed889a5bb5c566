//! Migrations: concurrent, repeated, of older and newer databases.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};

use ringnity_store::{
    Conn, Engine, Store, StoreError, tenants,
    testing::{TestDatabase, engines},
    visitors::{self, VisitorProfile},
};

use crate::support::{noon, number, on_each_engine, run, tenant_on};
use crate::tenancy::new_device;

#[tokio::test(flavor = "multi_thread")]
async fn eight_nodes_starting_at_once_migrate_once() {
    for engine in engines() {
        let database = TestDatabase::empty(engine);
        let mut nodes = Vec::new();
        for _ in 0..8 {
            let config = database.config().clone();
            nodes.push(tokio::spawn(async move { Store::open(&config).await.unwrap() }));
        }
        for node in nodes {
            let store = node.await.unwrap();
            let catalog = store.read(tenants::plan_catalog).await.unwrap();
            assert_eq!(catalog.plans.len(), 4);
            store.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migration_sets_subjects_and_redacts_deleted_contacts() {
    for engine in engines() {
        let database = TestDatabase::with_first_schema(engine, "00");
        Store::open(database.config()).await.unwrap().close().await;
        let told: Vec<_> = database
            .events()
            .into_iter()
            .map(|event| [&event["name"], &event["subject"], &event["payload"]].map(Clone::clone))
            .collect();
        let kept = r#"{"contact":{"id":"con_old","name":"Kept"}}"#;
        let gone = r#"{"contactId":"con_gone"}"#;
        assert_eq!(
            told,
            [
                ["contact.created", "con_old", kept],
                ["contact.created", "con_gone", gone],
                ["contact.updated", "con_gone", gone],
                ["contact.deleted", "con_gone", gone],
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migration_clears_claimed_external_ids_of_devices() {
    for engine in engines() {
        let database = TestDatabase::new(engine);
        let store = Store::open(database.config()).await.unwrap();
        store
            .write(|c| {
                let tenant = tenant_on(c, "mine")?;
                let profile = VisitorProfile { metadata: "{}".into(), ..VisitorProfile::default() };
                let visitor = visitors::visitor_begin_session(c, &tenant, &profile, noon())?;
                let mut device = new_device("device", "hash");
                device.subject_id = visitor.id.to_string();
                device.external_id = Some("somebody else".into());
                visitors::device_put(c, &tenant, &device, noon())?;
                run(c, "DROP INDEX visitors_last_seen_at_idx")?;
                run(c, "CREATE INDEX visitors_last_seen_at_idx ON visitors (last_seen_at)")?;
                run(c, "DELETE FROM __diesel_schema_migrations WHERE version = '20261122000110'")
            })
            .await
            .unwrap();
        store.close().await;
        Store::open(database.config()).await.unwrap().close().await;
        let dump = database.dump();
        let devices: Vec<_> =
            dump["device_push_tokens"].iter().map(|device| &device["external_id"]).collect();
        assert_eq!(devices, [&serde_json::Value::Null]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_database_of_a_newer_version() {
    on_each_engine(async |store, database| {
        store
            .write(|c| run(c, "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')"))
            .await
            .unwrap();
        let error = Store::open(database.config()).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::NewerSchema { found, .. } if found == "29990101000000"),
            "{error:?}"
        );
        let words = error.to_string();
        assert!(words.contains("start that version or a later one, or restore a backup"), "{words}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migration_waits_for_running_writes_without_locks() {
    on_each_engine(async |store, database| {
        if database.engine() == Engine::Sqlite {
            return; // SQLite has one process and one writer
        }
        // An older database: one migration is pending.
        let older = "ALTER TABLE session_families DROP COLUMN credential_id; \
                     DELETE FROM __diesel_schema_migrations WHERE version = '20261122000030'";
        store.write(move |c| run(c, older)).await.unwrap();
        let attempts = Arc::new(AtomicU32::new(0));
        let ((begun, begins), (go, goes)) = (mpsc::channel(), mpsc::channel::<()>());
        let goes = Mutex::new(goes);
        let writer = tokio::spawn({
            let (store, attempts) = (store.clone(), attempts.clone());
            async move {
                let write = move |c: &mut Conn| {
                    // What a write with the exclusive writer lock does.
                    run(c, "LOCK TABLE ONLY __diesel_schema_migrations IN EXCLUSIVE MODE")?;
                    if attempts.fetch_add(1, Ordering::SeqCst) == 0 {
                        begun.send(()).unwrap();
                        goes.lock().unwrap().recv_timeout(Duration::from_secs(20)).unwrap();
                    }
                    number(c, "SELECT count(*) AS n FROM session_families")
                };
                store.write(write).await
            }
        });
        tokio::task::block_in_place(|| begins.recv()).unwrap();
        let config = database.config().clone();
        let migrating = tokio::spawn(async move { Store::open(&config).await });
        let waiting = "SELECT count(*) AS n FROM pg_locks WHERE NOT granted AND \
                       database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while store.read(move |c| number(c, waiting)).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // It waits without holding locks, so other tables can be locked.
        let sessions = store.read(|c| number(c, "SELECT count(*) AS n FROM session_families"));
        tokio::time::timeout(Duration::from_secs(5), sessions).await.expect("the table is free").unwrap();
        go.send(()).unwrap();
        writer.await.unwrap().unwrap();
        assert_eq!(attempts.load(Ordering::SeqCst), 1, "the write had to begin anew");
        migrating.await.unwrap().unwrap().close().await;
        store.read(|c| number(c, "SELECT count(credential_id) AS n FROM session_families")).await.unwrap();
    })
    .await;
}
