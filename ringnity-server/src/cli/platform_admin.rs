//! `platform-admin`: accounts of platform administrators.

use anyhow::Result;
use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use ringnity_types::PlatformRole;

use crate::app::identity::accounts::{Account, AccountFilter, AccountSelector};
use crate::app::identity::provisioning;
use crate::cli::account::{self, EmailArgs, EmailPasswordArgs};
use crate::cli::context::{self, CommonArgs, PasswordArgs, into_cli_error};
use crate::cli::output::Outcome;
use crate::clock::Clock;

/// Schema of the login request, and its member that holds the email.
const SIGN_IN: (&str, &str) = ("PlatformLoginRequest", "email");

/// Commands for platform administrators.
#[derive(Debug, Subcommand)]
pub(super) enum PlatformAdminCommand {
    /// Create a platform administrator
    #[command(after_help = "Example:\n  \
        ringnity-server platform-admin create --email root@example.com --name Root --role platform_owner\n\n\
        Generates a password and prints it once, unless --password-stdin is passed.")]
    Create(PlatformAdminArgs),
    /// List the platform administrators
    #[command(after_help = "Example:\n  ringnity-server platform-admin list")]
    List(CommonArgs),
    /// Disable a platform administrator and end their sessions
    #[command(after_help = "Example:\n  ringnity-server platform-admin disable root@example.com\n\n\
        Enabling the account again does not restore the sessions.")]
    Disable(EmailArgs),
    /// Enable a disabled platform administrator
    #[command(after_help = "Example:\n  ringnity-server platform-admin enable root@example.com")]
    Enable(EmailArgs),
    /// Set the password of a platform administrator and end their sessions
    #[command(after_help = "Example:\n  ringnity-server platform-admin set-password root@example.com\n\n\
        Generates a password and prints it once, unless --password-stdin is passed. Failed logins no longer count against\n\
        the account.")]
    SetPassword(EmailPasswordArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct PlatformAdminArgs {
    /// Email to log in with
    #[arg(long)]
    email: String,
    /// Display name
    #[arg(long)]
    name: String,
    /// Role of the account
    #[arg(long, default_value = "platform_admin", value_parser = roles())]
    role: String,
    #[command(flatten)]
    password: PasswordArgs,
    #[command(flatten)]
    common: CommonArgs,
}

fn roles() -> PossibleValuesParser {
    PossibleValuesParser::new(PlatformRole::ALL.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// Runs a command.
pub(super) async fn run(command: PlatformAdminCommand) -> Result<Outcome> {
    let named = AccountSelector::PlatformAdmin;
    match command {
        PlatformAdminCommand::Create(arguments) => create(arguments).await,
        PlatformAdminCommand::List(common) => account::list(&common, AccountFilter::Platform).await,
        PlatformAdminCommand::Disable(account) => {
            account::set_active(account.common, named(account.email), false).await
        }
        PlatformAdminCommand::Enable(account) => {
            account::set_active(account.common, named(account.email), true).await
        }
        PlatformAdminCommand::SetPassword(EmailPasswordArgs { password, account }) => {
            account::set_password(account.common, password, named(account.email), SIGN_IN).await
        }
    }
}

async fn create(arguments: PlatformAdminArgs) -> Result<Outcome> {
    let PlatformAdminArgs { email, name, role, password, common } = arguments;
    let chosen = account::read_password(&password, SIGN_IN, &email, "--email")?;
    let store = common.store().await?;
    let password = context::password(chosen).await?;
    let made = password.generated.clone();
    let (role, now) = (PlatformRole::from(role), Clock::default().now());
    let admin = provisioning::create_platform_admin(&store, email, name, role, password, now)
        .await
        .map_err(into_cli_error)?;
    account::print_account(&common, &Account::PlatformAdmin(admin), made)
}
