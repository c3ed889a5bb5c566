//! Principals of the document.

use crate::runtime::Permissions;

#[derive(Debug, Clone)]
pub struct UserPrincipal {
    pub name: String,
    pub scopes: Vec<String>,
    /// Whether the plan includes pins.
    pub has_pins: bool,
}

#[derive(Debug, Clone)]
pub struct GuestPrincipal {
    pub name: String,
}

#[derive(Debug, Clone)]
pub struct StaffPrincipal {
    pub name: String,
    pub role: String,
}

impl Permissions for UserPrincipal {
    fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }

    fn has_feature(&self, feature: &str) -> bool {
        self.has_pins && feature == "pins"
    }
}

impl Permissions for GuestPrincipal {
    fn has_feature(&self, feature: &str) -> bool {
        self.name != "free" && feature == "sessions"
    }
}

impl Permissions for StaffPrincipal {
    fn role(&self) -> Option<&str> {
        Some(&self.role)
    }

    fn has_feature(&self, feature: &str) -> bool {
        feature == "sessions"
    }
}
