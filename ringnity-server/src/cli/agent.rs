//! `agent`: a tenant's staff, those who work with conversations.

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

/// What they sign in with.
const SIGN_IN: (&str, &str) = ("WorkspaceLoginRequest", "username");

/// What may be done with a tenant's staff.
#[derive(Debug, Subcommand)]
pub(super) enum AgentCommand {
    /// Make a member of a tenant's staff
    #[command(after_help = "Example:\n  \
        ringnity-server agent create --tenant acme --username grace --name 'Grace H.' --department Support\n\n\
        A department that the tenant does not have is made. The password is made and told once, unless\n\
        --password-stdin gives it. The plan says how many agents and departments there may be.")]
    Create(AgentArgs),
    /// List a tenant's staff, without its owners
    #[command(after_help = "Example:\n  ringnity-server agent list --tenant acme")]
    List(TenantArgs),
    /// Let a member of the staff in nowhere from the next request on
    #[command(after_help = "Example:\n  ringnity-server agent disable --tenant acme grace\n\n\
        Their sessions end, and the tokens that the customer's backend has asked for in their name. Neither come back.")]
    Disable(AgentSelectorArgs),
    /// Let a member of the staff sign in again
    #[command(after_help = "Example:\n  ringnity-server agent enable --tenant acme grace")]
    Enable(AgentSelectorArgs),
    /// Give a member of the staff another password; the old one opens nothing from the next request on
    #[command(after_help = "Example:\n  ringnity-server agent set-password --tenant acme grace\n\n\
        The password is made and told once, unless --password-stdin gives it. Their sessions and tokens end, and what\n\
        failed before at signing in is forgotten.")]
    SetPassword(SetPasswordArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct AgentSelectorArgs {
    /// What they sign in with
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
    target: TenantArgs,
}

/// The contract's roles, but that of owners, who have accounts of their own.
fn roles() -> PossibleValuesParser {
    let staff = WorkspaceRole::ALL.iter().filter(|role| **role != WorkspaceRole::Owner);
    PossibleValuesParser::new(staff.map(ToString::to_string).collect::<Vec<_>>())
}

/// Runs one of them.
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
    let given = account::read_password(&password, SIGN_IN, &username, "--username")?;
    if let Some(email) = &email {
        // The contract's idea of an address.
        let sign_in = json!({ "email": email, "password": "made" });
        context::validate("OwnerLoginRequest", &sign_in, &[("email", "--email")])?;
    }
    let store = target.common.store().await?;
    let password = context::password(given).await?;
    let made = password.generated.clone();
    let request =
        AgentRequest { username, name, role: WorkspaceRole::from(role), department, email, password };
    let now = Clock::default().now();
    let (tenant, agent) =
        provisioning::create_agent(&store, target.tenant, request, now).await.map_err(into_cli_error)?;
    account::print_account(&target.common, &Account::Agent(tenant, agent), made)
}
