//! `owner`: those who sign in for a tenant as its owners.

use anyhow::Result;
use clap::Subcommand;

use crate::app::identity::accounts::{Account, AccountFilter, AccountSelector};
use crate::app::identity::provisioning;
use crate::cli::account::{self, EmailArgs, EmailPasswordArgs};
use crate::cli::context::{self, PasswordArgs, TenantArgs, into_cli_error};
use crate::cli::output::Outcome;
use crate::clock::Clock;

/// What owners sign in with.
const SIGN_IN: (&str, &str) = ("OwnerLoginRequest", "email");

/// What may be done with a tenant's owners.
#[derive(Debug, Subcommand)]
pub(super) enum OwnerCommand {
    /// Make one more owner of a tenant
    #[command(after_help = "Example:\n  \
        ringnity-server owner create --tenant acme --email bob@acme.example --name Bob\n\n\
        `tenant create` makes the first. The password is made and told once, unless --password-stdin gives it.")]
    Create(CreateArgs),
    /// List a tenant's owners
    #[command(after_help = "Example:\n  ringnity-server owner list --tenant acme")]
    List(TenantArgs),
    /// Let an owner in nowhere from the next request on, not into the workspace either
    #[command(after_help = "Example:\n  ringnity-server owner disable ada@acme.example\n\n\
        The owner's sessions end and do not come back.")]
    Disable(EmailArgs),
    /// Let an owner sign in again
    #[command(after_help = "Example:\n  ringnity-server owner enable ada@acme.example")]
    Enable(EmailArgs),
    /// Give an owner another password; the old one opens nothing from the next request on
    #[command(after_help = "Example:\n  ringnity-server owner set-password ada@acme.example\n\n\
        The password is made and told once, unless --password-stdin gives it. The owner's sessions end, and what\n\
        failed before at signing in is forgotten.")]
    SetPassword(EmailPasswordArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// What they sign in with
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

/// Runs one of them.
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
    let given = account::read_password(&password, SIGN_IN, &email, "--email")?;
    let store = target.common.store().await?;
    let password = context::password(given).await?;
    let made = password.generated.clone();
    let now = Clock::default().now();
    let (tenant, owner) = provisioning::create_owner(&store, target.tenant, email, name, password, now)
        .await
        .map_err(into_cli_error)?;
    account::print_account(&target.common, &Account::Owner(tenant, owner), made)
}
