//! Shared by `agent`, `owner` and `platform-admin`: list, enable, disable and set the password of an account.

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::app::identity::accounts::{self, Account, AccountFilter, AccountSelector};
use crate::cli::context::{self, CommonArgs, PasswordArgs, into_cli_error};
use crate::cli::output::{Outcome, print, table};
use crate::clock::Clock;

/// An account, selected by email.
#[derive(Debug, clap::Args)]
pub(super) struct EmailArgs {
    /// Email of the account
    #[arg(value_name = "EMAIL")]
    pub email: String,
    #[command(flatten)]
    pub common: CommonArgs,
}

/// An account, selected by email, and its new password.
#[derive(Debug, clap::Args)]
pub(super) struct EmailPasswordArgs {
    #[command(flatten)]
    pub password: PasswordArgs,
    #[command(flatten)]
    pub account: EmailArgs,
}

/// An account in output. The identifying members depend on its kind.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    #[serde(flatten)]
    who: Value,
    is_active: bool,
    last_login_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

/// Enables or disables an account and prints it.
pub(super) async fn set_active(common: CommonArgs, name: AccountSelector, active: bool) -> Result<Outcome> {
    let store = common.store().await?;
    let now = Clock::default().now();
    let (account, peers) =
        accounts::set_account_active(&store, name, active, now).await.map_err(into_cli_error)?;
    let mut answer = serde_json::to_value(view(&account))?;
    if let (Some(members), Some(peers)) = (answer.as_object_mut(), peers) {
        let of = if matches!(account, Account::Owner(..)) { "activeOwners" } else { "activePlatformAdmins" };
        members.insert(of.to_owned(), Value::from(peers));
    }
    print(common.json, &answer, || {
        let who = describe(&account);
        if active {
            return format!("Enabled {who}.");
        }
        let last = match &account {
            _ if peers != Some(0) => String::new(),
            Account::Owner(tenant, _) => format!("\nNo owner of {} is enabled any more.", tenant.slug),
            _ => "\nNo platform administrator is enabled any more.".to_owned(),
        };
        let command = enable_command(&account);
        format!("Disabled {who} and ended its sessions.{last}\nTo undo, run `{command}`.")
    })?;
    Ok(Outcome::Success)
}

/// Reads the password if `--password-stdin` was passed, and checks that the contract accepts it with `text` in a login
/// request. `sign_in` is the schema of that request and the member that holds `text`; `called` names `text` in errors.
pub(super) fn read_password(
    password: &PasswordArgs,
    sign_in: (&str, &str),
    text: &str,
    called: &str,
) -> Result<Option<String>> {
    let (schema, member) = sign_in;
    let chosen = password.read()?;
    let sent = json!({ member: text, "password": chosen.as_deref().unwrap_or("generated") });
    context::validate(schema, &sent, &[(member, called), ("password", "the password")])?;
    Ok(chosen)
}

/// Sets the password of an account. Prints it if it was generated.
pub(super) async fn set_password(
    common: CommonArgs,
    password: PasswordArgs,
    name: AccountSelector,
    sign_in: (&str, &str),
) -> Result<Outcome> {
    let text = match &name {
        AccountSelector::Agent(_, text)
        | AccountSelector::Owner(text)
        | AccountSelector::PlatformAdmin(text) => text,
    };
    let chosen = read_password(&password, sign_in, text, &sign_in.1.to_uppercase())?;
    let store = common.store().await?;
    let password = context::password(chosen).await?;
    let made = password.generated.clone();
    let account = accounts::set_password(&store, name, password, Clock::default().now())
        .await
        .map_err(into_cli_error)?;
    print_account(&common, &account, made)
}

/// Prints an account, and its password if it was generated.
pub(super) fn print_account(
    common: &CommonArgs,
    account: &Account,
    password: Option<String>,
) -> Result<Outcome> {
    let mut answer = serde_json::to_value(view(account))?;
    if let (Some(members), Some(password)) = (answer.as_object_mut(), &password) {
        let members: &mut Map<String, Value> = members;
        members.insert("password".to_owned(), Value::from(password.as_str()));
    }
    print(common.json, &answer, || {
        let password = password.as_ref().map_or_else(
            || "as entered".to_owned(),
            |password| format!("{password}   (shown only once: store it safely)"),
        );
        let off = if account.is_active() {
            String::new()
        } else {
            format!("\nState     disabled; to enable it, run `{}`", enable_command(account))
        };
        format!("Account   {}\nPassword  {password}{off}", describe(account))
    })?;
    Ok(Outcome::Success)
}

/// Prints the accounts of a filter.
pub(super) async fn list(common: &CommonArgs, of: AccountFilter) -> Result<Outcome> {
    let (named, heading) = match &of {
        AccountFilter::Staff(_) => ("agents", "role"),
        AccountFilter::Owners(_) => ("owners", "owner id"),
        AccountFilter::Platform => ("platformAdmins", "role"),
    };
    let accounts = accounts::list_accounts(&common.store().await?, of).await.map_err(into_cli_error)?;
    let views: Vec<View> = accounts.iter().map(view).collect();
    print(common.json, &json!({ named: views }), || {
        let row = |(account, view): (&Account, &View)| {
            let (signs_in_as, name, third) = match account {
                Account::Agent(_, agent) => (agent.username.clone(), agent.name.clone(), agent.role.clone()),
                Account::Owner(_, owner) => {
                    (owner.email.clone(), owner.name.clone().unwrap_or_default(), owner.id.to_string())
                }
                Account::PlatformAdmin(admin) => {
                    (admin.email.clone(), admin.name.clone(), admin.role.clone())
                }
            };
            let state = if view.is_active { "enabled" } else { "disabled" };
            let seen = view.last_login_at.map(|at| at.format("%F %R").to_string());
            [signs_in_as, name, third, state.to_owned(), seen.unwrap_or_else(|| "never".to_owned())]
        };
        let rows: Vec<_> = accounts.iter().zip(&views).map(row).collect();
        table(["login", "name", heading, "state", "last login (UTC)"], &rows)
    })?;
    Ok(Outcome::Success)
}

fn view(account: &Account) -> View {
    let (who, last_login_at, created_at) = match account {
        Account::Agent(tenant, agent) => {
            let who = json!({
                "tenant": tenant.slug,
                "agentId": agent.id.as_str(),
                "username": agent.username,
                "name": agent.name,
                "role": agent.role,
                "departmentId": agent.department_id.as_ref().map(|id| id.as_str()),
            });
            (who, agent.last_login_at, agent.created_at)
        }
        Account::Owner(tenant, owner) => {
            let who = json!({
                "tenant": tenant.slug,
                "ownerId": owner.id.as_str(),
                "email": owner.email,
                "name": owner.name,
            });
            (who, owner.last_login_at, owner.created_at)
        }
        Account::PlatformAdmin(admin) => {
            let who = json!({
                "adminId": admin.id.as_str(),
                "email": admin.email,
                "name": admin.name,
                "role": admin.role,
            });
            (who, admin.last_login_at, admin.created_at)
        }
    };
    View { who, is_active: account.is_active(), last_login_at, created_at }
}

fn describe(account: &Account) -> String {
    match account {
        Account::Agent(tenant, agent) => format!("{} of {}, {}", agent.username, tenant.slug, agent.role),
        Account::Owner(tenant, owner) => format!("{} of {}, owner", owner.email, tenant.slug),
        Account::PlatformAdmin(admin) => format!("{}, {}", admin.email, admin.role),
    }
}

/// The command that enables the account.
fn enable_command(account: &Account) -> String {
    let rest = match account {
        Account::Agent(tenant, agent) => format!("agent enable --tenant {} {}", tenant.slug, agent.username),
        Account::Owner(_, owner) => format!("owner enable {}", owner.email),
        Account::PlatformAdmin(admin) => format!("platform-admin enable {}", admin.email),
    };
    format!("ringnity-server {rest}")
}
