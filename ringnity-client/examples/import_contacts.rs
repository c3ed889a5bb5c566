//! Imports contacts: sign in as the owner, create a Server API key, import the contacts of a CSV file, and list
//! them page by page.
//!
//! Start a demo server with `cargo run -p ringnity-server -- serve --demo --demo-file demo.json`, then run
//! `cargo run -p ringnity-client --example import_contacts -- --demo-file demo.json`.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use ringnity_client::types::{
    ContactInput, CreateServerApiCredentialRequest, OwnerLoginRequest, ServerApiScope,
};
use ringnity_client::{Client, OwnerToken, ServerKey};
use serde::Deserialize;

/// Contacts per page. Small, so that there are several pages.
const PAGE_SIZE: i64 = 5;

/// Import contacts from a CSV file and list them
#[derive(Debug, Parser)]
struct Arguments {
    /// File written by `ringnity-server serve --demo-file`; replaces URL, e-mail and password
    #[arg(long, value_name = "FILE", env = "RINGNITY_DEMO_FILE")]
    demo_file: Option<PathBuf>,
    /// Base URL of the server
    #[arg(long, value_name = "URL", env = "RINGNITY_BASE_URL", default_value = "http://127.0.0.1:8192")]
    base_url: String,
    /// The owner's e-mail address
    #[arg(long, env = "RINGNITY_OWNER_EMAIL", required_unless_present = "demo_file")]
    email: Option<String>,
    /// The owner's password
    #[arg(
        long,
        env = "RINGNITY_OWNER_PASSWORD",
        hide_env_values = true,
        required_unless_present = "demo_file"
    )]
    password: Option<String>,
    /// CSV file with the columns externalId,name,phone,email,company,tags (tags separated by `;`)
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/contacts.csv"))]
    contacts: PathBuf,
}

/// The fields of the demo file that this program reads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Demo {
    base_url: String,
    owner: Owner,
}

#[derive(Debug, Deserialize)]
struct Owner {
    email: String,
    password: String,
}

/// A line of the CSV file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    external_id: String,
    name: String,
    phone: String,
    email: Option<String>,
    company: Option<String>,
    tags: String,
}

impl From<Row> for ContactInput {
    fn from(row: Row) -> Self {
        let tags = row.tags.split(';').filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
        Self {
            external_id: Some(row.external_id),
            email: row.email,
            company: row.company,
            tags: Some(tags),
            ..Self::new(row.name, row.phone)
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  caused by: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let (base_url, owner) = server_and_owner(&arguments)?;
    let rows = read_contacts(&arguments.contacts)?;

    let anonymous = Client::builder(&base_url).user_agent("import-contacts/1.0").build()?;
    let login = anonymous.login_owner(OwnerLoginRequest::new(owner.email, owner.password)).send().await;
    let session = login.map_err(|error| hint(error, &base_url))?;
    let owner = anonymous.with_credential(OwnerToken::new(session.into_inner().data.access_token));
    println!("signed in at {base_url}");

    let scopes = vec![
        ServerApiScope::ServerContactsRead,
        ServerApiScope::ServerContactsWrite,
        ServerApiScope::ServerTenantRead,
    ];
    let scope_names: Vec<String> = scopes.iter().map(ToString::to_string).collect();
    let request = CreateServerApiCredentialRequest::new("Contact import", scopes);
    let created = owner.create_server_api_credential(request).send().await?.into_inner();
    let secret = created.data.and_then(|data| data.secret).ok_or("the response has no secret")?;
    println!("created a Server API key with the scopes {}", scope_names.join(", "));

    let server = owner.with_credential(ServerKey::new(secret));
    if let Some(tenant) = server.get_server_tenant().send().await?.into_inner().data.tenant {
        println!("tenant: {}", tenant.name.unwrap_or(tenant.client_id));
    }

    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?;
    let progress = ProgressBar::new(rows.len() as u64).with_style(style);
    progress.enable_steady_tick(Duration::from_millis(100));
    let mut sent = BTreeSet::new();
    for row in rows {
        progress.set_message(row.name.clone());
        sent.insert(row.external_id.clone());
        let line = row.external_id.clone();
        server
            .upsert_contact(row.into())
            .send()
            .await
            .map_err(|error| format!("cannot import contact {line}: {error}"))?;
        progress.inc(1);
    }
    progress.finish_with_message("imported");

    let (mut page, mut contacts) = (1, Vec::new());
    loop {
        let list = server.list_contacts().page(page).limit(PAGE_SIZE).send().await?.into_inner().data;
        let full = list.contacts.len() == PAGE_SIZE as usize;
        let more = list.pagination.and_then(|pagination| pagination.has_more).unwrap_or(full);
        contacts.extend(list.contacts);
        if !more {
            break;
        }
        page += 1;
    }
    let listed: BTreeSet<&str> =
        contacts.iter().filter_map(|contact| contact.external_id.as_deref()).collect();
    let missing: Vec<&String> = sent.iter().filter(|id| !listed.contains(id.as_str())).collect();
    println!(
        "listed {} contacts on {page} pages; {} of them were imported",
        contacts.len(),
        sent.len() - missing.len()
    );
    if !missing.is_empty() {
        return Err(format!("imported contacts are missing from the list: {missing:?}").into());
    }
    Ok(())
}

/// Base URL and owner account, from the demo file or the command line.
fn server_and_owner(arguments: &Arguments) -> Result<(String, Owner), Box<dyn Error>> {
    match (&arguments.demo_file, &arguments.email, &arguments.password) {
        (Some(path), ..) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                format!("cannot read {}: {error}; start the server with --demo-file", path.display())
            })?;
            let demo: Demo = serde_json::from_str(&text)
                .map_err(|error| format!("{} is not a demo file: {error}", path.display()))?;
            Ok((demo.base_url, demo.owner))
        }
        (None, Some(email), Some(password)) => {
            let owner = Owner { email: email.clone(), password: password.clone() };
            Ok((arguments.base_url.clone(), owner))
        }
        _ => Err("pass --demo-file, or --email and --password".into()),
    }
}

fn read_contacts(path: &Path) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut reader =
        csv::Reader::from_path(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let rows: Result<Vec<Row>, csv::Error> = reader.deserialize().collect();
    rows.map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Adds what to do to common errors.
fn hint(error: ringnity_client::Error, base_url: &str) -> Box<dyn Error> {
    match &error {
        ringnity_client::Error::Transport(_) => {
            format!("{error} at {base_url}; is it running? `cargo run -p ringnity-server -- serve --demo`")
                .into()
        }
        _ if error.status().is_some_and(|status| status.as_u16() == 401) => {
            format!("e-mail or password is wrong ({error})").into()
        }
        _ => error.into(),
    }
}
