//! `tenant`: making, listing and switching tenants.

use anyhow::Result;
use clap::Subcommand;
use ringnity_store::tenants::Tenant;
use serde::Serialize;
use serde_json::json;

use crate::app::identity::provisioning::{self, TenantRequest};
use crate::cli::desk::{self, DeskArgs, PasswordArgs, told};
use crate::cli::output::{Outcome, table, tell};
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
    List(DeskArgs),
    /// Serve a tenant nothing from the next request on
    #[command(after_help = "Example:\n  ringnity-server tenant disable acme")]
    Disable(OneArgs),
    /// Serve a tenant again
    #[command(after_help = "Example:\n  ringnity-server tenant enable acme")]
    Enable(OneArgs),
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
    desk: DeskArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct OneArgs {
    /// The tenant's slug
    slug: String,
    #[command(flatten)]
    desk: DeskArgs,
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
struct Made {
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
        TenantCommand::List(desk) => list(&desk).await,
        TenantCommand::Disable(one) => switch(one, false).await,
        TenantCommand::Enable(one) => switch(one, true).await,
    }
}

async fn create(arguments: CreateArgs) -> Result<Outcome> {
    let CreateArgs { slug, name, owner_email, owner_name, plan, domains, password, desk } = arguments;
    let given = password.read()?;
    desk::must_fit("CreateRuntimeSessionRequest", &json!({ "slug": slug }), &[("slug", "--slug")])?;
    let sign_in = json!({ "email": owner_email, "password": given.as_deref().unwrap_or("made") });
    desk::must_fit(
        "OwnerLoginRequest",
        &sign_in,
        &[("email", "--owner-email"), ("password", "the password")],
    )?;
    let store = desk.store().await?;
    let owner_password = desk::password(given).await?;
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
        provisioning::create_tenant(&store, plan.clone(), request, now).await.map_err(told)?;
    let owner = OwnerView { owner_id: owner.id.into_string(), email: owner.email, password };
    let made = Made { tenant: view(tenant, plan), owner };
    tell(desk.json, &made, || text(&made))?;
    Ok(Outcome::Fine)
}

async fn list(desk: &DeskArgs) -> Result<Outcome> {
    let store = desk.store().await?;
    let found = provisioning::list_tenants(&store).await.map_err(told)?;
    let found: Vec<View> = found.into_iter().map(|(tenant, plan)| view(tenant, plan)).collect();
    tell(desk.json, &json!({ "tenants": found }), || {
        let row = |tenant: &View| {
            let state = if tenant.is_active { "on" } else { "off" };
            let name = tenant.name.clone().unwrap_or_default();
            [tenant.slug.clone(), name, tenant.plan.clone(), state.to_owned(), tenant.client_id.clone()]
        };
        table(["slug", "name", "plan", "state", "client id"], &found.iter().map(row).collect::<Vec<_>>())
    })?;
    Ok(Outcome::Fine)
}

async fn switch(one: OneArgs, on: bool) -> Result<Outcome> {
    let store = one.desk.store().await?;
    let now = Clock::default().now();
    let tenant = provisioning::set_tenant_active(&store, one.slug, on, now).await.map_err(told)?;
    let answer = json!({ "slug": tenant.slug, "clientId": tenant.id.as_str(), "isActive": tenant.is_active });
    tell(one.desk.json, &answer, || {
        let what = if on { "is served again" } else { "is served nothing from now on" };
        format!("Tenant {} {what}.", tenant.slug)
    })?;
    Ok(Outcome::Fine)
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

fn text(made: &Made) -> String {
    let Made { tenant, owner } = made;
    let password = owner.password.as_ref().map_or_else(
        || "as given".to_owned(),
        |password| format!("{password}   (told only now: hand it over safely)"),
    );
    format!(
        "Tenant      {}, plan {}\nClient id   {}\nPublic key  {}\nOwner       {}\nPassword    {password}\n",
        tenant.slug, tenant.plan, tenant.client_id, tenant.public_key, owner.email
    )
}
