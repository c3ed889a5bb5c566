-- What is usual is 300 a minute; a plan that an operator has changed stays as it is.
UPDATE plan_quotas SET limit_value = 300
WHERE plan_id = 'pln_free' AND quota_key = 'api_requests_per_minute' AND limit_value = 60;
