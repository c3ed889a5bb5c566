//! The loans of a town: create with an idempotency key, list with a cursor, return.

use serde_json::{Value, json};

use super::Seed;
use super::answer::{Answer, Content, Fault};
use super::books::{Input, limit};
use super::state::{Row, State};

pub fn create(state: &mut State, input: &Input) -> Result<Answer, Fault> {
    let key = input.params.get("Idempotency-Key").and_then(Value::as_str);
    let key = key.filter(|_| !state.has_seed(Seed::RepeatLendsAgain)).map(|key| (input.town, key.to_owned()));
    if let Some((body, answer)) = key.as_ref().and_then(|key| state.repeats.get(key)).cloned() {
        return match body == input.body || state.has_seed(Seed::OtherBodyAccepted) {
            true => Ok(repeated(state, answer)),
            false => Err(Fault::new(422, "IDEMPOTENCY_MISMATCH", "The key belongs to another request.")),
        };
    }
    let book = input.body["bookId"].as_str().unwrap_or_default();
    let town = if state.has_seed(Seed::TenantLostInBody) { None } else { Some(input.town) };
    State::find(&state.books, town, book).ok_or_else(Fault::not_found)?;
    let id = format!("loan_{:016x}", state.number());
    let loan = json!({
        "id": id,
        "bookId": book,
        "borrower": input.body["borrower"],
        "dueAt": input.body["dueAt"],
        "note": input.body["note"],
        "labels": input.body.get("labels").cloned().unwrap_or_else(|| json!({})),
        "state": "open",
        "createdAt": state.moment(),
        "returnedAt": null,
    });
    if !state.has_seed(Seed::LoanLost) {
        state.loans.push(Row { town: input.town, value: loan.clone() });
    }
    let answer = Answer::json(201, loan).header("Location", format!("/loans/{id}"));
    if let Some(key) = key {
        state.repeats.insert(key, (input.body.clone(), answer.clone()));
    }
    Ok(answer)
}

fn repeated(state: &mut State, mut answer: Answer) -> Answer {
    if state.has_seed(Seed::RepeatAnsweredAnew)
        && let Content::Json(loan) = &mut answer.content
    {
        loan["createdAt"] = json!(state.moment());
    }
    answer
}

pub fn list(state: &State, input: &Input) -> Result<Answer, Fault> {
    // A cursor is the index of the last loan returned; older ones follow.
    let end = match input.params.get("cursor").and_then(Value::as_str) {
        None => state.loans.len(),
        Some(cursor) => match cursor.strip_prefix("c-").and_then(|place| place.parse().ok()) {
            Some(place) => place,
            None if state.has_seed(Seed::CursorCrashes) => return Err(Fault::crash()),
            None => 0,
        },
    };
    let every_town = state.has_seed(Seed::ForeignListed);
    let own = |(_, row): &(usize, &Row)| row.town == input.town || every_town;
    let mut rest = state.loans.iter().enumerate().take(end).rev().filter(own).peekable();
    let mut page = Vec::new();
    let mut last = 0;
    while page.len() < limit(input)
        && let Some((place, row)) = rest.next()
    {
        page.push(&row.value);
        last = place;
    }
    let next = match (rest.next(), state.seed) {
        (Some((skipped, _)), Some(Seed::CursorSkips)) => Some(skipped),
        (Some(_), Some(Seed::CursorRepeats)) => Some(last + 1),
        (Some(_), _) => Some(last),
        (None, Some(Seed::CursorEndless)) => Some(last),
        (None, _) => None,
    };
    let next = next.map(|place| format!("c-{place}"));
    Ok(Answer::json(200, json!({ "items": page, "nextCursor": next })))
}

fn place(state: &State, input: &Input) -> Result<usize, Fault> {
    State::find(&state.loans, Some(input.town), input.text("loanId")).ok_or_else(Fault::not_found)
}

pub fn get(state: &State, input: &Input) -> Result<Answer, Fault> {
    let foreign = || State::find(&state.loans, None, input.text("loanId")).is_some();
    match place(state, input) {
        Err(_) if state.has_seed(Seed::ForeignForbidden) && foreign() => {
            Err(Fault::new(403, "SCOPE_DENIED", "The loan is another town's."))
        }
        at => Ok(Answer::json(200, state.loans[at?].value.clone())),
    }
}

pub fn give_back(state: &mut State, input: &Input) -> Result<Answer, Fault> {
    let at = match place(state, input) {
        Err(_) if state.has_seed(Seed::UnknownCrashes) => return Err(Fault::crash()),
        at => at?,
    };
    let now = state.moment();
    let loan = &mut state.loans[at].value;
    if loan["state"] == "open" {
        loan["state"] = json!("returned");
        loan["returnedAt"] = json!(now);
    }
    Ok(Answer::json(200, loan.clone()))
}
