-- Only those whom nobody vouched for are looked for by when they were last seen.
DROP INDEX visitors_last_seen_at_idx;
CREATE INDEX visitors_last_seen_at_idx ON visitors (last_seen_at) WHERE external_id IS NULL;

-- What such a visitor said of itself is no identity, and nothing may be sent by it.
UPDATE device_push_tokens SET external_id = NULL
WHERE subject_kind = 'visitor' AND NOT EXISTS (
    SELECT 1 FROM visitors
    WHERE visitors.tenant_id = device_push_tokens.tenant_id
        AND visitors.id = device_push_tokens.subject_id
        AND visitors.external_id IS NOT NULL
);
