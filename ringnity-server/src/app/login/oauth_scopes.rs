//! OAuth scopes as a console shows them, and which of them can be asked for already. The contract says which are
//! planned; headings and words are ours.

use std::collections::BTreeSet;

use ringnity_types::{CreateOAuthClientRequest, OAuthScope, OAuthScopeCatalogItem, OAuthScopeStatus};
use serde_json::Value;

/// Where the contract keeps its map of scopes that are planned.
const COVERAGE: &str = "/x-ringnity-oauth-scope-coverage/plannedScopes";

/// Heading, whether to think twice, and what the scope opens.
const CATALOG: [(OAuthScope, &str, bool, &str); 62] = [
    (OAuthScope::Openid, "Identity", false, "Sign in, and a stable id for who did."),
    (OAuthScope::Profile, "Identity", false, "Name and picture of who signed in."),
    (OAuthScope::Email, "Identity", false, "Email address of who signed in."),
    (OAuthScope::OfflineAccess, "Identity", true, "Stay signed in while nobody is there."),
    (OAuthScope::UserProfileRead, "User", false, "Read the profile of who signed in."),
    (OAuthScope::UserProfileWrite, "User", true, "Change the profile of who signed in."),
    (OAuthScope::UserAvatarRead, "User", false, "Read the picture of who signed in."),
    (OAuthScope::UserAvatarWrite, "User", false, "Change the picture of who signed in."),
    (OAuthScope::TenantRead, "Tenant / Business", false, "Read which tenant it is."),
    (OAuthScope::TenantProfileRead, "Tenant / Business", false, "Read the tenant's profile."),
    (OAuthScope::TenantProfileWrite, "Tenant / Business", true, "Change the tenant's profile."),
    (OAuthScope::TenantBrandingRead, "Tenant / Business", false, "Read the tenant's logo and colours."),
    (OAuthScope::TenantBrandingWrite, "Tenant / Business", false, "Change the tenant's logo and colours."),
    (OAuthScope::TenantSettingsRead, "Tenant / Business", false, "Read the tenant's settings."),
    (OAuthScope::TenantSettingsWrite, "Tenant / Business", true, "Change the tenant's settings."),
    (OAuthScope::TenantDomainsRead, "Tenant / Business", false, "Read the allowed domains."),
    (OAuthScope::TenantDomainsWrite, "Tenant / Business", true, "Add allowed domains."),
    (OAuthScope::RolesRead, "Staff and roles", false, "Read the role of who signed in."),
    (OAuthScope::StaffRead, "Staff and roles", true, "Read who works for the tenant."),
    (OAuthScope::StaffWrite, "Staff and roles", true, "Change who works for the tenant."),
    (OAuthScope::StaffInvite, "Staff and roles", true, "Invite people to work for the tenant."),
    (OAuthScope::StaffDisable, "Staff and roles", true, "Switch accounts of staff off."),
    (OAuthScope::RuntimeTokensWrite, "Runtime", true, "Make SDK tokens."),
    (OAuthScope::RuntimeSessionsRead, "Runtime", true, "Read which SDK sessions are open."),
    (OAuthScope::RuntimeSessionsWrite, "Runtime", true, "Open SDK sessions and register devices."),
    (OAuthScope::AgentsRead, "Agents", false, "Read agents and their profiles."),
    (OAuthScope::AgentsWrite, "Agents", true, "Change agents and their profiles."),
    (OAuthScope::AgentsPresenceRead, "Agents", false, "Read which agents are available."),
    (OAuthScope::AgentsPresenceWrite, "Agents", false, "Set whether an agent is available."),
    (OAuthScope::ContactsRead, "Contacts", true, "Read contacts."),
    (OAuthScope::ContactsWrite, "Contacts", true, "Make and change contacts."),
    (OAuthScope::ContactsDelete, "Contacts", true, "Delete contacts for good."),
    (OAuthScope::ConversationsRead, "Conversations", true, "Read conversations and their messages."),
    (OAuthScope::ConversationsWrite, "Conversations", true, "Send and change messages."),
    (OAuthScope::ConversationsAssign, "Conversations", false, "Accept, assign and transfer conversations."),
    (OAuthScope::ConversationsClose, "Conversations", false, "Close conversations."),
    (OAuthScope::CallsRead, "Calls", false, "Read calls and how they ended."),
    (OAuthScope::CallsWrite, "Calls", true, "Begin and end calls."),
    (OAuthScope::CallsRecordingsRead, "Calls", true, "Listen to recordings."),
    (OAuthScope::CallsRecordingsDelete, "Calls", true, "Delete recordings for good."),
    (OAuthScope::AiRead, "AI", false, "Read whether AI answers."),
    (OAuthScope::AiWrite, "AI", true, "Have AI answer visitors."),
    (OAuthScope::AiKnowledgeRead, "AI", false, "Search what the AI knows."),
    (OAuthScope::AiKnowledgeWrite, "AI", true, "Change what the AI knows."),
    (OAuthScope::AiUsageRead, "AI", false, "Read how much AI was used."),
    (OAuthScope::ReportsRead, "Reports", false, "Read reports."),
    (OAuthScope::ReportsExport, "Reports", true, "Download reports."),
    (OAuthScope::WebhooksRead, "Webhooks", false, "Read webhooks and their deliveries."),
    (OAuthScope::WebhooksWrite, "Webhooks", true, "Make and change webhooks."),
    (OAuthScope::WebhooksDelete, "Webhooks", true, "Switch webhooks off."),
    (OAuthScope::WebhooksTest, "Webhooks", false, "Send test deliveries."),
    (OAuthScope::DeveloperRead, "Developer", false, "Read developer settings and the public widget key."),
    (OAuthScope::DeveloperWrite, "Developer", true, "Change developer settings."),
    (OAuthScope::SdkKeysRead, "Developer", false, "Read the public widget key."),
    (OAuthScope::SdkKeysWrite, "Developer", true, "Make, change and disable Server API keys."),
    (OAuthScope::OauthClientsRead, "Developer", false, "Read OAuth clients."),
    (OAuthScope::OauthClientsWrite, "Developer", true, "Make, change and revoke OAuth clients."),
    (OAuthScope::MediaRead, "Media", true, "Read attachments."),
    (OAuthScope::MediaWrite, "Media", false, "Send attachments."),
    (OAuthScope::MediaDelete, "Media", true, "Delete attachments."),
    (OAuthScope::BillingRead, "Billing", true, "Read plan and subscription."),
    (OAuthScope::BillingWrite, "Billing", true, "Change plan and subscription."),
];

/// Which scopes can be asked for, and which are only planned.
#[derive(Debug, Clone)]
pub struct ScopeCoverage {
    planned: BTreeSet<String>,
}

/// The contract has no map of planned scopes, or is none at all.
#[derive(Debug, thiserror::Error)]
#[error("the contract does not say which OAuth scopes are planned")]
pub struct MissingCoverage;

impl ScopeCoverage {
    /// Reads the map out of the contract. What a client gets by default can be had, whatever the map says.
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

    /// Whether a scope can be asked for.
    pub fn is_available(&self, scope: &OAuthScope) -> bool {
        scope.is_known() && !self.planned.contains(scope.as_str())
    }

    /// The scopes that can be asked for, in the contract's order.
    pub fn available(&self) -> Vec<OAuthScope> {
        OAuthScope::ALL.iter().filter(|scope| self.is_available(scope)).cloned().collect()
    }

    /// Every scope with what is to be said about it.
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

/// The scopes that a client gets which names none: the contract's default.
pub fn recommended() -> Vec<OAuthScope> {
    CreateOAuthClientRequest::new(String::new(), Vec::new()).allowed_scopes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_has_every_scope_of_the_contract_in_its_order() {
        let listed: Vec<&OAuthScope> = CATALOG.iter().map(|(scope, ..)| scope).collect();
        assert_eq!(listed, OAuthScope::ALL.iter().collect::<Vec<_>>());
    }

    #[test]
    fn the_contract_says_what_is_planned_and_its_defaults_are_not() {
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
