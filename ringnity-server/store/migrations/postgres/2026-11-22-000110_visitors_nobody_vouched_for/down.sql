DROP INDEX visitors_last_seen_at_idx;
CREATE INDEX visitors_last_seen_at_idx ON visitors (last_seen_at);
