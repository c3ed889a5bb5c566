//! Contacts of a tenant: create, search, update, delete. Every change appends an event.

use ringnity_store::contacts::{self, ContactChanges, ContactFilter, ContactInput as NewContact};
use ringnity_store::events::{EventName, event_append, event_redact};
use ringnity_store::tenants::Quota;
use ringnity_store::{Conn, ContactId, PageRequest, StoreError, TenantId, constraint};
use ringnity_types::{
    ConstTrue, Contact, ContactData, ContactDeleted, ContactInput, ContactList, ContactPatchInput,
    ContactSource, ErrorCode, Pagination,
};
use serde::Serialize;
use serde_json::json;

use super::{App, AppError, AppResult, ErrorKind, IdempotencyKey, non_blank, plans};

/// Filter and page of a contact list.
#[derive(Debug, Clone, Default)]
pub struct ListContacts {
    /// Page number, starting at 1.
    pub page: i64,
    /// Contacts per page.
    pub limit: i64,
    /// Text to search in name, phone, email and company.
    pub search: Option<String>,
    /// Comma-separated tags that a contact must all have.
    pub tags: Option<String>,
}

/// Returns one page of contacts, oldest first, with the exact total.
pub async fn list_contacts(app: &App, tenant: TenantId, query: ListContacts) -> AppResult<ContactList> {
    let request = PageRequest::new(query.page, query.limit);
    let filter = ContactFilter {
        search: query.search.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
        tags: query
            .tags
            .iter()
            .flat_map(|tags| tags.split(','))
            .map(|tag| tag.trim().to_owned())
            .filter(|tag| !tag.is_empty())
            .collect(),
    };
    let is_expensive = filter.is_expensive(request);
    let list = move |c: &mut Conn| Ok::<_, AppError>(contacts::contact_list(c, &tenant, &filter, request)?);
    let page = if is_expensive { app.store.read_slow(list).await? } else { app.store.read(list).await? };
    let has_more = page.has_more(request);
    Ok(ContactList {
        pagination: Some(Pagination {
            total: Some(page.total),
            page: Some(query.page),
            limit: Some(query.limit),
            has_more: Some(has_more),
        }),
        contacts: page.rows.into_iter().map(contact).collect(),
    })
}

/// Creates a contact, or updates the one with the same external id or else the same phone.
pub async fn upsert_contact(
    app: &App,
    tenant: TenantId,
    input: ContactInput,
    idempotency_key: IdempotencyKey,
) -> AppResult<ContactData> {
    let now = app.now();
    let input = NewContact {
        external_id: non_blank(input.external_id),
        name: input.name,
        phone: input.phone.trim().to_owned(),
        email: non_blank(input.email),
        company: non_blank(input.company),
        tags: input.tags.map(normalize_tags),
        notes: non_blank(input.notes),
        source: Some(ContactSource::ServerApi.to_string()),
    };
    validate_not_blank(Some(&input.name), Some(&input.phone))?;
    app.idempotent(idempotency_key, move |c| {
        let upserted = contacts::contact_upsert(c, &tenant, &input, now).map_err(map_conflict)?;
        if upserted.created {
            check_quota(c, &tenant)?;
        }
        let event = if upserted.created { EventName::ContactCreated } else { EventName::ContactUpdated };
        let contact = contact(upserted.contact);
        append_event(c, &tenant, event, &contact, now)?;
        Ok(ContactData { contact: Some(contact) })
    })
    .await
}

/// Checks the plan's limit after the insert. Contacts are counted only if there is a limit, because reading the total
/// makes concurrent writes conflict.
fn check_quota(c: &mut Conn, tenant: &TenantId) -> AppResult<()> {
    let Some(limit) = plans::limit_of(c, tenant, Quota::Contacts)? else { return Ok(()) };
    let count = contacts::contact_count(c, tenant)?;
    plans::must_be_room(limit, count, ErrorCode::FeatureNotAvailable, |limit| {
        format!("The plan allows {limit} contacts. Delete some, or upgrade the plan.")
    })
}

/// Returns a contact.
pub async fn get_contact(app: &App, tenant: TenantId, id: ContactId) -> AppResult<ContactData> {
    let found = app
        .store
        .read(move |c| contacts::contact_get(c, &tenant, &id)?.ok_or_else(contact_not_found))
        .await?;
    Ok(ContactData { contact: Some(contact(found)) })
}

/// Updates the members that the request contains.
pub async fn update_contact(
    app: &App,
    tenant: TenantId,
    id: ContactId,
    input: ContactPatchInput,
) -> AppResult<ContactData> {
    let now = app.now();
    let changes = ContactChanges {
        // An empty string clears a member, like null.
        external_id: input.external_id.into_change().map(non_blank),
        name: input.name,
        phone: input.phone.map(|phone| phone.trim().to_owned()),
        email: input.email.into_change().map(non_blank),
        company: input.company.into_change().map(non_blank),
        tags: input.tags.map(normalize_tags),
        notes: input.notes.into_change().map(non_blank),
    };
    if changes == ContactChanges::default() {
        // No event for an empty change.
        return get_contact(app, tenant, id).await;
    }
    validate_not_blank(changes.name.as_deref(), changes.phone.as_deref())?;
    let changed = app
        .store
        .write(move |c| {
            let changed = contacts::contact_update(c, &tenant, &id, &changes, now).map_err(map_conflict)?;
            let changed = contact(changed.ok_or_else(contact_not_found)?);
            append_event(c, &tenant, EventName::ContactUpdated, &changed, now)?;
            Ok::<_, AppError>(changed)
        })
        .await?;
    Ok(ContactData { contact: Some(changed) })
}

/// Deletes a contact and removes its data from earlier events.
pub async fn delete_contact(app: &App, tenant: TenantId, id: ContactId) -> AppResult<ContactDeleted> {
    let now = app.now();
    let deleted = id.clone();
    app.store
        .write(move |c| {
            if !contacts::contact_delete(c, &tenant, &id)? {
                return Err(contact_not_found());
            }
            let payload = json!({ "contactId": id.as_str() }).to_string();
            event_redact(c, &tenant, id.as_str(), &payload)?;
            event_append(c, &tenant, EventName::ContactDeleted, Some(id.as_str()), &payload, now)?;
            Ok(())
        })
        .await?;
    Ok(ContactDeleted { deleted: ConstTrue, id: deleted.into_string() })
}

fn append_event(
    c: &mut Conn,
    tenant: &TenantId,
    event: EventName,
    contact: &Contact,
    now: chrono::DateTime<chrono::Utc>,
) -> AppResult<()> {
    #[derive(Serialize)]
    struct ContactEventPayload<'a> {
        contact: &'a Contact,
    }
    let payload = serde_json::to_string(&ContactEventPayload { contact }).map_err(AppError::internal)?;
    Ok(event_append(c, tenant, event, Some(&contact.id), &payload, now)?)
}

fn contact(stored: contacts::Contact) -> Contact {
    Contact {
        id: stored.id.into_string(),
        external_id: stored.external_id,
        name: stored.name,
        phone: stored.phone,
        email: stored.email,
        company: stored.company,
        tags: Some(stored.tags),
        notes: stored.notes,
        source: stored.source.map(ContactSource::from),
        created_at: Some(stored.created_at),
        updated_at: Some(stored.updated_at),
    }
}

/// Rejects a name or phone of only white space, which the contract accepts.
fn validate_not_blank(name: Option<&str>, phone: Option<&str>) -> AppResult<()> {
    let blank = |text: Option<&str>| text.is_some_and(|text| text.trim().is_empty());
    let lines: Vec<&str> = [(blank(name), "/body/name: is blank"), (blank(phone), "/body/phone: is blank")]
        .into_iter()
        .filter_map(|(blank, line)| blank.then_some(line))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    let refusal = AppError::new(
        ErrorKind::Invalid,
        ErrorCode::ServerContactValidationFailed,
        "A contact needs a name and a phone number. Send both, or omit members that should not change.",
    );
    Err(lines.into_iter().fold(refusal, AppError::detail))
}

/// Tags without surrounding white space and without blank ones.
fn normalize_tags(tags: Vec<String>) -> Vec<String> {
    tags.iter().map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
}

fn contact_not_found() -> AppError {
    AppError::not_found(
        ErrorCode::ServerContactNotFound,
        "The contact does not exist. It may have been deleted; list the contacts to find its id.",
    )
}

fn map_conflict(error: StoreError) -> AppError {
    if error.is_conflict_on(constraint::CONTACT_EXTERNAL_ID) {
        return AppError::new(
            ErrorKind::Conflict,
            ErrorCode::ServerContactConflict,
            "Another contact has this externalId. Update that contact, or send another externalId.",
        );
    }
    error.into()
}
