//! TLS to PostgreSQL, with the feature `postgres-tls`: `cargo test -p ringnity-store --features postgres-tls --test it tls`,
//! with a server that has `ssl = on`.

use ringnity_store::{Engine, Store, StoreConfig, StoreError};

use crate::support::{number, on_each_engine};

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(feature = "postgres-tls"), ignore = "needs the feature postgres-tls")]
async fn sslmode_require_encrypts_and_verify_full_rejects() {
    on_each_engine(async |_, database| {
        if database.engine() == Engine::Sqlite {
            return;
        }
        let config = StoreConfig::new(&format!("{}?sslmode=require", database.url())).unwrap();
        let store = Store::open(&config).await.unwrap();
        let encrypted = "SELECT count(*) AS n FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
        assert_eq!(store.read(|c| number(c, encrypted)).await.unwrap(), 1);
        store.close().await;

        // The certificate of a test server is not signed by a known CA.
        let url = format!("{}?sslmode=verify-full&sslrootcert=/dev/null", database.url());
        let error = Store::open(&StoreConfig::new(&url).unwrap()).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    })
    .await;
}
