//! Accounts, for operators: list, enable, disable, set the password. No operation of the contract does this.

use chrono::{DateTime, Utc};
use ringnity_store::identity::{self, Agent, AgentChanges, Owner, PlatformAdmin, session_revoke_subject};
use ringnity_store::tenants::{self, Tenant};
use ringnity_store::{AgentId, Conn, Store, StoreError, TenantId};
use ringnity_types::{ErrorCode, WorkspaceRole};

use crate::app::identity::provisioning::{self, NewPassword};
use crate::app::identity::workspace;
use crate::app::{AppError, AppResult, ErrorKind, throttle};
use crate::secrets::tokens::TokenScope;

/// Selects an account.
#[derive(Debug, Clone)]
pub enum AccountSelector {
    /// A staff account, by the slug of its tenant and its username.
    Agent(String, String),
    /// An owner, by email, which is unique across tenants.
    Owner(String),
    /// A platform administrator, by email.
    PlatformAdmin(String),
}

/// An account.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub enum Account {
    Agent(Tenant, Agent),
    Owner(Tenant, Owner),
    PlatformAdmin(PlatformAdmin),
}

/// Selects accounts to list.
#[derive(Debug, Clone)]
pub enum AccountFilter {
    /// The staff accounts of the tenant with that slug, without those of its owners.
    Staff(String),
    /// The owners of the tenant with that slug.
    Owners(String),
    /// The platform administrators.
    Platform,
}

/// Returns accounts, oldest first.
pub async fn list_accounts(store: &Store, of: AccountFilter) -> AppResult<Vec<Account>> {
    store
        .read(move |c| {
            Ok(match &of {
                AccountFilter::Staff(slug) => {
                    let tenant = provisioning::tenant_by_slug(c, slug)?;
                    let staff = provisioning::staff(c, &tenant.id)?.into_iter();
                    staff.map(|agent| Account::Agent(tenant.clone(), agent)).collect()
                }
                AccountFilter::Owners(slug) => {
                    let tenant = provisioning::tenant_by_slug(c, slug)?;
                    let owners = identity::owner_list(c, &tenant.id)?.into_iter();
                    owners.map(|owner| Account::Owner(tenant.clone(), owner)).collect()
                }
                AccountFilter::Platform => {
                    identity::platform_admin_list(c)?.into_iter().map(Account::PlatformAdmin).collect()
                }
            })
        })
        .await
}

/// Enables or disables an account. Disabling ends its sessions for good. Also returns how many owners of the tenant, or
/// platform administrators, are enabled. The last one can be disabled too: an operator can enable it again, and must be
/// able to lock out a stolen account.
pub async fn set_account_active(
    store: &Store,
    name: AccountSelector,
    active: bool,
    now: DateTime<Utc>,
) -> AppResult<(Account, Option<usize>)> {
    store
        .write(move |c| {
            let account = find_account(c, &name)?;
            if let Account::Agent(tenant, agent) = &account
                && active
                && !agent.is_active
            {
                provisioning::check_agent_quota(c, &tenant.id)?;
            }
            account.set_active(c, active, now)?;
            if !active {
                account.end_sessions(c, "disabled", now)?;
            }
            let active_peers = match &account {
                Account::Agent(..) => None,
                Account::Owner(tenant, _) => {
                    Some(identity::owner_list(c, &tenant.id)?.iter().filter(|owner| owner.is_active).count())
                }
                Account::PlatformAdmin(_) => {
                    Some(identity::platform_admin_list(c)?.iter().filter(|admin| admin.is_active).count())
                }
            };
            Ok((find_account(c, &name)?, active_peers))
        })
        .await
}

/// Sets the password of an account, ends its sessions and resets its failed logins.
pub async fn set_password(
    store: &Store,
    name: AccountSelector,
    password: NewPassword,
    now: DateTime<Utc>,
) -> AppResult<Account> {
    store
        .write(move |c| {
            let account = find_account(c, &name)?;
            account.set_password(c, &password.hash, now)?;
            account.end_sessions(c, "password set", now)?;
            let (surface, account_key) = account.login_key();
            throttle::reset_account(c, surface.as_str(), &account_key)?;
            find_account(c, &name)
        })
        .await
}

/// Finds the selected account.
fn find_account(c: &mut Conn, name: &AccountSelector) -> AppResult<Account> {
    match name {
        AccountSelector::Agent(slug, username) => {
            let tenant = provisioning::tenant_by_slug(c, slug)?;
            let agent = identity::agent_by_username(c, &tenant.id, username)?.ok_or_else(|| {
                AppError::not_found(
                    ErrorCode::ServerAgentNotFound,
                    format!("There is no agent {username} in {slug}. Run `ringnity-server agent list` to see the agents."),
                )
            })?;
            if agent.role == WorkspaceRole::Owner.as_str() {
                let words = format!(
                    "{username} is an owner of {slug}. Use `ringnity-server owner` for owner accounts."
                );
                return Err(AppError::new(ErrorKind::Invalid, ErrorCode::RequestInvalid, words));
            }
            Ok(Account::Agent(tenant, agent))
        }
        AccountSelector::Owner(email) => {
            let owner =
                identity::owner_by_email(c, email)?.ok_or_else(|| account_not_found("owner", email))?;
            let tenant = tenants::tenant_get(c, &owner.tenant_id)?
                .ok_or_else(crate::app::tenants::tenant_not_found)?;
            Ok(Account::Owner(tenant, owner))
        }
        AccountSelector::PlatformAdmin(email) => identity::platform_admin_by_email(c, email)?
            .map(Account::PlatformAdmin)
            .ok_or_else(|| account_not_found("platform-admin", email)),
    }
}

fn account_not_found(command: &str, email: &str) -> AppError {
    AppError::not_found(
        ErrorCode::RequestInvalid,
        format!(
            "No account has the email {email}. Run `ringnity-server {command} list` to see the accounts."
        ),
    )
}

impl Account {
    /// Whether the account is enabled.
    pub fn is_active(&self) -> bool {
        match self {
            Self::Agent(_, agent) => agent.is_active,
            Self::Owner(_, owner) => owner.is_active,
            Self::PlatformAdmin(admin) => admin.is_active,
        }
    }

    /// Token scope and key under which its failed logins are counted.
    fn login_key(&self) -> (TokenScope, String) {
        match self {
            Self::Agent(tenant, agent) => {
                (TokenScope::Workspace, workspace::login_account_key(&tenant.id, &agent.username))
            }
            Self::Owner(_, owner) => (TokenScope::Owner, owner.email.clone()),
            Self::PlatformAdmin(admin) => (TokenScope::Platform, admin.email.clone()),
        }
    }

    fn set_active(&self, c: &mut Conn, active: bool, now: DateTime<Utc>) -> Result<(), StoreError> {
        match self {
            Self::Agent(tenant, agent) => {
                let changes = AgentChanges { is_active: Some(active), ..AgentChanges::default() };
                identity::agent_update(c, &tenant.id, &agent.id, &changes, now).map(drop)
            }
            Self::Owner(tenant, owner) => {
                identity::owner_set_active(c, &tenant.id, &owner.id, active, now).map(drop)
            }
            Self::PlatformAdmin(admin) => {
                identity::platform_admin_set_active(c, &admin.id, active, now).map(drop)
            }
        }
    }

    fn set_password(&self, c: &mut Conn, hash: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        match self {
            Self::Agent(tenant, agent) => {
                let password_hash = Some(Some(hash.to_owned()));
                let changes = AgentChanges { password_hash, ..AgentChanges::default() };
                identity::agent_update(c, &tenant.id, &agent.id, &changes, now).map(drop)
            }
            Self::Owner(tenant, owner) => {
                identity::owner_set_password(c, &tenant.id, &owner.id, Some(hash), now).map(drop)
            }
            Self::PlatformAdmin(admin) => {
                identity::platform_admin_set_password(c, &admin.id, hash, now).map(drop)
            }
        }
    }

    fn end_sessions(&self, c: &mut Conn, reason: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        match self {
            Self::Agent(tenant, agent) => end_staff_sessions(c, &tenant.id, &agent.id, reason, now),
            Self::Owner(tenant, owner) => {
                let kind = TokenScope::Owner.as_str();
                session_revoke_subject(c, Some(&tenant.id), kind, owner.id.as_str(), reason, now)?;
                match identity::owner_agent_get(c, &tenant.id, &owner.id)? {
                    Some(agent) => end_staff_sessions(c, &tenant.id, &agent, reason, now),
                    None => Ok(()),
                }
            }
            Self::PlatformAdmin(admin) => {
                let kind = TokenScope::Platform.as_str();
                session_revoke_subject(c, None, kind, admin.id.as_str(), reason, now).map(drop)
            }
        }
    }
}

/// Ends the sessions of the dashboard and of SDK tokens.
fn end_staff_sessions(
    c: &mut Conn,
    tenant: &TenantId,
    agent: &AgentId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for kind in [TokenScope::Workspace, TokenScope::Agent, TokenScope::Admin] {
        session_revoke_subject(c, Some(tenant), kind.as_str(), agent.as_str(), reason, now)?;
    }
    Ok(())
}
