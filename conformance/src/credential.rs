//! A credential that a run has: what its holder may do, and how it is refused where it is.

use crate::contract::Operation;
use crate::flows::Refusal;

/// A credential that was found or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// How reports call it.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its text.
    pub value: String,
    /// Its scopes; all when `None`.
    pub scopes: Option<Vec<String>>,
    /// The role in which it acts, when that is known.
    pub role: Option<String>,
    /// Why it must be refused.
    pub state: Option<String>,
    /// How it is refused although it is known.
    pub refused: Option<Refusal>,
}

impl Credential {
    /// Whether it opens what it has the scopes for.
    pub fn is_usable(&self) -> bool {
        self.state.is_none() && self.refused.is_none()
    }

    /// Whether it acts in a role in which the operation may be called. One whose role is not known does.
    pub fn acts_for(&self, operation: &Operation) -> bool {
        let roles = &operation.access.roles;
        roles.is_empty() || self.role.as_ref().is_none_or(|role| roles.contains(role))
    }

    /// How an operation refuses it although it is known.
    pub fn refusal_by(&self, operation: &Operation) -> Option<&Refusal> {
        self.refused.as_ref().filter(|refusal| refusal.is_of(&operation.id))
    }
}
