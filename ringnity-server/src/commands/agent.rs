//! `agent` and `platform-admin`: making those who work with conversations, and those who run the platform.

use anyhow::Result;
use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use ringnity_types::{PlatformRole, WorkspaceRole};
use serde_json::{Map, Value, json};

use super::desk::{self, DeskArgs, PasswordArgs, told};
use super::output::{Outcome, tell};
use super::tenant::must_not_be_blank;
use crate::app::provisioning::{self, AgentRequest};
use crate::clock::Clock;

/// What may be done with a tenant's staff.
#[derive(Debug, Subcommand)]
pub(super) enum AgentCommand {
    /// Make a member of a tenant's staff
    #[command(after_help = "Example:\n  \
        ringnity-server agent create --tenant acme --username grace --name 'Grace H.' --department Support\n\n\
        A department that the tenant does not have is made. The password is made and told once, unless\n\
        --password-stdin gives it. The plan says how many agents and departments there may be.")]
    Create(AgentArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct AgentArgs {
    /// Slug of the tenant
    #[arg(long, value_name = "SLUG")]
    tenant: String,
    /// What they sign in with: unique within the tenant
    #[arg(long)]
    username: String,
    /// Display name
    #[arg(long)]
    name: String,
    /// What they may do
    #[arg(long, default_value = "agent", value_parser = roles())]
    role: String,
    /// Where they sit; made when the tenant has no department of that name
    #[arg(long)]
    department: Option<String>,
    /// Email address
    #[arg(long)]
    email: Option<String>,
    #[command(flatten)]
    password: PasswordArgs,
    #[command(flatten)]
    desk: DeskArgs,
}

/// What may be done with the platform's own people.
#[derive(Debug, Subcommand)]
pub(super) enum PlatformAdminCommand {
    /// Make an administrator of the platform
    #[command(after_help = "Example:\n  \
        ringnity-server platform-admin create --email root@example.com --name Root --role platform_owner\n\n\
        The password is made and told once, unless --password-stdin gives it.")]
    Create(PlatformAdminArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct PlatformAdminArgs {
    /// What they sign in with
    #[arg(long)]
    email: String,
    /// Display name
    #[arg(long)]
    name: String,
    /// What they may do
    #[arg(long, default_value = "platform_admin", value_parser = platform_roles())]
    role: String,
    #[command(flatten)]
    password: PasswordArgs,
    #[command(flatten)]
    desk: DeskArgs,
}

/// The contract's roles, but that of owners, who have accounts of their own.
fn roles() -> PossibleValuesParser {
    let staff = WorkspaceRole::ALL.iter().filter(|role| **role != WorkspaceRole::Owner);
    PossibleValuesParser::new(staff.map(ToString::to_string).collect::<Vec<_>>())
}

fn platform_roles() -> PossibleValuesParser {
    PossibleValuesParser::new(PlatformRole::ALL.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// Runs one of them.
pub(super) async fn run(command: AgentCommand) -> Result<Outcome> {
    let AgentCommand::Create(arguments) = command;
    let AgentArgs { tenant: slug, username, name, role, department, email, password, desk } = arguments;
    let given = password.read()?;
    let sign_in = json!({ "username": username, "password": given.as_deref().unwrap_or("made") });
    desk::must_fit(
        "WorkspaceLoginRequest",
        &sign_in,
        &[("username", "--username"), ("password", "the password")],
    )?;
    if let Some(email) = &email {
        // The contract's idea of an address.
        let sign_in = json!({ "email": email, "password": "made" });
        desk::must_fit("OwnerLoginRequest", &sign_in, &[("email", "--email")])?;
    }
    must_not_be_blank("--username", &username)?;
    must_not_be_blank("--name", &name)?;
    if let Some(department) = &department {
        must_not_be_blank("--department", department)?;
    }
    let store = desk.store().await?;
    let password = desk::password(given).await?;
    let made = password.made.clone();
    let request =
        AgentRequest { username, name, role: WorkspaceRole::from(role), department, email, password };
    let now = Clock::default().now();
    let named = slug.clone();
    let agent = store
        .write(move |c| {
            let tenant = provisioning::tenant_named(c, &named)?;
            provisioning::agent_create(c, &tenant.id, &request, now)
        })
        .await
        .map_err(told)?;
    let answer = json!({
        "tenant": slug,
        "agentId": agent.id.as_str(),
        "username": agent.username,
        "name": agent.name,
        "role": agent.role,
        "departmentId": agent.department_id.as_ref().map(|id| id.as_str()),
    });
    account(desk.json, answer, made, &format!("Agent     {} of {slug}, {}", agent.username, agent.role))
}

/// Runs one of them.
pub(super) async fn run_platform_admin(command: PlatformAdminCommand) -> Result<Outcome> {
    let PlatformAdminCommand::Create(arguments) = command;
    let PlatformAdminArgs { email, name, role, password, desk } = arguments;
    let given = password.read()?;
    let sign_in = json!({ "email": email, "password": given.as_deref().unwrap_or("made") });
    desk::must_fit("PlatformLoginRequest", &sign_in, &[("email", "--email"), ("password", "the password")])?;
    must_not_be_blank("--name", &name)?;
    let store = desk.store().await?;
    let password = desk::password(given).await?;
    let made = password.made.clone();
    let (role, now) = (PlatformRole::from(role), Clock::default().now());
    let admin =
        provisioning::create_platform_admin(&store, email, name, role, password, now).await.map_err(told)?;
    let answer = json!({
        "adminId": admin.id.as_str(),
        "email": admin.email,
        "name": admin.name,
        "role": admin.role,
    });
    account(desk.json, answer, made, &format!("Platform  {}, {}", admin.email, admin.role))
}

/// Tells of an account, and its password where that was made here.
fn account(json: bool, mut answer: Value, password: Option<String>, words: &str) -> Result<Outcome> {
    if let (Some(members), Some(password)) = (answer.as_object_mut(), &password) {
        let members: &mut Map<String, Value> = members;
        members.insert("password".to_owned(), Value::from(password.as_str()));
    }
    tell(json, &answer, || match &password {
        Some(password) => format!("{words}\nPassword  {password}   (told only now: hand it over safely)"),
        None => words.to_owned(),
    })?;
    Ok(Outcome::Fine)
}
