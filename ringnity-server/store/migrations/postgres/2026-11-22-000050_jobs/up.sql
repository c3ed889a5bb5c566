-- Work that nobody waits for. run_at is when a job may next be taken: when it is due, or, while somebody has it, when
-- their lease lapses. lease is a word that only they know; what they do to the row counts only as long as it is there.
CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    payload TEXT NOT NULL,
    run_at TIMESTAMPTZ NOT NULL,
    attempts BIGINT NOT NULL,
    lease TEXT,
    last_error TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX jobs_kind_subject_key ON jobs (kind, subject);
CREATE INDEX jobs_kind_run_at_idx ON jobs (kind, run_at);

-- In which order events may be read without missing one: by transaction, then by sequence. Once every transaction
-- below a number has ended, no event of a lower number can appear any more; sequences promise no such thing. What
-- was there before comes first, by a default that touches no row.
ALTER TABLE events ADD COLUMN transaction_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE events ALTER COLUMN transaction_id SET DEFAULT (pg_current_xact_id()::text::bigint);
CREATE INDEX events_transaction_id_sequence_idx ON events (transaction_id, sequence);
