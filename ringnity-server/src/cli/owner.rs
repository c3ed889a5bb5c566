//! `owner`: owner accounts of a tenant.

use anyhow::Result;
use clap::Subcommand;

use crate::app::identity::accounts::{Account, AccountFilter, AccountSelector};
use crate::app::identity::provisioning;
use crate::cli::account::{self, EmailArgs, EmailPasswordArgs};
use crate::cli::context::{self, PasswordArgs, TenantArgs, into_cli_error};
use crate::cli::output::Outcome;
use crate::clock::Clock;

/// Schema of the login request, and its member that holds the email.
const SIGN_IN: (&str, &str) = ("OwnerLoginRequest", "email");

/// Commands for owner accounts.
#[derive(Debug, Subcommand)]
pub(super) enum OwnerCommand {
    /// Add an owner to a tenant
    #[command(after_help = "Example:\n  \
        ringnity-server owner create --tenant acme --email bob@acme.example --name Bob\n\n\
        `tenant create` creates the first owner. Generates a password and prints it once, unless --password-stdin is passed.")]
    Create(CreateArgs),
    /// List the owners of a tenant
    #[command(after_help = "Example:\n  ringnity-server owner list --tenant acme")]
    List(TenantArgs),
    /// Disable an owner account and end its sessions
    #[command(after_help = "Example:\n  ringnity-server owner disable ada@acme.example\n\n\
        Sessions in the workspace end as well. Enabling the account again does not restore them.")]
    Disable(EmailArgs),
    /// Enable a disabled owner account
    #[command(after_help = "Example:\n  ringnity-server owner enable ada@acme.example")]
    Enable(EmailArgs),
    /// Set the password of an owner and end the owner's sessions
    #[command(after_help = "Example:\n  ringnity-server owner set-password ada@acme.example\n\n\
        Generates a password and prints it once, unless --password-stdin is passed. Failed logins no longer count against\n\
        the account.")]
    SetPassword(EmailPasswordArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// Email to log in with
    #[arg(long)]
    email: String,
    /// Display name
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    password: PasswordArgs,
    #[command(flatten)]
    target: TenantArgs,
}

/// Runs a command.
pub(super) async fn run(command: OwnerCommand) -> Result<Outcome> {
    match command {
        OwnerCommand::Create(arguments) => create(arguments).await,
        OwnerCommand::List(target) => {
            account::list(&target.common, AccountFilter::Owners(target.tenant)).await
        }
        OwnerCommand::Disable(account) => {
            account::set_active(account.common, AccountSelector::Owner(account.email), false).await
        }
        OwnerCommand::Enable(account) => {
            account::set_active(account.common, AccountSelector::Owner(account.email), true).await
        }
        OwnerCommand::SetPassword(EmailPasswordArgs { password, account }) => {
            account::set_password(account.common, password, AccountSelector::Owner(account.email), SIGN_IN)
                .await
        }
    }
}

async fn create(arguments: CreateArgs) -> Result<Outcome> {
    let CreateArgs { email, name, password, target } = arguments;
    let chosen = account::read_password(&password, SIGN_IN, &email, "--email")?;
    let store = target.common.store().await?;
    let password = context::password(chosen).await?;
    let made = password.generated.clone();
    let now = Clock::default().now();
    let (tenant, owner) = provisioning::create_owner(&store, target.tenant, email, name, password, now)
        .await
        .map_err(into_cli_error)?;
    account::print_account(&target.common, &Account::Owner(tenant, owner), made)
}
