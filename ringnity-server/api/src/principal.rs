//! Who calls: one type per kind of credential, so that no handler takes one kind for another. How a
//! credential becomes a principal is the server's to judge.

use std::fmt;

use crate::runtime::Scoped;

/// The tenant that a principal acts in. Not a plain text, so that no other id is taken for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(String);

impl Tenant {
    /// The tenant's id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Tenant {
    fn from(id: T) -> Self {
        Self(id.into())
    }
}

impl AsRef<str> for Tenant {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A customer's backend, by its Server API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPrincipal {
    /// Tenant of the key.
    pub tenant: Tenant,
    /// The key's id, not the key.
    pub credential_id: String,
    /// `server:` scopes.
    pub scopes: Vec<String>,
}

/// A visitor of a tenant's site or app, by an SDK session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitorPrincipal {
    /// Tenant of the session.
    pub tenant: Tenant,
    /// The session's id.
    pub session_id: String,
    /// The visitor, the same over sessions of one verified identity.
    pub visitor_id: String,
    /// The identity that the customer's backend vouches for.
    pub external_id: Option<String>,
}

/// A person who answers conversations, by an agent token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentPrincipal {
    /// Tenant of the agent.
    pub tenant: Tenant,
    /// The token's session.
    pub session_id: String,
    /// The agent.
    pub agent_id: String,
    /// Role in the tenant: decides which conversations are visible.
    pub role: String,
    /// Department, when the agent has one.
    pub department_id: Option<String>,
    /// What the customer's backend calls the agent, when it said so.
    pub name: Option<String>,
    /// `agent:` scopes.
    pub scopes: Vec<String>,
}

/// A tenant's administration, by an admin token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminPrincipal {
    /// Tenant of the token.
    pub tenant: Tenant,
    /// The token's session.
    pub session_id: String,
    /// Who acts, the same over all tokens of one person: an agent, or whom the customer's backend names.
    pub subject: String,
    /// The agent behind it, when there is one.
    pub agent_id: Option<String>,
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
    pub tenant: Tenant,
    /// The owner.
    pub owner_id: String,
    /// The session (family of refresh tokens).
    pub session_id: String,
}

/// An agent signed in to the dashboard's workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspacePrincipal {
    /// Tenant of the workspace.
    pub tenant: Tenant,
    /// The agent.
    pub agent_id: String,
    /// Role in the tenant.
    pub role: String,
    /// Department, when the agent has one.
    pub department_id: Option<String>,
    /// The session (family of refresh tokens).
    pub session_id: String,
}

/// An administrator of the platform itself. Belongs to no tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformPrincipal {
    /// The administrator.
    pub admin_id: String,
    /// The session (family of refresh tokens).
    pub session_id: String,
}

/// An application that someone signed in to with Ringnity, by an OAuth access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthPrincipal {
    /// Tenant of the person.
    pub tenant: Tenant,
    /// The application.
    pub client_id: String,
    /// The person.
    pub subject: String,
    /// The grant that the token came from.
    pub grant_id: String,
    /// OAuth scopes.
    pub scopes: Vec<String>,
}

macro_rules! scoped {
    ($($principal:ty),*) => {
        $(impl Scoped for $principal {
            fn holds(&self, scope: &str) -> bool {
                self.scopes.iter().any(|held| held == scope)
            }
        })*
    };
}

scoped!(ServerPrincipal, AgentPrincipal, AdminPrincipal, OauthPrincipal);

impl Scoped for WorkspacePrincipal {
    fn role(&self) -> Option<&str> {
        Some(&self.role)
    }
}

impl Scoped for VisitorPrincipal {}
impl Scoped for OwnerPrincipal {}
impl Scoped for PlatformPrincipal {}
