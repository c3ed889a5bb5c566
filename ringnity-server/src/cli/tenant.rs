//! `tenant`: create, list, enable and disable tenants.

use anyhow::Result;
use clap::Subcommand;
use ringnity_store::tenants::Tenant;
use serde::Serialize;
use serde_json::json;

use crate::app::identity::provisioning::{self, TenantRequest};
use crate::cli::context::{self, CommonArgs, PasswordArgs, into_cli_error};
use crate::cli::output::{Outcome, print, table};
use crate::clock::Clock;

/// Commands for tenants.
#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Create a tenant and its owner
    #[command(after_help = "Example:\n  \
        ringnity-server tenant create --slug acme --name 'Acme Ltd' --owner-email ada@acme.example\n\n\
        Generates the owner's password and prints it once, unless --password-stdin is passed.")]
    Create(CreateArgs),
    /// List all tenants
    #[command(after_help = "Example:\n  ringnity-server tenant list --json")]
    List(CommonArgs),
    /// Disable a tenant: its requests are rejected from now on
    #[command(after_help = "Example:\n  ringnity-server tenant disable acme")]
    Disable(SlugArgs),
    /// Enable a disabled tenant
    #[command(after_help = "Example:\n  ringnity-server tenant enable acme")]
    Enable(SlugArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// Name of the tenant in host names: SLUG.DOMAIN
    #[arg(long)]
    slug: String,
    /// Display name
    #[arg(long)]
    name: String,
    /// Email that the owner logs in with
    #[arg(long, value_name = "EMAIL")]
    owner_email: String,
    /// Display name of the owner
    #[arg(long, value_name = "NAME")]
    owner_name: Option<String>,
    /// Slug of the plan, which sets features and limits
    #[arg(long, default_value = "free")]
    plan: String,
    /// Domain of pages that may embed the widget; can be repeated
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
    #[command(flatten)]
    password: PasswordArgs,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct SlugArgs {
    /// Slug of the tenant
    slug: String,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    client_id: String,
    slug: String,
    name: Option<String>,
    email: String,
    public_key: String,
    plan: String,
    is_active: bool,
    created_at: chrono::DateTime<chrono::Utc>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    tenant: View,
    owner: OwnerView,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OwnerView {
    owner_id: String,
    email: String,
    /// Only if it was generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// Runs a command.
pub(super) async fn run(command: TenantCommand) -> Result<Outcome> {
    match command {
        TenantCommand::Create(arguments) => create(arguments).await,
        TenantCommand::List(common) => list(&common).await,
        TenantCommand::Disable(selected) => set_active(selected, false).await,
        TenantCommand::Enable(selected) => set_active(selected, true).await,
    }
}

async fn create(arguments: CreateArgs) -> Result<Outcome> {
    let CreateArgs { slug, name, owner_email, owner_name, plan, domains, password, common } = arguments;
    let chosen = password.read()?;
    context::validate("CreateRuntimeSessionRequest", &json!({ "slug": slug }), &[("slug", "--slug")])?;
    let sign_in = json!({ "email": owner_email, "password": chosen.as_deref().unwrap_or("generated") });
    context::validate(
        "OwnerLoginRequest",
        &sign_in,
        &[("email", "--owner-email"), ("password", "the password")],
    )?;
    let store = common.store().await?;
    let owner_password = context::password(chosen).await?;
    let password = owner_password.generated.clone();
    let request = TenantRequest {
        slug,
        name,
        owner_email,
        owner_name,
        owner_password,
        domains,
        onboarding_completed: false,
    };
    let now = Clock::default().now();
    let (tenant, owner) =
        provisioning::create_tenant(&store, plan.clone(), request, now).await.map_err(into_cli_error)?;
    let owner = OwnerView { owner_id: owner.id.into_string(), email: owner.email, password };
    let created = Created { tenant: view(tenant, plan), owner };
    print(common.json, &created, || text(&created))?;
    Ok(Outcome::Success)
}

async fn list(common: &CommonArgs) -> Result<Outcome> {
    let store = common.store().await?;
    let found = provisioning::list_tenants(&store).await.map_err(into_cli_error)?;
    let tenants: Vec<View> = found.into_iter().map(|(tenant, plan)| view(tenant, plan)).collect();
    print(common.json, &json!({ "tenants": tenants }), || {
        let row = |tenant: &View| {
            let state = if tenant.is_active { "enabled" } else { "disabled" };
            let name = tenant.name.clone().unwrap_or_default();
            [tenant.slug.clone(), name, tenant.plan.clone(), state.to_owned(), tenant.client_id.clone()]
        };
        table(["slug", "name", "plan", "state", "client id"], &tenants.iter().map(row).collect::<Vec<_>>())
    })?;
    Ok(Outcome::Success)
}

async fn set_active(selected: SlugArgs, active: bool) -> Result<Outcome> {
    let store = selected.common.store().await?;
    let now = Clock::default().now();
    let tenant =
        provisioning::set_tenant_active(&store, selected.slug, active, now).await.map_err(into_cli_error)?;
    let answer = json!({ "slug": tenant.slug, "clientId": tenant.id.as_str(), "isActive": tenant.is_active });
    print(selected.common.json, &answer, || {
        let verb = if active { "Enabled" } else { "Disabled" };
        format!("{verb} tenant {}.", tenant.slug)
    })?;
    Ok(Outcome::Success)
}

fn view(tenant: Tenant, plan: String) -> View {
    View {
        client_id: tenant.id.into_string(),
        slug: tenant.slug,
        name: tenant.name,
        email: tenant.email,
        public_key: tenant.public_key,
        plan,
        is_active: tenant.is_active,
        created_at: tenant.created_at,
    }
}

fn text(created: &Created) -> String {
    let Created { tenant, owner } = created;
    let password = owner.password.as_ref().map_or_else(
        || "as entered".to_owned(),
        |password| format!("{password}   (shown only once: store it safely)"),
    );
    format!(
        "Tenant      {}, plan {}\nClient id   {}\nPublic key  {}\nOwner       {}\nPassword    {password}\n",
        tenant.slug, tenant.plan, tenant.client_id, tenant.public_key, owner.email
    )
}
