//! Contacts, the customers of a tenant: upsert, list with exact totals, update, delete.
//!
//! Every function that changes `contacts` also updates `contact_tags`, `search_text` and `contact_totals`.

use chrono::{DateTime, Utc};
use diesel::{
    delete,
    dsl::{count_star, not},
    insert_into,
    prelude::*,
    update,
    upsert::excluded,
};

use crate::{
    changes::set_if_some,
    engine::{Conn, DbTimestamp, StoreResult, TextList, on_engine, to_stored_precision},
    ids::{ContactId, TenantId},
    page::{Page, PageRequest},
    schema::{contact_tags, contact_totals, contacts},
};

/// Rows of the sharded counter of a tenant's contacts. With this many, concurrent writers rarely update the same one.
const SHARDS: u64 = 256;

/// Offset up to which a page is cheap to read.
const CHEAP_OFFSET_LIMIT: i64 = 1_000;

/// Separates the fields in `search_text`, so that no search matches across two of them.
const FIELD_SEPARATOR: char = '\u{1f}';

/// A contact.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = contacts)]
pub struct Contact {
    /// Owning tenant.
    pub tenant_id: TenantId,
    /// Contact id.
    pub id: ContactId,
    /// Id in the customer's own systems, unique within the tenant.
    pub external_id: Option<String>,
    /// Display name.
    pub name: String,
    /// Phone number, as entered.
    pub phone: String,
    /// Email address.
    pub email: Option<String>,
    /// Company.
    pub company: Option<String>,
    /// Tags without duplicates, in the order given.
    #[diesel(deserialize_as = TextList)]
    pub tags: Vec<String>,
    /// Notes.
    pub notes: Option<String>,
    /// Source of the contact.
    pub source: Option<String>,
    /// Creation time.
    #[diesel(deserialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// Time of the last change.
    #[diesel(deserialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
}

/// A contact to insert or update. An update keeps fields that are `None`.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct ContactInput {
    pub external_id: Option<String>,
    pub name: String,
    pub phone: String,
    pub email: Option<String>,
    pub company: Option<String>,
    pub tags: Option<Vec<String>>,
    pub notes: Option<String>,
    pub source: Option<String>,
}

/// Changes to a contact: `None` keeps a field, `Some(None)` clears it.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct ContactChanges {
    pub external_id: Option<Option<String>>,
    pub name: Option<String>,
    pub phone: Option<String>,
    pub email: Option<Option<String>>,
    pub company: Option<Option<String>>,
    pub tags: Option<Vec<String>>,
    pub notes: Option<Option<String>>,
}

/// Which contacts to list. The default lists all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContactFilter {
    /// Text to find in name, phone, email or company, case-insensitive. There are no wildcards.
    pub search: Option<String>,
    /// Tags that a contact must have, all of them.
    pub tags: Vec<String>,
}

impl ContactFilter {
    fn search(&self) -> Option<&str> {
        self.search.as_deref().map(str::trim).filter(|search| !search.is_empty())
    }

    fn lists_all(&self) -> bool {
        self.search().is_none() && self.tags.is_empty()
    }

    /// Whether the page is slow to list for a tenant with many contacts. A search reads all contacts, and a page with a
    /// large offset reads all before it. Use [`Store::read_slow`](crate::Store::read_slow) for these.
    pub fn is_expensive(&self, page: PageRequest) -> bool {
        !self.lists_all() || page.offset() > CHEAP_OFFSET_LIMIT
    }
}

/// Result of an upsert.
#[derive(Clone, Debug, PartialEq)]
pub struct Upserted {
    /// The inserted or updated contact.
    pub contact: Contact,
    /// Whether it was inserted.
    pub created: bool,
}

/// Updates the matching contact or inserts one. The match is the contact with the same external id, otherwise the oldest
/// one with the same phone, unless that one has a different external id.
pub fn contact_upsert(
    c: &mut Conn,
    tenant: &TenantId,
    input: &ContactInput,
    now: DateTime<Utc>,
) -> StoreResult<Upserted> {
    if let Some(known) = contact_find_match(c, tenant, input)? {
        let input = input.clone();
        let changes = ContactChanges {
            external_id: input.external_id.map(Some),
            name: Some(input.name),
            phone: Some(input.phone),
            email: input.email.map(Some),
            company: input.company.map(Some),
            tags: input.tags,
            notes: input.notes.map(Some),
        };
        let contact = contact_change(c, known, &changes, now)?;
        return Ok(Upserted { contact, created: false });
    }
    let contact = contact_insert(c, tenant, input, now)?;
    Ok(Upserted { contact, created: true })
}

fn contact_find_match(c: &mut Conn, tenant: &TenantId, input: &ContactInput) -> StoreResult<Option<Contact>> {
    if let Some(external_id) = &input.external_id {
        let known = contact_by_external_id(c, tenant, external_id)?;
        if known.is_some() {
            return Ok(known);
        }
    }
    let mut with_phone = contacts::table
        .filter(contacts::tenant_id.eq(tenant))
        .filter(contacts::phone.eq(&input.phone))
        .order(contacts::id.asc())
        .select(Contact::as_select())
        .into_boxed();
    if input.external_id.is_some() {
        // Not `is_null()`: SQLite would use the index of external ids and read all contacts that have none.
        with_phone = with_phone.filter(not(contacts::external_id.is_not_null()));
    }
    Ok(with_phone.first(c).optional()?)
}

/// Inserts a contact, even if others have the same phone. Conflict:
/// [`CONTACT_EXTERNAL_ID`](crate::constraint::CONTACT_EXTERNAL_ID).
pub fn contact_insert(
    c: &mut Conn,
    tenant: &TenantId,
    input: &ContactInput,
    now: DateTime<Utc>,
) -> StoreResult<Contact> {
    let now = to_stored_precision(now);
    let input = input.clone();
    let contact = Contact {
        tenant_id: tenant.clone(),
        id: ContactId::generate(),
        external_id: input.external_id,
        name: input.name,
        phone: input.phone,
        email: input.email,
        company: input.company,
        tags: dedup(input.tags.unwrap_or_default()),
        notes: input.notes,
        source: input.source,
        created_at: now,
        updated_at: now,
    };
    insert_into(contacts::table).values(values(&contact)).execute(c)?;
    tags_insert(c, &contact, &contact.tags)?;
    total_add(c, tenant, &contact.id, 1)?;
    Ok(contact)
}

/// The tenant's contact with this id, if any.
pub fn contact_get(c: &mut Conn, tenant: &TenantId, id: &ContactId) -> StoreResult<Option<Contact>> {
    Ok(contacts::table.find((tenant, id)).select(Contact::as_select()).first(c).optional()?)
}

/// The tenant's contact with this external id, if any.
pub fn contact_by_external_id(
    c: &mut Conn,
    tenant: &TenantId,
    external_id: &str,
) -> StoreResult<Option<Contact>> {
    Ok(contacts::table
        .filter(contacts::tenant_id.eq(tenant))
        .filter(contacts::external_id.eq(external_id))
        .select(Contact::as_select())
        .first(c)
        .optional()?)
}

/// A page of the tenant's contacts, ordered by id, which is creation order: an id is generated in the write that inserts
/// the contact and sorts after all earlier ids of the process. (`created_at` is when the request began, and writes may
/// be queued.)
///
/// On SQLite new contacts come after the last page, so they do not shift pages that a client is reading, unless the clock
/// was set back between two starts of the server. On PostgreSQL this is nearly true: writes overlap and nodes have their
/// own clocks, so a new contact may sort before some that were committed earlier.
///
/// The total without a filter costs the same for any number of contacts. The total of a search is counted.
pub fn contact_list(
    c: &mut Conn,
    tenant: &TenantId,
    filter: &ContactFilter,
    page: PageRequest,
) -> StoreResult<Page<Contact>> {
    let search = filter.search();
    let tags = dedup(filter.tags.clone());
    let all = i64::try_from(tags.len()).unwrap_or(i64::MAX);
    let matching = || {
        let mut query = contacts::table.filter(contacts::tenant_id.eq(tenant)).into_boxed();
        if let Some(search) = search {
            query = query.filter(contacts::search_text.like(containing(search)).escape('\\'));
        }
        if !tags.is_empty() {
            // One subquery however many tags there are: PostgreSQL takes minutes to plan hundreds of them.
            let tagged = contact_tags::table
                .filter(contact_tags::tenant_id.eq(tenant))
                .filter(contact_tags::tag.eq_any(tags.clone()))
                .group_by(contact_tags::contact_id)
                .having(count_star().eq(all))
                .select(contact_tags::contact_id);
            query = query.filter(contacts::id.eq_any(tagged));
        }
        query
    };
    let total =
        if filter.lists_all() { contact_count(c, tenant)? } else { matching().count().get_result(c)? };
    if page.offset() > 0 && page.offset() >= total {
        // The page is empty. Do not read all rows before it to find that out.
        return Ok(Page { rows: Vec::new(), total });
    }
    let rows = matching()
        .order(contacts::id.asc())
        .limit(page.limit())
        .offset(page.offset())
        .select(Contact::as_select())
        .load(c)?;
    Ok(Page { rows, total })
}

/// Exact number of contacts of the tenant.
pub fn contact_count(c: &mut Conn, tenant: &TenantId) -> StoreResult<i64> {
    let shards: Vec<i64> = contact_totals::table
        .filter(contact_totals::tenant_id.eq(tenant))
        .select(contact_totals::total)
        .load(c)?;
    Ok(shards.into_iter().sum())
}

/// Changes a contact and returns it. `None` if the tenant has no such contact. Conflict:
/// [`CONTACT_EXTERNAL_ID`](crate::constraint::CONTACT_EXTERNAL_ID).
pub fn contact_update(
    c: &mut Conn,
    tenant: &TenantId,
    id: &ContactId,
    changes: &ContactChanges,
    now: DateTime<Utc>,
) -> StoreResult<Option<Contact>> {
    match contact_get(c, tenant, id)? {
        Some(contact) => contact_change(c, contact, changes, now).map(Some),
        None => Ok(None),
    }
}

fn contact_change(
    c: &mut Conn,
    mut contact: Contact,
    changes: &ContactChanges,
    now: DateTime<Utc>,
) -> StoreResult<Contact> {
    let changes = changes.clone();
    set_if_some(&mut contact.external_id, changes.external_id);
    set_if_some(&mut contact.name, changes.name);
    set_if_some(&mut contact.phone, changes.phone);
    set_if_some(&mut contact.email, changes.email);
    set_if_some(&mut contact.company, changes.company);
    set_if_some(&mut contact.notes, changes.notes);
    if let Some(tags) = changes.tags.map(dedup) {
        let gone: Vec<&String> = contact.tags.iter().filter(|tag| !tags.contains(tag)).collect();
        let new: Vec<String> = tags.iter().filter(|tag| !contact.tags.contains(tag)).cloned().collect();
        if !gone.is_empty() {
            delete(
                contact_tags::table
                    .filter(contact_tags::tenant_id.eq(&contact.tenant_id))
                    .filter(contact_tags::contact_id.eq(&contact.id))
                    .filter(contact_tags::tag.eq_any(gone)),
            )
            .execute(c)?;
        }
        tags_insert(c, &contact, &new)?;
        contact.tags = tags;
    }
    contact.updated_at = to_stored_precision(now);
    update(contacts::table.find((&contact.tenant_id, &contact.id))).set(values(&contact)).execute(c)?;
    Ok(contact)
}

/// Deletes a contact. Returns `false` if the tenant has no such contact.
pub fn contact_delete(c: &mut Conn, tenant: &TenantId, id: &ContactId) -> StoreResult<bool> {
    let deleted = delete(contacts::table.find((tenant, id))).execute(c)? > 0;
    if deleted {
        total_add(c, tenant, id, -1)?;
    }
    Ok(deleted)
}

/// All columns of a contact, including derived ones. `None` clears a column.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = contacts, primary_key(tenant_id, id), treat_none_as_null = true)]
struct Values<'a> {
    tenant_id: &'a TenantId,
    id: &'a ContactId,
    external_id: Option<&'a str>,
    name: &'a str,
    phone: &'a str,
    email: Option<&'a str>,
    company: Option<&'a str>,
    tags: TextList,
    notes: Option<&'a str>,
    source: Option<&'a str>,
    search_text: String,
    created_at: DbTimestamp,
    updated_at: DbTimestamp,
}

fn values(contact: &Contact) -> Values<'_> {
    Values {
        tenant_id: &contact.tenant_id,
        id: &contact.id,
        external_id: contact.external_id.as_deref(),
        name: &contact.name,
        phone: &contact.phone,
        email: contact.email.as_deref(),
        company: contact.company.as_deref(),
        tags: TextList(contact.tags.clone()),
        notes: contact.notes.as_deref(),
        source: contact.source.as_deref(),
        search_text: search_text(contact),
        created_at: contact.created_at.into(),
        updated_at: contact.updated_at.into(),
    }
}

/// The searchable text of a contact. Lower-cased here because SQLite changes the case of ASCII letters only.
fn search_text(contact: &Contact) -> String {
    let parts = [Some(&contact.name), Some(&contact.phone), contact.email.as_ref(), contact.company.as_ref()];
    let mut text = String::new();
    for part in parts.into_iter().flatten() {
        text.push(FIELD_SEPARATOR);
        text.push_str(&part.to_lowercase());
    }
    text
}

/// A LIKE pattern (escape character `\`) for text that contains `search`, case-insensitive.
fn containing(search: &str) -> String {
    let mut pattern = String::from("%");
    for character in search.to_lowercase().chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

fn dedup(tags: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    tags.into_iter().filter(|tag| seen.insert(tag.clone())).collect()
}

fn tags_insert(c: &mut Conn, contact: &Contact, tags: &[String]) -> StoreResult<()> {
    if tags.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = tags
        .iter()
        .map(|tag| {
            (
                contact_tags::tenant_id.eq(&contact.tenant_id),
                contact_tags::contact_id.eq(&contact.id),
                contact_tags::tag.eq(tag),
            )
        })
        .collect();
    on_engine!(c, c => insert_into(contact_tags::table).values(&rows).execute(c))?;
    Ok(())
}

/// Adds `change` to the shard that the contact id hashes to.
fn total_add(c: &mut Conn, tenant: &TenantId, id: &ContactId, change: i64) -> StoreResult<()> {
    let hash =
        id.as_str().bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let shard = i64::try_from(hash % SHARDS).unwrap_or_default();
    let row = (
        contact_totals::tenant_id.eq(tenant),
        contact_totals::shard.eq(shard),
        contact_totals::total.eq(change),
    );
    on_engine!(c, c => insert_into(contact_totals::table)
        .values(row)
        .on_conflict((contact_totals::tenant_id, contact_totals::shard))
        .do_update()
        .set(contact_totals::total.eq(contact_totals::total + excluded(contact_totals::total)))
        .execute(c))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_wildcards_in_searches() {
        assert_eq!(containing(r"50%_A\b"), r"%50\%\_a\\b%");
    }
}
