//! `agent`: staff accounts of a tenant.

use anyhow::Result;
use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use ringnity_types::WorkspaceRole;
use serde_json::json;

use crate::app::identity::accounts::{Account, AccountFilter, AccountSelector};
use crate::app::identity::provisioning::{self, AgentRequest};
use crate::cli::account;
use crate::cli::context::{self, PasswordArgs, TenantArgs, into_cli_error};
use crate::cli::output::Outcome;
use crate::clock::Clock;

/// Schema of the login request, and its member that holds the username.
const SIGN_IN: (&str, &str) = ("WorkspaceLoginRequest", "username");

/// Commands for staff accounts.
#[derive(Debug, Subcommand)]
pub(super) enum AgentCommand {
    /// Create a staff account
    #[command(after_help = "Example:\n  \
        ringnity-server agent create --tenant acme --username grace --name 'Grace H.' --department Support\n\n\
        Creates the department if the tenant does not have it. Generates a password and prints it once, unless\n\
        --password-stdin is passed. The plan limits the number of agents and departments.")]
    Create(AgentArgs),
    /// List the staff accounts of a tenant, without its owners
    #[command(after_help = "Example:\n  ringnity-server agent list --tenant acme")]
    List(TenantArgs),
    /// Disable a staff account and end its sessions
    #[command(after_help = "Example:\n  ringnity-server agent disable --tenant acme grace\n\n\
        Agent and admin tokens of the account are revoked as well. Enabling it again does not restore them.")]
    Disable(AgentSelectorArgs),
    /// Enable a disabled staff account
    #[command(after_help = "Example:\n  ringnity-server agent enable --tenant acme grace")]
    Enable(AgentSelectorArgs),
    /// Set the password of a staff account and end its sessions
    #[command(after_help = "Example:\n  ringnity-server agent set-password --tenant acme grace\n\n\
        Generates a password and prints it once, unless --password-stdin is passed. Sessions and tokens of the account\n\
        end. Failed logins no longer count against it.")]
    SetPassword(SetPasswordArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct AgentSelectorArgs {
    /// Username of the account
    #[arg(value_name = "USERNAME")]
    username: String,
    #[command(flatten)]
    target: TenantArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct SetPasswordArgs {
    #[command(flatten)]
    password: PasswordArgs,
    #[command(flatten)]
    agent: AgentSelectorArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct AgentArgs {
    /// Username to log in with, unique within the tenant
    #[arg(long)]
    username: String,
    /// Display name
    #[arg(long)]
    name: String,
    /// Role of the account
    #[arg(long, default_value = "agent", value_parser = roles())]
    role: String,
    /// Department of the account; created if the tenant does not have it
    #[arg(long)]
    department: Option<String>,
    /// Email address
    #[arg(long)]
    email: Option<String>,
    #[command(flatten)]
    password: PasswordArgs,
    #[command(flatten)]
    target: TenantArgs,
}

/// The roles of the contract except `owner`: owners have accounts of their own.
fn roles() -> PossibleValuesParser {
    let staff = WorkspaceRole::ALL.iter().filter(|role| **role != WorkspaceRole::Owner);
    PossibleValuesParser::new(staff.map(ToString::to_string).collect::<Vec<_>>())
}

/// Runs a command.
pub(super) async fn run(command: AgentCommand) -> Result<Outcome> {
    match command {
        AgentCommand::Create(arguments) => create(arguments).await,
        AgentCommand::List(target) => {
            account::list(&target.common, AccountFilter::Staff(target.tenant)).await
        }
        AgentCommand::Disable(agent) => {
            account::set_active(
                agent.target.common,
                AccountSelector::Agent(agent.target.tenant, agent.username),
                false,
            )
            .await
        }
        AgentCommand::Enable(agent) => {
            account::set_active(
                agent.target.common,
                AccountSelector::Agent(agent.target.tenant, agent.username),
                true,
            )
            .await
        }
        AgentCommand::SetPassword(SetPasswordArgs {
            password,
            agent: AgentSelectorArgs { username, target },
        }) => {
            account::set_password(
                target.common,
                password,
                AccountSelector::Agent(target.tenant, username),
                SIGN_IN,
            )
            .await
        }
    }
}

async fn create(arguments: AgentArgs) -> Result<Outcome> {
    let AgentArgs { username, name, role, department, email, password, target } = arguments;
    let chosen = account::read_password(&password, SIGN_IN, &username, "--username")?;
    if let Some(email) = &email {
        let sign_in = json!({ "email": email, "password": "generated" });
        context::validate("OwnerLoginRequest", &sign_in, &[("email", "--email")])?;
    }
    let store = target.common.store().await?;
    let password = context::password(chosen).await?;
    let made = password.generated.clone();
    let request =
        AgentRequest { username, name, role: WorkspaceRole::from(role), department, email, password };
    let now = Clock::default().now();
    let (tenant, agent) =
        provisioning::create_agent(&store, target.tenant, request, now).await.map_err(into_cli_error)?;
    account::print_account(&target.common, &Account::Agent(tenant, agent), made)
}
