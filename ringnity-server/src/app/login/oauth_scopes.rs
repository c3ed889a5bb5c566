//! Catalog of OAuth scopes for consoles. The contract says which scopes are planned; categories and descriptions are
//! defined here.

use std::collections::BTreeSet;

use ringnity_types::{CreateOAuthClientRequest, OAuthScope, OAuthScopeCatalogItem, OAuthScopeStatus};
use serde_json::Value;

/// JSON pointer of the planned scopes in the contract.
const COVERAGE: &str = "/x-ringnity-oauth-scope-coverage/plannedScopes";

/// Scope, category, whether it is sensitive, description.
const CATALOG: [(OAuthScope, &str, bool, &str); 62] = [
    (OAuthScope::Openid, "Identity", false, "Sign in and get a stable user id."),
    (OAuthScope::Profile, "Identity", false, "Read the user's name and picture."),
    (OAuthScope::Email, "Identity", false, "Read the user's email address."),
    (OAuthScope::OfflineAccess, "Identity", true, "Stay signed in while the user is offline."),
    (OAuthScope::UserProfileRead, "User", false, "Read the user's profile."),
    (OAuthScope::UserProfileWrite, "User", true, "Change the user's profile."),
    (OAuthScope::UserAvatarRead, "User", false, "Read the user's picture."),
    (OAuthScope::UserAvatarWrite, "User", false, "Change the user's picture."),
    (OAuthScope::TenantRead, "Tenant / Business", false, "Read the id and slug of the tenant."),
    (OAuthScope::TenantProfileRead, "Tenant / Business", false, "Read the tenant's profile."),
    (OAuthScope::TenantProfileWrite, "Tenant / Business", true, "Change the tenant's profile."),
    (OAuthScope::TenantBrandingRead, "Tenant / Business", false, "Read the tenant's logo and colours."),
    (OAuthScope::TenantBrandingWrite, "Tenant / Business", false, "Change the tenant's logo and colours."),
    (OAuthScope::TenantSettingsRead, "Tenant / Business", false, "Read the tenant's settings."),
    (OAuthScope::TenantSettingsWrite, "Tenant / Business", true, "Change the tenant's settings."),
    (OAuthScope::TenantDomainsRead, "Tenant / Business", false, "Read the allowed domains."),
    (OAuthScope::TenantDomainsWrite, "Tenant / Business", true, "Add allowed domains."),
    (OAuthScope::RolesRead, "Staff and roles", false, "Read the user's role."),
    (OAuthScope::StaffRead, "Staff and roles", true, "Read staff accounts."),
    (OAuthScope::StaffWrite, "Staff and roles", true, "Change staff accounts."),
    (OAuthScope::StaffInvite, "Staff and roles", true, "Invite staff."),
    (OAuthScope::StaffDisable, "Staff and roles", true, "Disable staff accounts."),
    (OAuthScope::RuntimeTokensWrite, "Runtime", true, "Create SDK tokens."),
    (OAuthScope::RuntimeSessionsRead, "Runtime", true, "Read SDK sessions."),
    (OAuthScope::RuntimeSessionsWrite, "Runtime", true, "Create SDK sessions and register devices."),
    (OAuthScope::AgentsRead, "Agents", false, "Read agents and their profiles."),
    (OAuthScope::AgentsWrite, "Agents", true, "Change agents and their profiles."),
    (OAuthScope::AgentsPresenceRead, "Agents", false, "Read which agents are available."),
    (OAuthScope::AgentsPresenceWrite, "Agents", false, "Set whether an agent is available."),
    (OAuthScope::ContactsRead, "Contacts", true, "Read contacts."),
    (OAuthScope::ContactsWrite, "Contacts", true, "Create and change contacts."),
    (OAuthScope::ContactsDelete, "Contacts", true, "Delete contacts."),
    (OAuthScope::ConversationsRead, "Conversations", true, "Read conversations and their messages."),
    (OAuthScope::ConversationsWrite, "Conversations", true, "Send and change messages."),
    (OAuthScope::ConversationsAssign, "Conversations", false, "Accept, assign and transfer conversations."),
    (OAuthScope::ConversationsClose, "Conversations", false, "Close conversations."),
    (OAuthScope::CallsRead, "Calls", false, "Read calls and their outcome."),
    (OAuthScope::CallsWrite, "Calls", true, "Start and end calls."),
    (OAuthScope::CallsRecordingsRead, "Calls", true, "Listen to recordings."),
    (OAuthScope::CallsRecordingsDelete, "Calls", true, "Delete recordings."),
    (OAuthScope::AiRead, "AI", false, "Read the AI status."),
    (OAuthScope::AiWrite, "AI", true, "Let AI answer visitors."),
    (OAuthScope::AiKnowledgeRead, "AI", false, "Search the AI knowledge base."),
    (OAuthScope::AiKnowledgeWrite, "AI", true, "Change the AI knowledge base."),
    (OAuthScope::AiUsageRead, "AI", false, "Read AI usage."),
    (OAuthScope::ReportsRead, "Reports", false, "Read reports."),
    (OAuthScope::ReportsExport, "Reports", true, "Download reports."),
    (OAuthScope::WebhooksRead, "Webhooks", false, "Read webhooks and their deliveries."),
    (OAuthScope::WebhooksWrite, "Webhooks", true, "Create and change webhooks."),
    (OAuthScope::WebhooksDelete, "Webhooks", true, "Disable webhooks."),
    (OAuthScope::WebhooksTest, "Webhooks", false, "Send test deliveries."),
    (OAuthScope::DeveloperRead, "Developer", false, "Read developer settings and the public widget key."),
    (OAuthScope::DeveloperWrite, "Developer", true, "Change developer settings."),
    (OAuthScope::SdkKeysRead, "Developer", false, "Read the public widget key."),
    (OAuthScope::SdkKeysWrite, "Developer", true, "Create, change and disable Server API keys."),
    (OAuthScope::OauthClientsRead, "Developer", false, "Read OAuth clients."),
    (OAuthScope::OauthClientsWrite, "Developer", true, "Create, change and revoke OAuth clients."),
    (OAuthScope::MediaRead, "Media", true, "Read attachments."),
    (OAuthScope::MediaWrite, "Media", false, "Send attachments."),
    (OAuthScope::MediaDelete, "Media", true, "Delete attachments."),
    (OAuthScope::BillingRead, "Billing", true, "Read plan and subscription."),
    (OAuthScope::BillingWrite, "Billing", true, "Change plan and subscription."),
];

/// Which scopes are available and which are planned.
#[derive(Debug, Clone)]
pub struct ScopeCoverage {
    planned: BTreeSet<String>,
}

/// The contract cannot be parsed or has no map of planned scopes.
#[derive(Debug, thiserror::Error)]
#[error("the contract does not say which OAuth scopes are planned")]
pub struct MissingCoverage;

impl ScopeCoverage {
    /// Reads the planned scopes from the contract. Default scopes are always available.
    pub fn from_contract(contract: &str) -> Result<Self, MissingCoverage> {
        let document: Value = serde_json::from_str(contract).map_err(|_| MissingCoverage)?;
        let planned = document.pointer(COVERAGE).and_then(Value::as_object).ok_or(MissingCoverage)?;
        let recommended = recommended();
        let planned = planned
            .keys()
            .filter(|scope| !recommended.iter().any(|known| known.as_str() == scope.as_str()))
            .cloned()
            .collect();
        Ok(Self { planned })
    }

    /// Whether a client can request the scope.
    pub fn is_available(&self, scope: &OAuthScope) -> bool {
        scope.is_known() && !self.planned.contains(scope.as_str())
    }

    /// The available scopes, in the contract's order.
    pub fn available(&self) -> Vec<OAuthScope> {
        OAuthScope::ALL.iter().filter(|scope| self.is_available(scope)).cloned().collect()
    }

    /// The catalog entry of each scope.
    pub fn catalog(&self) -> Vec<OAuthScopeCatalogItem> {
        let item = |(scope, category, sensitive, description): &(OAuthScope, &str, bool, &str)| {
            OAuthScopeCatalogItem {
                scope: scope.clone(),
                category: (*category).to_owned(),
                status: match self.is_available(scope) {
                    true => OAuthScopeStatus::Available,
                    false => OAuthScopeStatus::Planned,
                },
                sensitive: *sensitive,
                description: (*description).to_owned(),
            }
        };
        CATALOG.iter().map(item).collect()
    }
}

/// The contract's default scopes, for clients that request none.
pub fn recommended() -> Vec<OAuthScope> {
    CreateOAuthClientRequest::new(String::new(), Vec::new()).allowed_scopes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalog_has_all_scopes_in_the_order_of_the_contract() {
        let listed: Vec<&OAuthScope> = CATALOG.iter().map(|(scope, ..)| scope).collect();
        assert_eq!(listed, OAuthScope::ALL.iter().collect::<Vec<_>>());
    }

    #[test]
    fn reads_planned_scopes_from_the_contract() {
        let planned =
            serde_json::json!({ "offline_access": {}, "billing.write": {}, "tenant.domains.read": {} });
        let contract = serde_json::json!({ "x-ringnity-oauth-scope-coverage": { "plannedScopes": planned } })
            .to_string();
        let coverage = ScopeCoverage::from_contract(&contract).expect("says so");
        for scope in recommended() {
            assert!(coverage.is_available(&scope), "{scope}");
        }
        for scope in [OAuthScope::OfflineAccess, OAuthScope::BillingWrite, OAuthScope::from("everything")] {
            assert!(!coverage.is_available(&scope), "{scope}");
        }
        assert!(coverage.is_available(&OAuthScope::SdkKeysRead), "not in the map of what is planned");
        let planned = coverage.catalog().into_iter().filter(|item| item.status == OAuthScopeStatus::Planned);
        assert_eq!(planned.count() + coverage.available().len(), OAuthScope::ALL.len());
        assert!(
            ScopeCoverage::from_contract("{}").is_err() && ScopeCoverage::from_contract("nonsense").is_err()
        );
    }
}
