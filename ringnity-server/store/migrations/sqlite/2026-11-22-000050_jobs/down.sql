DROP INDEX events_transaction_id_sequence_idx;
ALTER TABLE events DROP COLUMN transaction_id;
DROP TABLE jobs;
