//! The columns against the contract. Each table that stores a resource has a column for every member: of its type,
//! required if the member is, and wide enough. The lists below name columns that are called otherwise and members
//! without a column.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{TestServer, on_each_engine};

/// A table and the contract's schema of its rows.
struct StoredResource {
    table: &'static str,
    schema: &'static str,
    /// Members whose column has another name.
    named: &'static [(&'static str, &'static str)],
    /// Members without a column, and why.
    computed: &'static [(&'static str, &'static str)],
}

const STORED: &[StoredResource] = &[
    StoredResource { table: "contacts", schema: "Contact", named: &[], computed: &[] },
    StoredResource { table: "server_credentials", schema: "ServerApiCredential", named: &[], computed: &[] },
    StoredResource {
        table: "oauth_clients",
        schema: "OAuthClient",
        named: &[("type", "client_type")],
        computed: &[("status", "follows from revoked_at")],
    },
    StoredResource {
        table: "device_push_tokens",
        schema: "DevicePushToken",
        named: &[("clientId", "tenant_id")],
        computed: &[],
    },
    StoredResource { table: "tenants", schema: "Tenant", named: &[("clientId", "id")], computed: &[] },
    StoredResource {
        table: "tenants",
        schema: "OwnerClient",
        named: &[("apiKey", "public_key")],
        computed: &[],
    },
    StoredResource {
        table: "agents",
        schema: "AgentProfile",
        named: &[("agentId", "id")],
        computed: &[("departmentName", "is the department's"), ("scopes", "are the token's")],
    },
    StoredResource {
        table: "departments",
        schema: "WorkspaceDepartment",
        named: &[("departmentId", "id")],
        computed: &[],
    },
    StoredResource {
        table: "subscriptions",
        schema: "TenantSubscription",
        named: &[("startedAt", "created_at")],
        computed: &[
            ("planId", "is the tenant's"),
            ("planSlug", "is the plan's"),
            ("planName", "is the plan's"),
            ("features", "are the plan's"),
            ("quotas", "are the plan's"),
        ],
    },
    StoredResource {
        table: "plans",
        schema: "PlanContractPlan",
        named: &[("planId", "id")],
        computed: &[("features", "are rows of plan_features"), ("quotas", "are rows of plan_quotas")],
    },
    StoredResource { table: "plan_features", schema: "PlanFeatureContract", named: &[], computed: &[] },
    StoredResource { table: "plan_quotas", schema: "PlanQuotaContract", named: &[], computed: &[] },
    StoredResource {
        table: "plan_feature_keys",
        schema: "PlanContractFeatureKey",
        named: &[],
        computed: &[],
    },
    StoredResource { table: "plan_quota_keys", schema: "PlanContractQuotaKey", named: &[], computed: &[] },
];

/// A member in the contract.
struct Member {
    kind: &'static str,
    required: bool,
    max_length: Option<u64>,
    values: Vec<String>,
}

fn contract() -> Value {
    serde_json::from_str(ringnity_api::CONTRACT).expect("the contract is JSON")
}

/// Resolves references and alternatives; returns the schema and whether it may be null.
fn plain(contract: &Value, schema: &Value) -> (Value, bool) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target =
            contract.pointer(reference.trim_start_matches('#')).expect("a reference leads somewhere");
        return plain(contract, target);
    }
    for list in ["anyOf", "oneOf"] {
        let Some(alternatives) = schema[list].as_array() else { continue };
        let null = |one: &&Value| one["type"] == "null";
        let others: Vec<&Value> = alternatives.iter().filter(|one| !null(one)).collect();
        assert_eq!(others.len(), 1, "a column holds one kind of value: {schema}");
        return (plain(contract, others[0]).0, alternatives.iter().any(|one| null(&one)));
    }
    let nullable = schema["type"].as_array().is_some_and(|types| types.iter().any(|one| one == "null"));
    (schema.clone(), nullable)
}

/// The members of a schema, including those of its parts.
fn members(contract: &Value, name: &str) -> BTreeMap<String, Member> {
    fn collect(
        contract: &Value,
        schema: &Value,
        into: &mut BTreeMap<String, Value>,
        required: &mut BTreeSet<String>,
    ) {
        let (schema, _) = plain(contract, schema);
        for part in schema["allOf"].as_array().into_iter().flatten() {
            collect(contract, part, into, required);
        }
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            into.insert(name.clone(), member.clone());
        }
        required.extend(
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned),
        );
    }
    let (mut found, mut required) = (BTreeMap::new(), BTreeSet::new());
    let schema = &contract["components"]["schemas"][name];
    assert!(schema.is_object(), "the contract has no schema {name}");
    collect(contract, schema, &mut found, &mut required);
    let member = |(name, schema): (String, Value)| {
        let (schema, nullable) = plain(contract, &schema);
        let type_ = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("object");
        let kind = match (type_, schema["format"].as_str()) {
            ("string", Some("date-time")) => "time",
            ("string" | "array" | "object", _) => "text",
            ("integer", _) => "number",
            ("boolean", _) => "boolean",
            (other, _) => panic!("{name}: no column is for {other}"),
        };
        let list = schema["enum"].as_array().into_iter().flatten();
        let member = Member {
            kind,
            required: required.contains(&name) && !nullable,
            max_length: schema["maxLength"].as_u64(),
            values: list.filter_map(Value::as_str).map(str::to_owned).collect(),
        };
        (name, member)
    };
    found.into_iter().map(member).collect()
}

impl StoredResource {
    /// The column of a member; none if the member is computed.
    fn column(&self, member: &str) -> Option<String> {
        if self.computed.iter().any(|(made, _)| *made == member) {
            return None;
        }
        let named = self.named.iter().find(|(named, _)| *named == member);
        Some(named.map_or_else(|| snake(member), |(_, column)| (*column).to_owned()))
    }
}

fn snake(member: &str) -> String {
    let mut out = String::new();
    for letter in member.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// The length limit of a column type such as `character varying(64)`.
fn width(type_: &str) -> Option<u64> {
    type_.split_once('(')?.1.trim_end_matches(')').parse().ok()
}

#[test]
fn every_stored_member_has_fitting_column() {
    let contract = contract();
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).start().await;
        let (schema, engine) = (server.database().schema(), server.database().engine());
        let (mut wrong, mut compared) = (Vec::new(), 0);
        for stored in STORED {
            let members = members(&contract, stored.schema);
            for name in stored.named.iter().chain(stored.computed).map(|(member, _)| *member) {
                assert!(members.contains_key(name), "{} has no member {name} any more", stored.schema);
            }
            for (name, member) in members {
                let Some(column) = stored.column(&name) else { continue };
                let of = format!("{}.{name} in {}.{column}", stored.schema, stored.table);
                let prefix = format!("column {}.{column} ", stored.table);
                let Some(facts) = schema.iter().find_map(|fact| fact.strip_prefix(&prefix)) else {
                    wrong.push(format!("{of}: there is no such column"));
                    continue;
                };
                compared += 1;
                let (type_, required) =
                    facts.strip_suffix(" required").map_or((facts, false), |type_| (type_, true));
                let kind = if type_.starts_with("character") { "text" } else { type_ };
                if kind != member.kind {
                    wrong.push(format!("{of}: the contract says {}, the column is {type_}", member.kind));
                }
                if member.required && !required {
                    wrong.push(format!("{of}: is required, and the column may be null"));
                }
                let longest =
                    member.max_length.into_iter().chain(member.values.iter().map(|value| value.len() as u64));
                if let Some(width) = width(type_)
                    && longest.max().is_some_and(|longest| longest > width)
                {
                    wrong.push(format!("{of}: the column takes {width} characters and the contract more"));
                }
            }
        }
        assert!(wrong.is_empty(), "{engine}:\n{}", wrong.join("\n"));
        assert!(compared > 90, "{compared}");
        ringnity_store::print_always!("{engine}: {compared} members compared with their columns");
    });
}

#[test]
fn stored_values_are_in_enum_of_member() {
    let contract = contract();
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        // Beside the fixtures: one of each resource that an operation makes.
        let contact = serde_json::json!({ "name": "Ada", "phone": "1" });
        server.post("/api/server/contacts").bearer(server.key()).json(&contact).send().await.ok();
        let device =
            serde_json::json!({ "platform": "android", "token": "device-token-1", "deviceId": "one" });
        let session = server.visitor_session(&serde_json::json!({ "slug": "acme" })).await;
        let path = "/api/sdk/devices/push-token";
        server
            .post(path)
            .header("x-ringnity-sdk-session", &session)
            .json(&device)
            .send()
            .await
            .status(reqwest::StatusCode::CREATED);
        let rows = server.database().dump();
        let mut looked_at = BTreeSet::new();
        for stored in STORED {
            for (name, member) in members(&contract, stored.schema) {
                let Some(column) = stored.column(&name).filter(|_| !member.values.is_empty()) else {
                    continue;
                };
                for row in rows.get(stored.table).into_iter().flatten() {
                    let Some(value) = row[column.as_str()].as_str() else { continue };
                    looked_at.insert(format!("{}.{column}", stored.table));
                    let listed = member.values.iter().any(|known| known == value);
                    assert!(
                        listed,
                        "{}.{column} holds {value}, which {} does not list",
                        stored.table, stored.schema
                    );
                }
            }
        }
        ringnity_store::print_always!("looked at {looked_at:?}");
        for column in [
            "agents.role",
            "contacts.source",
            "device_push_tokens.platform",
            "server_credentials.environment",
        ] {
            assert!(looked_at.contains(column), "{column} was empty: {looked_at:?}");
        }
    });
}
