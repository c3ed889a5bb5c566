//! A museum, in memory: a server for a contract written by others, without violations.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{Days, NaiveDate, Utc};
use hyper::{Request, Response};
use serde_json::{Map, Value, json};

use crate::contract::{Contract, Found, Operation};
use crate::serve::{self, Server};

mod tests;

/// The contract, one of the documents that test the generator.
pub const CONTRACT: &str = include_str!("../../../../xtask/tests/documents/museum.json");
/// The flows.
pub const FLOWS: &str = include_str!("flows.arazzo.json");

/// The base path in the contract.
const PREFIX: &str = "/_mock/docs/openapi/museum-api";

/// The only valid credentials.
const VISITOR: &str = "visitor:whale-song";

/// A minimal PNG image.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A running museum. It stops when this value is dropped.
#[derive(Debug)]
pub struct Museum {
    /// The base URL without a trailing slash.
    pub base_url: String,
    /// `visitor`: name and password, separated by a colon.
    pub inputs: Value,
    _server: Server,
}

/// Starts a museum.
pub fn start() -> Museum {
    let document: Value = serde_json::from_str(CONTRACT).expect("the contract is JSON");
    let shared = Arc::new((Contract::new(&document), Mutex::new(State::default())));
    let server = serve::start(move |request| {
        let shared = Arc::clone(&shared);
        async move {
            let mut state = shared.1.lock().unwrap_or_else(PoisonError::into_inner);
            respond(&shared.0, &mut state, &request)
        }
    });
    Museum { base_url: server.base_url.clone(), inputs: json!({ "visitor": VISITOR }), _server: server }
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Value>,
    tickets: Vec<String>,
    count: u64,
}

impl State {
    fn uuid(&mut self) -> String {
        self.count += 1;
        let number = self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{:08x}-{:04x}-4000-8000-{:012x}", number >> 32, number & 0xffff, self.count)
    }

    fn event(&self, params: &Map<String, Value>) -> Result<usize, Fault> {
        let id = &params["eventId"];
        self.events.iter().position(|event| event["eventId"] == *id).ok_or(NOT_FOUND)
    }
}

/// Status, type and title of a problem.
type Fault = (u16, &'static str, &'static str);
type Answered = Result<Response<Bytes>, Fault>;

const NOT_FOUND: Fault = (404, "not-found", "There is no such thing in the museum.");
const INVALID: Fault = (400, "invalid", "The request is not what the contract asks for.");

fn respond(contract: &Contract, state: &mut State, request: &Request<Bytes>) -> Response<Bytes> {
    let path = request.uri().path();
    match contract.find(request.method().as_str(), path.strip_prefix(PREFIX).unwrap_or(path)) {
        Found::Operation(operation, filled) => {
            run(state, operation, &filled, request).unwrap_or_else(problem)
        }
        Found::OtherMethods(methods) => {
            let mut response = problem((405, "method", "This path has other methods."));
            let allow = methods.join(", ").parse().expect("methods are plain text");
            response.headers_mut().insert("Allow", allow);
            response
        }
        Found::Nothing => problem(NOT_FOUND),
    }
}

fn problem((status, kind, title): Fault) -> Response<Bytes> {
    let body = json!({ "type": kind, "title": title }).to_string();
    let response = Response::builder().status(status).header("Content-Type", "application/problem+json");
    let response = if status == 401 { response.header("WWW-Authenticate", "Basic") } else { response };
    response.body(body.into()).expect("the headers are plain text")
}

fn answer(status: u16, value: &Value) -> Answered {
    let response = Response::builder().status(status).header("Content-Type", "application/json");
    Ok(response.body(value.to_string().into()).expect("the headers are plain text"))
}

fn known(request: &Request<Bytes>) -> bool {
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    header.and_then(|value| value.split_once(' ')).is_some_and(|(scheme, pair)| {
        scheme.eq_ignore_ascii_case("basic")
            && STANDARD.decode(pair.trim()).is_ok_and(|pair| pair == VISITOR.as_bytes())
    })
}

fn run(state: &mut State, operation: &Operation, filled: &[String], request: &Request<Bytes>) -> Answered {
    if !known(request) {
        return Err((401, "unauthorized", "Name and password are needed."));
    }
    let params = operation.params(filled, request).map_err(|_| INVALID)?;
    let mut body = Value::Null;
    if operation.takes_body() {
        // The contract has no 415, so an unreadable body is a bad request.
        let content_type = request.headers().get("content-type").and_then(|value| value.to_str().ok());
        let sent = Some(request.body()).filter(|_| operation.reads(content_type));
        body = sent.and_then(|bytes| operation.parse(bytes)).ok_or(INVALID)?;
        if !operation.faults(&body).is_empty() {
            return Err(INVALID);
        }
    }
    match operation.id.as_str() {
        "getMuseumHours" => answer(200, &hours(&params)),
        "createSpecialEvent" => {
            let id = state.uuid();
            let mut event = json!({ "eventId": id });
            overlay(&mut event, &body);
            state.events.push(event.clone());
            answer(201, &event)
        }
        "listSpecialEvents" => answer(200, &events(state, &params)),
        "getSpecialEvent" => answer(200, &state.events[state.event(&params)?]),
        "updateSpecialEvent" => {
            let at = state.event(&params)?;
            overlay(&mut state.events[at], &body);
            answer(200, &state.events[at])
        }
        "deleteSpecialEvent" => {
            let at = state.event(&params)?;
            state.events.remove(at);
            let gone = Response::builder().status(204).body(Bytes::new());
            Ok(gone.expect("a status is plain text"))
        }
        "buyMuseumTickets" => buy(state, &body),
        "getTicketCode" => {
            let bought = state.tickets.iter().any(|ticket| params["ticketId"] == **ticket);
            let picture = STANDARD.decode(PICTURE).expect("the picture is base64");
            let response = Response::builder().header("Content-Type", "image/png").body(picture.into());
            if bought { Ok(response.expect("the headers are plain text")) } else { Err(NOT_FOUND) }
        }
        _ => Err((500, "internal", "The operation is in the contract, and not in the museum.")),
    }
}

/// Replaces the members of an event that were sent.
fn overlay(event: &mut Value, body: &Value) {
    for name in ["name", "location", "eventDescription", "dates", "price"] {
        if let Some(value) = body.get(name) {
            event[name] = value.clone();
        }
    }
}

fn buy(state: &mut State, body: &Value) -> Answered {
    let is_event = body["ticketType"] == "event";
    // The contract does not require an event for an event ticket, so only an unknown one is rejected.
    let unknown = |id: &Value| !state.events.iter().any(|event| event["eventId"] == *id);
    if is_event && body.get("eventId").is_some_and(unknown) {
        return Err(NOT_FOUND);
    }
    let id = state.uuid();
    let mut ticket = json!({
        "message": "Museum ticket purchased",
        "ticketId": id,
        "ticketType": body["ticketType"],
        "ticketDate": body["ticketDate"],
        "confirmationCode": format!("ticket-{id}"),
    });
    if let Some(event) = body.get("eventId") {
        ticket["eventId"] = event.clone();
    }
    state.tickets.push(id);
    answer(201, &ticket)
}

/// A date parameter with a default.
fn day(params: &Map<String, Value>, name: &str, otherwise: NaiveDate) -> NaiveDate {
    params.get(name).and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Offset and limit. The contract has no minimum: a page below 1 is the first one, and a limit below 1 is empty.
fn page(params: &Map<String, Value>) -> (u64, u64) {
    let number = |name: &str, default| {
        // Numbers beyond i64 are after the last page or before the first.
        let beyond =
            |value: &Value| value.as_f64().map_or(0, |number| if number < 0.0 { 0 } else { u32::MAX.into() });
        params.get(name).map_or(default, |value| {
            value.as_i64().map_or_else(|| beyond(value), |n| n.max(0).unsigned_abs())
        })
    };
    let (page, limit) = (number("page", 1), number("limit", 10));
    (page.saturating_sub(1).saturating_mul(limit), limit)
}

fn hours(params: &Map<String, Value>) -> Value {
    let (skip, limit) = page(params);
    let first = day(params, "startDate", Utc::now().date_naive());
    // Dates have a maximum, so pages end there.
    let days = (0..limit).map_while(|index| first.checked_add_days(Days::new(skip.checked_add(index)?)));
    days.filter(|day| day.format("%Y").to_string().len() == 4)
        .map(|day| json!({ "date": day.to_string(), "timeOpen": "09:00", "timeClose": "18:00" }))
        .collect()
}

fn events(state: &State, params: &Map<String, Value>) -> Value {
    let (skip, limit) = page(params);
    let first = day(params, "startDate", Utc::now().date_naive());
    let last = day(params, "endDate", first.checked_add_days(Days::new(7)).unwrap_or(first));
    let held = |event: &&Value| {
        let dates = event["dates"].as_array().into_iter().flatten().filter_map(Value::as_str);
        dates.filter_map(|date| date.parse::<NaiveDate>().ok()).any(|date| (first..=last).contains(&date))
    };
    let matching = state.events.iter().rev().filter(held);
    let (skip, limit) = (usize::try_from(skip).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(0));
    matching.skip(skip).take(limit).cloned().collect()
}
