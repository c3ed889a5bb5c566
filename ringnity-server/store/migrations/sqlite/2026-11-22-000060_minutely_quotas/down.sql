UPDATE plan_quotas SET reset_period = 'minute' WHERE reset_period = 'minutely';
