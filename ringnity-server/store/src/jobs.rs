//! Jobs: work that nobody waits for, as rows that outlive the process which does it. Recurring jobs, readers of the
//! outbox and single deliveries are all rows of one kind. What a job does, and when again, is not known here.
//!
//! Whoever claims a job holds a [`Lease`] on it for a while. When the holder dies, the job is there to be taken again
//! as soon as the lease lapses; and from the moment somebody else takes it, nothing that the first one does to it
//! counts: every function that takes a lease refuses with [`StoreError::LeaseLost`], which also takes back what else
//! was done in the same transaction. A lease that has lapsed and that nobody took since is still good.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{delete, dsl::update, insert_into, prelude::*};

use crate::{
    engine::{Conn, DbTimestamp, StoreError, StoreResult, on_engine},
    ids::{JobId, LeaseId},
    schema::jobs,
};

/// How many characters of an error are kept.
const ERROR_LENGTH: usize = 500;

/// A running server takes each job as soon as it is due, so this is no hiccup.
const LATE: TimeDelta = TimeDelta::minutes(5);

/// A job.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What is to be done.
    pub kind: String,
    /// To what; there is one job of a kind for each subject. Empty where the kind says it all.
    pub subject: String,
    /// What else the job knows, as JSON text.
    pub payload: String,
    /// When it may next be taken: when it is due, or, while it is leased, when the lease lapses.
    #[diesel(deserialize_as = DbTimestamp)]
    pub run_at: DateTime<Utc>,
    /// How often it was claimed since it last went well.
    pub attempts: i64,
    /// Why it last failed.
    pub last_error: Option<String>,
    /// When it was put here.
    #[diesel(deserialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// When anything about it last changed.
    #[diesel(deserialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
}

/// The right to do one job. Only a claim makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    job: JobId,
    token: LeaseId,
}

/// Jobs that should not have to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Jobs that should have run more than five minutes ago.
    pub late: i64,
    /// Jobs that have failed and are tried again.
    pub failing: i64,
    /// What the last of those failed with.
    pub last_error: Option<String>,
}

/// Puts a job there, unless one of that kind and subject is there already; says whether it was put. Belongs into the
/// transaction that causes it.
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

/// The job of that kind and subject, leased or not.
pub fn job_get(c: &mut Conn, kind: &str, subject: &str) -> StoreResult<Option<Job>> {
    Ok(jobs::table
        .filter(jobs::kind.eq(kind))
        .filter(jobs::subject.eq(subject))
        .select(Job::as_select())
        .first(c)
        .optional()?)
}

/// When the next job of that kind may be taken; `None` where there is none.
pub fn job_next_at(c: &mut Conn, kind: &str) -> StoreResult<Option<DateTime<Utc>>> {
    let next: Option<DbTimestamp> = jobs::table
        .filter(jobs::kind.eq(kind))
        .order(jobs::run_at.asc())
        .select(jobs::run_at)
        .first(c)
        .optional()?;
    Ok(next.map(DateTime::from))
}

/// What there is to worry about, at that time.
pub fn job_backlog(c: &mut Conn, now: DateTime<Utc>) -> StoreResult<Backlog> {
    let failed = jobs::table.filter(jobs::last_error.is_not_null());
    let late = jobs::table.filter(jobs::run_at.lt(DbTimestamp::from(now - LATE))).count().get_result(c)?;
    let failing = failed.filter(jobs::attempts.gt(0)).count().get_result(c)?;
    let last: Option<Option<String>> =
        failed.order(jobs::updated_at.desc()).select(jobs::last_error).first(c).optional()?;
    Ok(Backlog { late, failing, last_error: last.flatten() })
}

/// Makes jobs of that kind due that are waiting for their time, but not those that failed and wait to be tried again.
pub fn job_run_now(c: &mut Conn, kind: &str, now: DateTime<Utc>) -> StoreResult<usize> {
    Ok(update(jobs::table)
        .filter(jobs::kind.eq(kind))
        .filter(jobs::run_at.gt(DbTimestamp::from(now)))
        .filter(jobs::lease.is_null())
        .filter(jobs::attempts.eq(0))
        .set((jobs::run_at.eq(DbTimestamp::from(now)), jobs::updated_at.eq(DbTimestamp::from(now))))
        .execute(c)?)
}

/// Takes the jobs of that kind that are due, at most `limit`, the oldest first, until `lease_ends_at`. No two callers
/// get the same one; on PostgreSQL they do not wait for each other either.
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
    // They come back in any order, and all have one time now.
    claimed.sort_by_key(|job| ids.iter().position(|id| *id == job.id));
    let with_lease = |job: Job| {
        let lease = Lease { job: job.id.clone(), token: token.clone() };
        (job, lease)
    };
    Ok(claimed.into_iter().map(with_lease).collect())
}

/// Holds a job for longer.
pub fn job_extend(
    c: &mut Conn,
    lease: &Lease,
    lease_ends_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    still_held(
        update(jobs::table.find(&lease.job))
            .filter(jobs::lease.eq(&lease.token))
            .set((
                jobs::run_at.eq(DbTimestamp::from(lease_ends_at)),
                jobs::updated_at.eq(DbTimestamp::from(now)),
            ))
            .execute(c)?,
    )
}

/// Keeps how far a job has come; it stays the caller's.
pub fn job_save_progress(c: &mut Conn, lease: &Lease, payload: &str, now: DateTime<Utc>) -> StoreResult<()> {
    still_held(
        update(jobs::table.find(&lease.job))
            .filter(jobs::lease.eq(&lease.token))
            .set((jobs::payload.eq(payload), jobs::updated_at.eq(DbTimestamp::from(now))))
            .execute(c)?,
    )
}

/// The job is over and never comes again.
pub fn job_finish(c: &mut Conn, lease: &Lease) -> StoreResult<()> {
    still_held(
        delete(jobs::table.filter(jobs::id.eq(&lease.job)))
            .filter(jobs::lease.eq(&lease.token))
            .execute(c)?,
    )
}

/// The job went well and comes again at `run_at`, with what it knows now; `None` leaves that as it is.
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
    still_held(
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

/// The job went wrong and is tried again at `again_at`. Keeps the beginning of `error`, for operators.
pub fn job_fail(
    c: &mut Conn,
    lease: &Lease,
    again_at: DateTime<Utc>,
    error: &str,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    // A NUL would make the text unfit for PostgreSQL, and the failure would go unrecorded.
    let error: String = error.chars().filter(|letter| *letter != '\0').take(ERROR_LENGTH).collect();
    still_held(
        update(jobs::table.find(&lease.job))
            .filter(jobs::lease.eq(&lease.token))
            .set((
                jobs::run_at.eq(DbTimestamp::from(again_at)),
                jobs::lease.eq(None::<LeaseId>),
                jobs::last_error.eq(error),
                jobs::updated_at.eq(DbTimestamp::from(now)),
            ))
            .execute(c)?,
    )
}

/// Gives a job back that was not done, for anybody to take at once. That it was claimed does not count.
pub fn job_release(c: &mut Conn, lease: &Lease, now: DateTime<Utc>) -> StoreResult<()> {
    still_held(
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

fn still_held(rows: usize) -> StoreResult<()> {
    if rows > 0 { Ok(()) } else { Err(StoreError::LeaseLost) }
}
