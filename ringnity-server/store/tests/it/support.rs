//! Shared helpers.

use chrono::{DateTime, TimeZone, Utc};
use ringnity_store::{
    Conn, PlanId, Store, StoreError, TenantId, tenants,
    testing::{TestDatabase, engines},
};

/// Runs the test on each engine, with a fresh database.
pub(crate) async fn on_each_engine(test: impl AsyncFn(Store, &TestDatabase)) {
    for engine in engines() {
        let database = TestDatabase::new(engine);
        let store = Store::open(database.config()).await.unwrap();
        test(store.clone(), &database).await;
        store.close().await;
    }
}

pub(crate) fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
}

pub(crate) fn tenant_on(c: &mut Conn, slug: &str) -> Result<TenantId, StoreError> {
    let new = tenants::NewTenant::new(
        slug,
        format!("pk_{slug}"),
        format!("{slug}@example.com"),
        PlanId::from("pln_free"),
    );
    Ok(tenants::tenant_insert(c, &new, noon())?.id)
}

pub(crate) async fn tenant(store: &Store, slug: &str) -> TenantId {
    let slug = slug.to_owned();
    store.write(move |c| tenant_on(c, &slug)).await.unwrap()
}

/// Runs a query with one integer column `n`.
pub(crate) fn number(c: &mut Conn, sql: &str) -> Result<i64, StoreError> {
    use diesel::prelude::*;
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    Ok(diesel::sql_query(sql).get_result::<Row>(c)?.n)
}

pub(crate) fn run(c: &mut Conn, sql: &str) -> Result<(), StoreError> {
    use diesel::connection::SimpleConnection;
    Ok(c.batch_execute(sql)?)
}
