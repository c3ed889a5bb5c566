//! Background jobs, stored as rows. Recurring jobs, outbox consumers and single deliveries are rows of the same table.
//! Callers decide what a job does and when it runs again.
//!
//! A worker that claims a job gets a [`Lease`]. If the worker dies, the job can be claimed again when the lease expires.
//! Once another worker has claimed it, every function that takes the old lease returns [`StoreError::LeaseLost`], which
//! also rolls back the rest of the transaction. An expired lease is valid as long as no other worker has claimed the
//! job.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{delete, dsl::update, insert_into, prelude::*};

use crate::{
    engine::{Conn, DbTimestamp, StoreError, StoreResult, on_engine},
    ids::{JobId, LeaseId},
    schema::jobs,
};

/// Characters of an error message that are stored.
const MAX_ERROR_LENGTH: usize = 500;

/// A job this long past its time counts as overdue. A running server claims jobs as soon as they are due.
const OVERDUE_AFTER: TimeDelta = TimeDelta::minutes(5);

/// A job.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub struct Job {
    /// Job id.
    pub id: JobId,
    /// Kind of the job, which selects the code that runs it.
    pub kind: String,
    /// What the job is for; kind and subject are unique together. Empty for a kind that has a single job.
    pub subject: String,
    /// State of the job, as JSON text.
    pub payload: String,
    /// When it can be claimed next: when it is due or, while it is leased, when the lease expires.
    #[diesel(deserialize_as = DbTimestamp)]
    pub run_at: DateTime<Utc>,
    /// Claims since the last success.
    pub attempts: i64,
    /// Message of the last failure, cleared by the next success.
    pub last_error: Option<String>,
    /// Creation time.
    #[diesel(deserialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// Time of the last change.
    #[diesel(deserialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
}

/// The right of a worker to run one job. [`job_claim`] creates it.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    job: JobId,
    token: LeaseId,
}

/// Overdue and failing jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Jobs that are overdue by more than five minutes.
    pub late: i64,
    /// Jobs that have failed and will be retried.
    pub failing: i64,
    /// Message of the latest failure.
    pub last_error: Option<String>,
}

/// Inserts a job unless one with the same kind and subject exists. Returns whether it was inserted. Call it in the
/// transaction that causes the job.
pub fn job_put(
    c: &mut Conn,
    kind: &str,
    subject: &str,
    payload: &str,
    run_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> StoreResult<bool> {
    let id = JobId::generate();
    let row = (
        jobs::id.eq(&id),
        jobs::kind.eq(kind),
        jobs::subject.eq(subject),
        jobs::payload.eq(payload),
        jobs::run_at.eq(DbTimestamp::from(run_at)),
        jobs::attempts.eq(0_i64),
        jobs::created_at.eq(DbTimestamp::from(now)),
        jobs::updated_at.eq(DbTimestamp::from(now)),
    );
    let put = on_engine!(c, c => insert_into(jobs::table)
        .values(row)
        .on_conflict((jobs::kind, jobs::subject))
        .do_nothing()
        .execute(c))?;
    Ok(put > 0)
}

/// The job with this kind and subject, leased or not, if any.
pub fn job_get(c: &mut Conn, kind: &str, subject: &str) -> StoreResult<Option<Job>> {
    Ok(jobs::table
        .filter(jobs::kind.eq(kind))
        .filter(jobs::subject.eq(subject))
        .select(Job::as_select())
        .first(c)
        .optional()?)
}

/// When the next job of this kind can be claimed; `None` if there is no job.
pub fn job_next_at(c: &mut Conn, kind: &str) -> StoreResult<Option<DateTime<Utc>>> {
    let next: Option<DbTimestamp> = jobs::table
        .filter(jobs::kind.eq(kind))
        .order(jobs::run_at.asc())
        .select(jobs::run_at)
        .first(c)
        .optional()?;
    Ok(next.map(DateTime::from))
}

/// Overdue and failing jobs at `now`.
pub fn job_backlog(c: &mut Conn, now: DateTime<Utc>) -> StoreResult<Backlog> {
    let failed = jobs::table.filter(jobs::last_error.is_not_null());
    let late =
        jobs::table.filter(jobs::run_at.lt(DbTimestamp::from(now - OVERDUE_AFTER))).count().get_result(c)?;
    let failing = failed.filter(jobs::attempts.gt(0)).count().get_result(c)?;
    let last: Option<Option<String>> =
        failed.order(jobs::updated_at.desc()).select(jobs::last_error).first(c).optional()?;
    Ok(Backlog { late, failing, last_error: last.flatten() })
}

/// Makes waiting jobs of this kind due now, except those that wait for a retry. Returns how many.
pub fn job_run_now(c: &mut Conn, kind: &str, now: DateTime<Utc>) -> StoreResult<usize> {
    Ok(update(jobs::table)
        .filter(jobs::kind.eq(kind))
        .filter(jobs::run_at.gt(DbTimestamp::from(now)))
        .filter(jobs::lease.is_null())
        .filter(jobs::attempts.eq(0))
        .set((jobs::run_at.eq(DbTimestamp::from(now)), jobs::updated_at.eq(DbTimestamp::from(now))))
        .execute(c)?)
}

/// Claims due jobs of this kind until `lease_ends_at`, at most `limit`, oldest first. No two callers claim the same job.
/// On PostgreSQL they do not wait for each other.
pub fn job_claim(
    c: &mut Conn,
    kind: &str,
    limit: i64,
    lease_ends_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> StoreResult<Vec<(Job, Lease)>> {
    let due = jobs::table
        .filter(jobs::kind.eq(kind))
        .filter(jobs::run_at.le(DbTimestamp::from(now)))
        .order((jobs::run_at.asc(), jobs::id.asc()))
        .limit(limit.max(0))
        .select(jobs::id);
    let ids: Vec<JobId> = match c {
        Conn::Postgres(c) => due.for_update().skip_locked().load(c)?,
        Conn::Sqlite(c) => due.load(c)?,
    };
    let token = LeaseId::generate();
    let mut claimed: Vec<Job> = on_engine!(c, c => update(jobs::table.filter(jobs::id.eq_any(&ids)))
        .set((
            jobs::run_at.eq(DbTimestamp::from(lease_ends_at)),
            jobs::attempts.eq(jobs::attempts + 1),
            jobs::lease.eq(&token),
            jobs::updated_at.eq(DbTimestamp::from(now)),
        ))
        .returning(Job::as_returning())
        .get_results(c))?;
    // `RETURNING` has no order, and `run_at` is the same for all now.
    claimed.sort_by_key(|job| ids.iter().position(|id| *id == job.id));
    let with_lease = |job: Job| {
        let lease = Lease { job: job.id.clone(), token: token.clone() };
        (job, lease)
    };
    Ok(claimed.into_iter().map(with_lease).collect())
}

/// Extends a lease.
pub fn job_extend(
    c: &mut Conn,
    lease: &Lease,
    lease_ends_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    ensure_lease_held(
        update(jobs::table.find(&lease.job))
            .filter(jobs::lease.eq(&lease.token))
            .set((
                jobs::run_at.eq(DbTimestamp::from(lease_ends_at)),
                jobs::updated_at.eq(DbTimestamp::from(now)),
            ))
            .execute(c)?,
    )
}

/// Stores the state of a job and keeps the lease.
pub fn job_save_progress(c: &mut Conn, lease: &Lease, payload: &str, now: DateTime<Utc>) -> StoreResult<()> {
    ensure_lease_held(
        update(jobs::table.find(&lease.job))
            .filter(jobs::lease.eq(&lease.token))
            .set((jobs::payload.eq(payload), jobs::updated_at.eq(DbTimestamp::from(now))))
            .execute(c)?,
    )
}

/// Deletes a completed job.
pub fn job_finish(c: &mut Conn, lease: &Lease) -> StoreResult<()> {
    ensure_lease_held(
        delete(jobs::table.filter(jobs::id.eq(&lease.job)))
            .filter(jobs::lease.eq(&lease.token))
            .execute(c)?,
    )
}

/// Records a success, releases the lease and schedules the next run. A `payload` of `None` keeps the state.
pub fn job_reschedule(
    c: &mut Conn,
    lease: &Lease,
    run_at: DateTime<Utc>,
    payload: Option<&str>,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    if let Some(payload) = payload {
        job_save_progress(c, lease, payload, now)?;
    }
    ensure_lease_held(
        update(jobs::table.find(&lease.job))
            .filter(jobs::lease.eq(&lease.token))
            .set((
                jobs::run_at.eq(DbTimestamp::from(run_at)),
                jobs::attempts.eq(0),
                jobs::lease.eq(None::<LeaseId>),
                jobs::last_error.eq(None::<String>),
                jobs::updated_at.eq(DbTimestamp::from(now)),
            ))
            .execute(c)?,
    )
}

/// Records a failure, releases the lease and schedules a retry. Stores the first 500 characters of `error` for operators.
pub fn job_fail(
    c: &mut Conn,
    lease: &Lease,
    retry_at: DateTime<Utc>,
    error: &str,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    // PostgreSQL cannot store a NUL, and the failure would not be recorded.
    let error: String = error.chars().filter(|letter| *letter != '\0').take(MAX_ERROR_LENGTH).collect();
    ensure_lease_held(
        update(jobs::table.find(&lease.job))
            .filter(jobs::lease.eq(&lease.token))
            .set((
                jobs::run_at.eq(DbTimestamp::from(retry_at)),
                jobs::lease.eq(None::<LeaseId>),
                jobs::last_error.eq(error),
                jobs::updated_at.eq(DbTimestamp::from(now)),
            ))
            .execute(c)?,
    )
}

/// Releases a job that was not run, so that it can be claimed at once. The claim does not count as an attempt.
pub fn job_release(c: &mut Conn, lease: &Lease, now: DateTime<Utc>) -> StoreResult<()> {
    ensure_lease_held(
        update(jobs::table.find(&lease.job))
            .filter(jobs::lease.eq(&lease.token))
            .set((
                jobs::run_at.eq(DbTimestamp::from(now)),
                jobs::attempts.eq(jobs::attempts - 1),
                jobs::lease.eq(None::<LeaseId>),
                jobs::updated_at.eq(DbTimestamp::from(now)),
            ))
            .execute(c)?,
    )
}

fn ensure_lease_held(rows: usize) -> StoreResult<()> {
    if rows > 0 { Ok(()) } else { Err(StoreError::LeaseLost) }
}
