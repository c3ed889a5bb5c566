UPDATE plan_quotas SET limit_value = 60
WHERE plan_id = 'pln_free' AND quota_key = 'api_requests_per_minute' AND limit_value = 300;
