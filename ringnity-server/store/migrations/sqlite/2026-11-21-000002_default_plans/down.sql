DELETE FROM plan_quotas;
DELETE FROM plan_features;
DELETE FROM plan_quota_keys;
DELETE FROM plan_feature_keys;
DELETE FROM plans;
