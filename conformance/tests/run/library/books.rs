//! The books of a town: create, read, update, delete, list, export, and their texts.

use serde_json::{Map, Value, json};

use super::Seed;
use super::answer::{Answer, Fault};
use super::state::{Row, State};

/// A validated request: the town of the caller, the parameters and the body.
#[derive(Debug)]
pub struct Input {
    pub town: usize,
    pub params: Map<String, Value>,
    pub body: Value,
}

impl Input {
    pub fn text(&self, name: &str) -> &str {
        self.params.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// An integer with a default.
    pub fn number(&self, name: &str, default: usize) -> usize {
        let number =
            self.params.get(name).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
        number.unwrap_or(default)
    }
}

/// Default and maximum page size.
const LIMIT: usize = 20;
const MOST: usize = 50;

/// The requested page size, limited to the maximum even if a seed lets a larger one through.
pub fn limit(input: &Input) -> usize {
    match input.params.get("limit") {
        Some(limit) => limit.as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MOST).min(MOST),
        None => LIMIT,
    }
}

/// The index of the book in the path; in any town if `lost` is the seed.
fn place(state: &State, input: &Input, lost: Option<Seed>) -> Result<usize, Fault> {
    let town = if lost.is_some_and(|lost| state.has_seed(lost)) { None } else { Some(input.town) };
    State::find(&state.books, town, input.text("bookId")).ok_or_else(Fault::not_found)
}

pub fn list(state: &State, input: &Input) -> Answer {
    let genre = input.params.get("genre");
    let all: Vec<&Value> = state
        .books
        .iter()
        .rev()
        .filter(|row| row.town == input.town && genre.is_none_or(|genre| row.value["genre"] == *genre))
        .map(|row| &row.value)
        .collect();
    let (page, limit) = (input.number("page", 1).max(1), limit(input));
    let size = if state.has_seed(Seed::LimitIgnored) { LIMIT } else { limit };
    let first = if state.has_seed(Seed::PageIgnored) { 0 } else { (page - 1).saturating_mul(size) };
    let items: Vec<&Value> = all.iter().skip(first).take(size).copied().collect();
    let more = page.saturating_mul(size) < all.len();
    let body = json!({ "items": items, "page": page, "limit": limit, "total": all.len(), "hasMore": more });
    Answer::json(200, body)
}

pub fn create(state: &mut State, input: &Input) -> Result<Answer, Fault> {
    let title = input.body["title"].as_str().unwrap_or_default();
    let crashes = match state.seed {
        Some(Seed::LongestCrashes) => title.chars().count() >= 120,
        Some(Seed::EmptyCrashes) => input.body["subtitle"] == "",
        Some(Seed::UnicodeCrashes) => !title.is_ascii(),
        _ => false,
    };
    if crashes {
        return Err(Fault::crash());
    }
    let book = store_book(state, input.town, &input.body);
    let location = format!("/books/{}", book["id"].as_str().unwrap_or_default());
    Ok(Answer::json(201, book).header("Location", location))
}

/// Stores a book. Invalid members that a seed lets through are replaced by valid ones.
fn store_book(state: &mut State, town: usize, body: &Value) -> Value {
    let (id, now) = (state.uuid(), state.moment());
    let genre =
        body["genre"].as_str().filter(|genre| ["novel", "essay", "poetry", "science"].contains(genre));
    let title: String = body["title"].as_str().unwrap_or_default().chars().take(120).collect();
    let copies = match &body["copies"] {
        Value::String(text) => json!(text.parse::<u64>().unwrap_or(1)),
        Value::Null => json!(1),
        number => number.clone(),
    };
    let mut book = json!({
        "id": id,
        "title": title,
        "subtitle": body["subtitle"],
        "genre": genre.unwrap_or("novel"),
        "year": body["year"],
        "copies": copies,
        "tags": body.get("tags").cloned().unwrap_or_else(|| json!([])),
        "status": "shelved",
        "createdAt": now,
        "updatedAt": now,
    });
    if let Some(isbn) = body.get("isbn") {
        book["isbn"] = isbn.clone();
    }
    state.books.push(Row { town, value: book.clone() });
    book
}

/// What a seed does with an invalid request before it is rejected.
pub fn refused(state: &mut State, operation: &str, input: &Input, faults: &[String]) {
    match (state.seed, operation) {
        (Some(Seed::RefusedCreateStores), "createBook") => {
            let book = json!({ "title": "Refused", "genre": "novel", "year": 1900, "subtitle": null });
            store_book(state, input.town, &book);
        }
        (Some(Seed::RefusedPatchWrites), "updateBook") => {
            let valid = |name: &&str| {
                let place = format!("/body/{name}:");
                !faults.iter().any(|fault| fault.starts_with(&place))
            };
            let names: Vec<&str> = PATCHED.into_iter().filter(valid).collect();
            if let Ok(at) = place(state, input, None) {
                let changed = changed(state, at, &input.body, &names);
                state.books[at].value = changed;
            }
        }
        _ => {}
    }
}

pub fn get(state: &State, input: &Input) -> Result<Answer, Fault> {
    let at = place(state, input, Some(Seed::TenantLostOnRead))?;
    Ok(Answer::json(200, state.books[at].value.clone()))
}

/// The members that can be updated.
const PATCHED: [&str; 6] = ["title", "subtitle", "genre", "year", "copies", "status"];

fn changed(state: &mut State, at: usize, body: &Value, names: &[&str]) -> Value {
    let mut book = state.books[at].value.clone();
    for name in names {
        if let Some(value) = body.get(name) {
            book[*name] = value.clone();
        }
    }
    book["updatedAt"] = json!(state.moment());
    book
}

pub fn update(state: &mut State, input: &Input) -> Result<Answer, Fault> {
    let at = place(state, input, Some(Seed::TenantLostOnChange))?;
    let mut body = input.body.clone();
    if let Some(object) = body.as_object_mut() {
        // Only a seed lets a null title through. It changes nothing.
        object.retain(|name, value| name != "title" || !value.is_null());
        if state.has_seed(Seed::PatchClears) {
            object.entry("subtitle").or_insert(Value::Null);
        }
    }
    let answered = changed(state, at, &body, &PATCHED);
    let mut stored = answered.clone();
    if state.has_seed(Seed::NullLost) && body.get("subtitle").is_some_and(Value::is_null) {
        stored["subtitle"] = state.books[at].value["subtitle"].clone();
    }
    if !state.has_seed(Seed::PatchLost) {
        state.books[at].value = stored;
    }
    Ok(Answer::json(200, answered))
}

pub fn delete(state: &mut State, input: &Input) -> Result<Answer, Fault> {
    let at = place(state, input, Some(Seed::TenantLostOnDelete))?;
    let id = state.books[at].value["id"].clone();
    let open = |row: &Row| row.value["bookId"] == id && row.value["state"] == "open";
    if state.loans.iter().any(open) {
        return Err(Fault::new(409, "BOOK_ON_LOAN", "A loan of the book is open; take it back first."));
    }
    if !state.has_seed(Seed::DeleteKeeps) {
        state.books.remove(at);
    }
    Ok(Answer::nothing(204))
}

pub fn read_text(state: &State, input: &Input) -> Result<Answer, Fault> {
    place(state, input, None)?;
    let text = state.texts.get(input.text("bookId")).ok_or_else(Fault::not_found)?;
    Ok(Answer::text("text/plain; charset=utf-8", text.clone()))
}

pub fn upload_text(state: &mut State, input: &Input) -> Result<Answer, Fault> {
    place(state, input, None)?;
    let text = input.body.as_str().unwrap_or_default().to_owned();
    let body = json!({ "bookId": input.text("bookId"), "characters": text.chars().count() });
    state.texts.insert(input.text("bookId").to_owned(), text);
    Ok(Answer::json(200, body))
}

pub fn export(state: &State, input: &Input) -> Result<Answer, Fault> {
    let only = match input.params.get("bookId") {
        Some(_) => Some(place(state, input, Some(Seed::TenantLostInQuery))?),
        None => None,
    };
    let wanted = |at: usize, row: &Row| only.map_or_else(|| row.town == input.town, |only| only == at);
    let own = state.books.iter().enumerate().filter(|(at, row)| wanted(*at, row)).map(|(_, row)| &row.value);
    if input.text("format") == "json" && !state.has_seed(Seed::ExportFormatIgnored) {
        return Ok(Answer::json(200, json!({ "items": own.collect::<Vec<_>>() })));
    }
    let mut lines = String::from("id,title,genre,year\r\n");
    for book in own {
        let cells = ["id", "title", "genre", "year"].map(|name| {
            let text = book[name].as_str().map_or_else(|| book[name].to_string(), str::to_owned);
            format!("\"{}\"", text.replace('"', "\"\""))
        });
        lines.push_str(&cells.join(","));
        lines.push_str("\r\n");
    }
    Ok(Answer::text("text/csv; charset=utf-8", lines))
}
