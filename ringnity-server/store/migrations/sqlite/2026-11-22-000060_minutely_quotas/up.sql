-- As the contract calls it.
UPDATE plan_quotas SET reset_period = 'minutely' WHERE reset_period = 'minute';
