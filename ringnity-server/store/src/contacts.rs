//! Contacts: who a tenant's customers are. Upsert, list with exact totals, change, delete.
//!
//! Every function keeps three things in step with `contacts`: `contact_tags`, `search_text`, `contact_totals`.

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

/// Rows over which a tenant's number of contacts is spread: so many that writers who come at once seldom meet in one.
const SHARDS: u64 = 256;

/// How many contacts before a page are soon passed over.
const NEAR: i64 = 1_000;

/// Stands between the parts of `search_text`, so that no search matches across two of them.
const BETWEEN: char = '\u{1f}';

/// A contact.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = contacts)]
pub struct Contact {
    /// Whose contact.
    pub tenant_id: TenantId,
    /// Its id.
    pub id: ContactId,
    /// Its id with the tenant's own systems: unique within the tenant.
    pub external_id: Option<String>,
    /// What it is called.
    pub name: String,
    /// Telephone number, as given.
    pub phone: String,
    /// Email address.
    pub email: Option<String>,
    /// Where it works.
    pub company: Option<String>,
    /// Labels, each once, in the order given.
    #[diesel(deserialize_as = TextList)]
    pub tags: Vec<String>,
    /// Free text.
    pub notes: Option<String>,
    /// Where it came from.
    pub source: Option<String>,
    /// When it was made.
    #[diesel(deserialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[diesel(deserialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
}

/// A contact as somebody tells of it. What is `None` is not known, and leaves a known contact as it is.
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

/// What to change of a contact: `None` leaves a field as it is, `Some(None)` empties it.
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
    /// Text to be found in name, phone, email or company, in any case. No character of it is a wildcard.
    pub search: Option<String>,
    /// Tags that a contact must all have.
    pub tags: Vec<String>,
}

impl ContactFilter {
    fn search(&self) -> Option<&str> {
        self.search.as_deref().map(str::trim).filter(|search| !search.is_empty())
    }

    fn lists_all(&self) -> bool {
        self.search().is_none() && self.tags.is_empty()
    }

    /// Whether to list that page of it takes long where a tenant has very many contacts: a search reads them all, and a
    /// page far down all that come before it. Such a list is for [`Store::read_slow`](crate::Store::read_slow).
    pub fn is_expensive(&self, page: PageRequest) -> bool {
        !self.lists_all() || page.offset() > NEAR
    }
}

/// What an upsert came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Upserted {
    /// The contact as it is now.
    pub contact: Contact,
    /// Whether it was not known before.
    pub created: bool,
}

/// Makes a contact, or brings the known one up to date: the one with that external id; else the oldest one with
/// that phone, unless it has another external id and therefore is somebody else.
pub fn contact_upsert(
    c: &mut Conn,
    tenant: &TenantId,
    input: &ContactInput,
    now: DateTime<Utc>,
) -> StoreResult<Upserted> {
    if let Some(known) = contact_known(c, tenant, input)? {
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

fn contact_known(c: &mut Conn, tenant: &TenantId, input: &ContactInput) -> StoreResult<Option<Contact>> {
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
        // Said so that SQLite does not take the index of external ids for it, and read all that have none.
        with_phone = with_phone.filter(not(contacts::external_id.is_not_null()));
    }
    Ok(with_phone.first(c).optional()?)
}

/// Makes a contact, whoever else has its phone. Conflict:
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
        tags: each_once(input.tags.unwrap_or_default()),
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

/// One of the tenant's contacts.
pub fn contact_get(c: &mut Conn, tenant: &TenantId, id: &ContactId) -> StoreResult<Option<Contact>> {
    Ok(contacts::table.find((tenant, id)).select(Contact::as_select()).first(c).optional()?)
}

/// The tenant's contact with that external id.
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

/// The tenant's contacts in the order of their ids, and so of their making: an id is drawn in the write that makes the
/// contact, later in order than those that its process drew before. `created_at` is when the caller began, and writes
/// wait for each other.
///
/// On SQLite, what is added while somebody reads the pages comes after the last one and moves nothing, unless the clock
/// was set back between two starts. On PostgreSQL that holds but for neighbours: writes overlap and nodes have clocks of
/// their own, so a contact may come before some that were committed sooner, on a page that somebody has read already.
///
/// The total of all contacts costs the same however many there are; that of a search is counted.
pub fn contact_list(
    c: &mut Conn,
    tenant: &TenantId,
    filter: &ContactFilter,
    page: PageRequest,
) -> StoreResult<Page<Contact>> {
    let search = filter.search();
    let tags = each_once(filter.tags.clone());
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
        // There is nothing there, and to find that out all would be read once more.
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

/// How many contacts the tenant has, exactly.
pub fn contact_count(c: &mut Conn, tenant: &TenantId) -> StoreResult<i64> {
    let shards: Vec<i64> = contact_totals::table
        .filter(contact_totals::tenant_id.eq(tenant))
        .select(contact_totals::total)
        .load(c)?;
    Ok(shards.into_iter().sum())
}

/// Changes a contact and returns what it is then; `None` when the tenant has no such contact. Conflict:
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
    if let Some(tags) = changes.tags.map(each_once) {
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

/// Deletes a contact for good; says whether the tenant had it.
pub fn contact_delete(c: &mut Conn, tenant: &TenantId, id: &ContactId) -> StoreResult<bool> {
    let deleted = delete(contacts::table.find((tenant, id))).execute(c)? > 0;
    if deleted {
        total_add(c, tenant, id, -1)?;
    }
    Ok(deleted)
}

/// All columns of a contact, with what is derived from it. `None` empties a column.
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

/// Lower-cased here rather than by the database: SQLite knows the case of ASCII letters only.
fn search_text(contact: &Contact) -> String {
    let parts = [Some(&contact.name), Some(&contact.phone), contact.email.as_ref(), contact.company.as_ref()];
    let mut text = String::new();
    for part in parts.into_iter().flatten() {
        text.push(BETWEEN);
        text.push_str(&part.to_lowercase());
    }
    text
}

/// A LIKE pattern (escape `\`) for what contains exactly that text, in any case.
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

fn each_once(tags: Vec<String>) -> Vec<String> {
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

/// Counts a contact in or out of the shard that its id falls to.
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
    fn wildcards_are_searched_for_as_they_are() {
        assert_eq!(containing(r"50%_A\b"), r"%50\%\_a\\b%");
    }
}
