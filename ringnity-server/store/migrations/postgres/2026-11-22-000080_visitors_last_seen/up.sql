-- Those whom nobody vouched for are forgotten some time after they were last seen.
CREATE INDEX visitors_last_seen_at_idx ON visitors (last_seen_at);
