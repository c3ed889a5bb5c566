DROP TABLE owner_agents;
DROP TABLE owner_identities;
DROP TABLE workspace_entry_tokens;
