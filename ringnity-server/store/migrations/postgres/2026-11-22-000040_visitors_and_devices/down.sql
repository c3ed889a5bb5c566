DROP INDEX tenant_domains_domain_idx;
DROP TABLE device_push_tokens;
DROP TABLE visitor_contexts;
DROP TABLE visitors;
