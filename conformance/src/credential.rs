//! A credential of a run, with its scopes, its role and the way it is rejected.

use crate::contract::Operation;
use crate::flows::Refusal;

/// A credential from the inputs or from a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Name in reports.
    pub name: String,
    /// The name of its kind.
    pub kind: String,
    /// The credential itself.
    pub value: String,
    /// Scopes; `None` means all.
    pub scopes: Option<Vec<String>>,
    /// The role in which it acts, if known.
    pub role: Option<String>,
    /// Why it is invalid, such as `revoked` or `expired`; `None` when it is valid.
    pub state: Option<String>,
    /// How it is rejected although it is valid, such as 403 for a disabled tenant.
    pub refused: Option<Refusal>,
}

impl Credential {
    /// Whether it is accepted where its scopes and its role suffice.
    pub fn is_usable(&self) -> bool {
        self.state.is_none() && self.refused.is_none()
    }

    /// Whether its role may call the operation. An unknown role may.
    pub fn acts_for(&self, operation: &Operation) -> bool {
        let roles = &operation.access.roles;
        roles.is_empty() || self.role.as_ref().is_none_or(|role| roles.contains(role))
    }

    /// How the operation rejects it although it is valid.
    pub fn refusal_by(&self, operation: &Operation) -> Option<&Refusal> {
        self.refused.as_ref().filter(|refusal| refusal.applies_to(&operation.id))
    }
}
