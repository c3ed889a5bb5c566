//! Principals: one type per kind of credential, so that no handler mistakes one kind for another.

use ringnity_domain::{
    AgentId, DepartmentId, Feature, Features, OwnerId, PlatformAdminId, ServerCredentialId, SessionFamilyId,
    TenantId, VisitorId,
};

use crate::runtime::Permissions;

/// A customer's backend, by its Server API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPrincipal {
    /// Tenant of the key.
    pub tenant: TenantId,
    /// Features of the tenant's plan.
    pub features: Features,
    /// The key's id, not the key.
    pub credential_id: ServerCredentialId,
    /// `server:` scopes.
    pub scopes: Vec<String>,
}

/// A visitor of a tenant's site or app, by an SDK session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitorPrincipal {
    /// Tenant of the session.
    pub tenant: TenantId,
    /// Features of the tenant's plan.
    pub features: Features,
    /// The session's id.
    pub session_id: SessionFamilyId,
    /// The visitor, the same over sessions of one verified identity.
    pub visitor_id: VisitorId,
    /// The identity that the customer's backend vouches for.
    pub external_id: Option<String>,
}

/// A person who answers conversations, by an agent token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentPrincipal {
    /// Tenant of the agent.
    pub tenant: TenantId,
    /// Features of the tenant's plan.
    pub features: Features,
    /// The token's session.
    pub session_id: SessionFamilyId,
    /// The agent.
    pub agent_id: AgentId,
    /// Role in the tenant: decides which conversations are visible.
    pub role: String,
    /// Department, when the agent has one.
    pub department_id: Option<DepartmentId>,
    /// What the customer's backend calls the agent, when it said so.
    pub name: Option<String>,
    /// `agent:` scopes.
    pub scopes: Vec<String>,
}

/// A tenant's administration, by an admin token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminPrincipal {
    /// Tenant of the token.
    pub tenant: TenantId,
    /// Features of the tenant's plan.
    pub features: Features,
    /// The token's session.
    pub session_id: SessionFamilyId,
    /// Who acts, the same over all tokens of one person: an agent, or whom the customer's backend names.
    pub subject: String,
    /// The agent behind it, when there is one.
    pub agent_id: Option<AgentId>,
    /// User name of that agent.
    pub username: Option<String>,
    /// Who acts, in the words of the customer's backend.
    pub actor_id: Option<String>,
    /// What the customer's backend calls the person, when it said so.
    pub name: Option<String>,
    /// Role in which it acts.
    pub role: String,
    /// `admin:` scopes.
    pub scopes: Vec<String>,
}

/// The owner of a tenant, signed in to the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerPrincipal {
    /// The owned tenant.
    pub tenant: TenantId,
    /// Features of the tenant's plan.
    pub features: Features,
    /// The owner.
    pub owner_id: OwnerId,
    /// The session (family of refresh tokens).
    pub session_id: SessionFamilyId,
}

/// An agent signed in to the dashboard's workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspacePrincipal {
    /// Tenant of the workspace.
    pub tenant: TenantId,
    /// Features of the tenant's plan.
    pub features: Features,
    /// The agent.
    pub agent_id: AgentId,
    /// Role in the tenant.
    pub role: String,
    /// Department, when the agent has one.
    pub department_id: Option<DepartmentId>,
    /// The session (family of refresh tokens).
    pub session_id: SessionFamilyId,
}

/// An administrator of the platform itself. Belongs to no tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformPrincipal {
    /// The administrator.
    pub admin_id: PlatformAdminId,
    /// The session (family of refresh tokens).
    pub session_id: SessionFamilyId,
}

/// An application that someone signed in to with Ringnity, by an OAuth access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthPrincipal {
    /// Tenant of the person.
    pub tenant: TenantId,
    /// Features of the tenant's plan.
    pub features: Features,
    /// The application.
    pub client_id: String,
    /// The person.
    pub subject: String,
    /// The grant that the token came from.
    pub grant_id: String,
    /// OAuth scopes.
    pub scopes: Vec<String>,
}

fn includes(features: Features, key: &str) -> bool {
    Feature::from_key(key).is_some_and(|feature| features.contains(feature))
}

macro_rules! with_scopes {
    ($($principal:ty),*) => {
        $(impl Permissions for $principal {
            fn has_scope(&self, scope: &str) -> bool {
                self.scopes.iter().any(|held| held == scope)
            }

            fn has_feature(&self, feature: &str) -> bool {
                includes(self.features, feature)
            }
        })*
    };
}

with_scopes!(ServerPrincipal, AgentPrincipal, AdminPrincipal, OauthPrincipal);

macro_rules! without_scopes {
    ($($principal:ty),*) => {
        $(impl Permissions for $principal {
            fn has_feature(&self, feature: &str) -> bool {
                includes(self.features, feature)
            }
        })*
    };
}

without_scopes!(VisitorPrincipal, OwnerPrincipal);

impl Permissions for WorkspacePrincipal {
    fn role(&self) -> Option<&str> {
        Some(&self.role)
    }

    fn has_feature(&self, feature: &str) -> bool {
        includes(self.features, feature)
    }
}

impl Permissions for PlatformPrincipal {}
