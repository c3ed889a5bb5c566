DROP INDEX visitors_last_seen_at_idx;
