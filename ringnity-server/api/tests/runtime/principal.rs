//! Principals of the document.

use crate::runtime::Scoped;

#[derive(Debug, Clone)]
pub struct UserPrincipal {
    pub name: String,
    pub scopes: Vec<String>,
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

impl Scoped for UserPrincipal {
    fn holds(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }
}

impl Scoped for GuestPrincipal {}
impl Scoped for StaffPrincipal {
    fn role(&self) -> Option<&str> {
        Some(&self.role)
    }
}
