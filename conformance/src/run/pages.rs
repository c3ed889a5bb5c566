//! Checks pagination: reads lists to the end with several page sizes. Each must give the same items, each item once.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::engine::Engine;
use crate::checker::Finding;
use crate::contract::{Operation, Parameter, ParameterLocation};
use crate::draft::Draft;
use crate::plan::{BaseRequest, Expectation, Probe};
use crate::report::Rule;
use crate::wire::{Response, truncate};

/// Query parameters with a cursor, and the response member with the next one.
const CURSORS: [&str; 2] = ["cursor", "before"];
const NEXT: &str = "nextCursor";

/// Longer lists are not read to the end.
const MAX_PAGES: usize = 60;

/// The pagination parameters of an operation.
struct Paging<'o> {
    limit: &'o Parameter,
    page: Option<&'o Parameter>,
    cursor: Option<&'o Parameter>,
}

fn paging(operation: &Operation) -> Option<Paging<'_>> {
    let query = |name: &str| operation.parameter(ParameterLocation::Query, name);
    let paging =
        Paging { limit: query("limit")?, page: query("page"), cursor: CURSORS.into_iter().find_map(query) };
    (operation.is_read_only() && (paging.page.is_some() || paging.cursor.is_some())).then_some(paging)
}

/// A list that was read to the end.
struct Listing {
    items: Vec<String>,
    totals: Vec<u64>,
}

/// Checks the pagination of a base request, if its operation has any.
pub async fn run(engine: &Engine, base: &BaseRequest) {
    let operation = &base.draft.operation;
    let Some(paging) = paging(operation) else { return };
    if !engine.record.is_implemented(&operation.id) || engine.stop_reason().is_some() {
        return;
    }
    let schema = paging.limit.schema.as_deref().and_then(|pointer| engine.contract.schema(pointer).ok());
    let most = schema
        .and_then(|schema| schema.keyword_values_at("", "maximum").ok()?.first()?.as_u64())
        .unwrap_or(50)
        .clamp(2, 1000);
    let Some(whole) = read_list(engine, base, &paging, most).await else { return };
    engine.record.count_checks([Rule::Page]);
    if whole.items.len() < 3 {
        engine.record.note(format!(
            "{}: the list has fewer than three items, so pagination is hardly tested",
            operation.id
        ));
    }
    let count = whole.items.len() as u64;
    // One page size for a few pages, and one for many.
    for limit in [count / 2 + 1, (count / 40).max(2), (count / 40).max(1)] {
        if limit >= most {
            continue;
        }
        let Some(small) = read_list(engine, base, &paging, limit).await else { return };
        if small.items != whole.items {
            let distinct: HashSet<&String> = whole.items.iter().collect();
            let lost = whole.items.iter().find(|item| !small.items.contains(item));
            let extra = small.items.iter().find(|item| !distinct.contains(item));
            let expected = format!("the same {count} items with page size {limit} as with {most}");
            let seen = match (lost, extra) {
                (Some(lost), _) => format!("{} items; missing: {}", small.items.len(), truncate(lost, 120)),
                (None, Some(extra)) => {
                    format!("{} items; additional: {}", small.items.len(), truncate(extra, 120))
                }
                (None, None) => format!("{} items, in another order or twice", small.items.len()),
            };
            report(engine, &first_page(base, &paging, limit), Finding::new(Rule::Page, "", expected, seen))
                .await;
            return;
        }
    }
    if whole.totals.iter().any(|total| *total != count) {
        let seen = format!("{:?}", whole.totals);
        let finding = Finding::new(Rule::Page, "/total", format!("total {count}"), seen);
        report(engine, &first_page(base, &paging, most), finding).await;
    }
}

fn first_page(base: &BaseRequest, paging: &Paging<'_>, limit: u64) -> Draft {
    let mut draft = base.draft.clone();
    let _ = draft.set(paging.limit, Some(&json!(limit)));
    draft
}

async fn report(engine: &Engine, draft: &Draft, finding: Finding) {
    if let Ok(request) = draft.request() {
        let tried = "the whole list";
        engine.call(&draft.operation, tried, &request, |_, findings| findings.push(finding)).await;
    }
}

async fn read_list(engine: &Engine, base: &BaseRequest, paging: &Paging<'_>, limit: u64) -> Option<Listing> {
    let mut draft = first_page(base, paging, limit);
    let mut out = Listing { items: Vec::new(), totals: Vec::new() };
    let mut seen = HashSet::new();
    for number in 1..=MAX_PAGES {
        if let Some(page) = paging.page {
            draft.set(page, Some(&json!(number))).ok()?;
        }
        let tried = format!("page {number} of {limit} items");
        let probe = Probe { description: tried.clone(), draft: draft.clone(), expect: Expectation::Valid };
        let response = engine.send_probe(&probe).await.filter(Response::is_success)?;
        let body = response.json()?;
        let owner = list_owner(&body)?;
        let items: Vec<String> = list(owner)?.iter().map(item_key).collect();
        let count = items.len() as u64;
        let next = page_member(owner, NEXT).and_then(Value::as_str).map(str::to_owned);
        let more = page_member(owner, "hasMore").and_then(Value::as_bool);
        if let Some(total) = page_member(owner, "total").and_then(Value::as_u64) {
            out.totals.push(total);
        }
        let mut wrong = None;
        if count > limit {
            wrong = Some((format!("at most {limit} items"), format!("{count} items")));
        }
        if let Some(twice) = items.iter().find(|item| !seen.insert((*item).clone())) {
            wrong = Some((
                "every item on one page only".to_owned(),
                format!("repeated: {}", truncate(twice, 120)),
            ));
        }
        out.items.extend(items);
        let total = out.totals.last().copied();
        let left = total.map(|total| total > out.items.len() as u64);
        if let (Some(more), Some(left)) = (more, left)
            && more != left
        {
            wrong = Some((
                format!("hasMore {left}: {} of {total:?}", out.items.len()),
                format!("hasMore {more}"),
            ));
        }
        if paging.page.is_none() && more.is_some_and(|more| more != next.is_some()) {
            wrong = Some((
                "hasMore if there is a next cursor, and only then".to_owned(),
                format!("{more:?} and {next:?}"),
            ));
        }
        if let Some((expected, seen)) = wrong {
            report(engine, &draft, Finding::new(Rule::Page, "", expected, seen)).await;
            return None;
        }
        let ended = match paging.cursor {
            Some(cursor) if paging.page.is_none() => match next {
                Some(next) => {
                    draft.set(cursor, Some(&json!(next))).ok()?;
                    false
                }
                None => true,
            },
            _ => match (more, left) {
                (Some(more), _) => !more,
                (None, Some(left)) => !left,
                (None, None) => count < limit,
            },
        };
        if ended {
            return Some(out);
        }
        if count == 0 {
            let finding = Finding::new(
                Rule::Page,
                "",
                "no page after the last item",
                "an empty page and more to follow",
            );
            report(engine, &draft, finding).await;
            return None;
        }
    }
    // The list is too long to read to the end, so nothing is known of it.
    None
}

/// The object with the list: the body, or a member of its envelope.
fn list_owner(body: &Value) -> Option<&Value> {
    if list(body).is_some() {
        return Some(body);
    }
    body.as_object()?.values().find(|value| value.is_object() && list(value).is_some())
}

/// A member of the page, next to the list or in an object there.
fn page_member<'v>(owner: &'v Value, name: &str) -> Option<&'v Value> {
    let inner = || owner.as_object()?.values().find_map(|value| value.as_object()?.get(name));
    owner.get(name).or_else(inner)
}

/// The list: the first array of objects, or an empty array.
fn list(owner: &Value) -> Option<&Vec<Value>> {
    if let Value::Array(items) = owner {
        return Some(items);
    }
    let lists =
        || owner.as_object().into_iter().flat_map(|members| members.values()).filter_map(Value::as_array);
    lists()
        .find(|items| items.first().is_some_and(Value::is_object))
        .or_else(|| lists().find(|items| items.is_empty()))
}

/// What identifies an item: its id, or the whole item.
fn item_key(item: &Value) -> String {
    item.get("id").unwrap_or(item).to_string()
}
