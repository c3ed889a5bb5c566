//! `tenant`: making, listing and switching tenants.

use anyhow::Result;
use clap::Subcommand;
use ringnity_store::tenants::Tenant;
use serde::Serialize;
use serde_json::json;

use crate::app::identity::provisioning::{self, TenantRequest};
use crate::cli::context::{self, CommonArgs, PasswordArgs, into_cli_error};
use crate::cli::output::{Outcome, print, table};
use crate::clock::Clock;

/// What may be done with tenants.
#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Make a tenant and its owner
    #[command(after_help = "Example:\n  \
        ringnity-server tenant create --slug acme --name 'Acme Ltd' --owner-email ada@acme.example\n\n\
        The owner's password is made and told once, unless --password-stdin gives it.")]
    Create(CreateArgs),
    /// List all tenants
    #[command(after_help = "Example:\n  ringnity-server tenant list --json")]
    List(CommonArgs),
    /// Serve a tenant nothing from the next request on
    #[command(after_help = "Example:\n  ringnity-server tenant disable acme")]
    Disable(SlugArgs),
    /// Serve a tenant again
    #[command(after_help = "Example:\n  ringnity-server tenant enable acme")]
    Enable(SlugArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// Names the tenant in addresses: SLUG.DOMAIN
    #[arg(long)]
    slug: String,
    /// Display name
    #[arg(long)]
    name: String,
    /// What the owner signs in with
    #[arg(long, value_name = "EMAIL")]
    owner_email: String,
    /// The owner's display name
    #[arg(long, value_name = "NAME")]
    owner_name: Option<String>,
    /// What the tenant may have and how much of it
    #[arg(long, default_value = "free")]
    plan: String,
    /// Domain whose pages may carry the widget; may be given several times
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
    #[command(flatten)]
    password: PasswordArgs,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct SlugArgs {
    /// The tenant's slug
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
    /// Only where it was made here, and only now.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// Runs one of them.
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
    let given = password.read()?;
    context::validate("CreateRuntimeSessionRequest", &json!({ "slug": slug }), &[("slug", "--slug")])?;
    let sign_in = json!({ "email": owner_email, "password": given.as_deref().unwrap_or("made") });
    context::validate(
        "OwnerLoginRequest",
        &sign_in,
        &[("email", "--owner-email"), ("password", "the password")],
    )?;
    let store = common.store().await?;
    let owner_password = context::password(given).await?;
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
            let state = if tenant.is_active { "on" } else { "off" };
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
        let what = if active { "is served again" } else { "is served nothing from now on" };
        format!("Tenant {} {what}.", tenant.slug)
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
        || "as given".to_owned(),
        |password| format!("{password}   (told only now: hand it over safely)"),
    );
    format!(
        "Tenant      {}, plan {}\nClient id   {}\nPublic key  {}\nOwner       {}\nPassword    {password}\n",
        tenant.slug, tenant.plan, tenant.client_id, tenant.public_key, owner.email
    )
}
