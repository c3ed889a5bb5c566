DROP TABLE sign_in_places;
DROP TABLE rate_buckets;
DROP TABLE idempotency_keys;
