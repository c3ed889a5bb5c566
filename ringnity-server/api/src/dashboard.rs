//! What the principals of the dashboard, owners and workspace users, have in common.

use ringnity_domain::{Features, TenantId};

use crate::generated::OwnerOrWorkspace;

impl OwnerOrWorkspace {
    /// The tenant of the dashboard.
    pub fn tenant(&self) -> &TenantId {
        match self {
            Self::Owner(owner) => &owner.tenant,
            Self::Workspace(agent) => &agent.tenant,
        }
    }

    /// The tenant of the dashboard, by value.
    pub fn into_tenant(self) -> TenantId {
        match self {
            Self::Owner(owner) => owner.tenant,
            Self::Workspace(agent) => agent.tenant,
        }
    }

    /// Features of the tenant's plan.
    pub fn features(&self) -> Features {
        match self {
            Self::Owner(owner) => owner.features,
            Self::Workspace(agent) => agent.features,
        }
    }
}
