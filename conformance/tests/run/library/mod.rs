//! A lending library for several towns, in memory. It obeys its contract, or violates it in exactly one way. This
//! module receives requests; the others implement the operations.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::{Method, Request, Response};
use serde_json::{Value, json};

use crate::contract::{Contract, Found, Operation};
use crate::serve::{self, Server};

mod answer;
mod books;
mod client;
mod loans;
mod people;
mod seed;
mod state;
mod tests;

use answer::{Answer, Fault};
use books::Input;
pub use seed::Seed;
use state::{State, TOWNS, Town};

/// The contract.
pub const CONTRACT: &str = include_str!("openapi.json");
/// The settings of the contract.
pub const SETTINGS: &str = include_str!("settings.toml");
/// The flows.
pub const FLOWS: &str = include_str!("flows.arazzo.json");

/// Number of requests per credential on the limited server.
const RATE_LIMIT: usize = 5;

/// Maximum size of a body.
const MAX_BODY: usize = 64 * 1024;

/// A running library. It stops when this value is dropped.
#[derive(Debug)]
pub struct Library {
    /// The base URL without a trailing slash.
    pub base_url: String,
    /// The credentials of one town; those of another town under `otherTenant`.
    pub inputs: Value,
    _servers: [Server; 2],
}

/// Starts a library that obeys its contract, or violates it as `seed` says.
pub fn start(seed: Option<Seed>) -> Library {
    let mut document: Value = serde_json::from_str(CONTRACT).expect("the contract is JSON");
    if let Some(seed) = seed {
        seed.edit(&mut document);
    }
    let contract = Arc::new(Contract::new(&document));
    let serve = |state| {
        let shared = Arc::new(Shared { contract: Arc::clone(&contract), state: Mutex::new(state) });
        serve::start(move |request| answered(Arc::clone(&shared), request))
    };
    let servers = [serve(State::new(seed)), serve(State::limited(seed))];
    let mut inputs = inputs(&TOWNS[0]);
    inputs["otherTenant"] = self::inputs(&TOWNS[1]);
    inputs["limited"] = json!({ "baseUrl": servers[1].base_url });
    Library { base_url: servers[0].base_url.clone(), inputs, _servers: servers }
}

fn inputs(town: &Town) -> Value {
    json!({
        "serverKey": town.server_key,
        "readingKey": town.reading_key,
        "writingKey": town.writing_key,
        "revokedKey": town.revoked_key,
        "owner": { "email": town.email, "password": town.password },
        "clerk": { "email": town.clerk, "password": town.password },
    })
}

struct Shared {
    contract: Arc<Contract>,
    state: Mutex<State>,
}

async fn answered(shared: Arc<Shared>, request: Request<Bytes>) -> Response<Bytes> {
    let (answer, never) = {
        // A panic fails its own request only.
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let never = state.has_seed(Seed::AnswerNeverComes)
            && *request.method() == Method::GET
            && request.uri().path() == "/health";
        (respond(&shared.contract, &mut state, &request), never)
    };
    if never {
        std::future::pending::<()>().await;
    }
    answer.render()
}

fn respond(contract: &Contract, state: &mut State, request: &Request<Bytes>) -> Answer {
    let (mut method, path) = (request.method().as_str(), request.uri().path());
    if state.has_seed(Seed::PutAccepted)
        && method == "PUT"
        && let Found::OtherMethods(methods) = contract.find(method, path)
        && methods.contains(&"PATCH")
    {
        method = "PATCH";
    }
    let (id, mut answer) = match contract.find(method, path) {
        Found::Operation(operation, filled) => {
            let answer = run(state, operation, &filled, request);
            (operation.id.as_str(), answer.unwrap_or_else(Answer::from))
        }
        Found::OtherMethods(methods) => {
            let fault = Fault::new(405, "METHOD_NOT_ALLOWED", "This path has other methods.");
            ("", Answer::from(fault).header("Allow", methods.join(", ")))
        }
        Found::Nothing => ("", Fault::not_found().into()),
    };
    if let Some(seed) = state.seed {
        answer::spoil(seed, id, &mut answer);
    }
    let number = if state.has_seed(Seed::RequestIdRepeated) { 1 } else { state.number() };
    match state.has_seed(Seed::RequestIdMissing) && answer.status >= 400 {
        true => answer,
        false => answer.header("X-Request-Id", format!("req_{number:016x}")),
    }
}

/// Handles a request: authenticates, validates, then executes the operation.
fn run(
    state: &mut State,
    operation: &Operation,
    filled: &[String],
    request: &Request<Bytes>,
) -> Result<Answer, Fault> {
    let id = operation.id.as_str();
    check_rate_limit(state, id, request)?;
    let caller = people::admit(state, operation, request.headers(), |state, town| {
        if state.has_seed(Seed::DeniedDeleteDeletes)
            && id == "deleteBook"
            && let Ok(params) = operation.params(filled, request)
        {
            books::delete(state, &Input { town, params, body: Value::Null }).ok();
        }
    })?;
    let town = caller.map_or(0, |caller| caller.town);
    let input = read(state, operation, town, filled, request)?;
    match (id, caller) {
        ("getHealth", _) => Ok(Answer::json(200, json!({ "status": "ok", "time": state.moment() }))),
        ("loginOwner", _) => people::login(state, &input.body),
        ("getOwner", Some(caller)) => Ok(people::owner(caller)),
        ("listBooks", _) => Ok(books::list(state, &input)),
        ("createBook", _) => books::create(state, &input),
        ("getBook", _) => books::get(state, &input),
        ("updateBook", _) => books::update(state, &input),
        ("deleteBook", _) => books::delete(state, &input),
        ("readText", _) => books::read_text(state, &input),
        ("uploadText", _) => books::upload_text(state, &input),
        ("exportBooks", _) => books::export(state, &input),
        ("createLoan", _) => loans::create(state, &input),
        ("listLoans", _) => loans::list(state, &input),
        ("getLoan", _) => loans::get(state, &input),
        ("returnLoan", _) => loans::give_back(state, &input),
        _ => Err(Fault::crash()),
    }
}

/// Rejects a caller that exceeded the rate limit, on the limited server.
fn check_rate_limit(state: &mut State, id: &str, request: &Request<Bytes>) -> Result<(), Fault> {
    let lost = state.has_seed(Seed::LimitLost) && id == "getLoan";
    let Some(left) = &mut state.left else { return Ok(()) };
    let who = request.headers().get("authorization").map_or("nobody", |value| value.to_str().unwrap_or("?"));
    let left = left.entry(who.to_owned()).or_insert(RATE_LIMIT);
    if *left == 0 && !lost {
        return Err(Fault::new(429, "TOO_OFTEN", "Come again in an hour."));
    }
    *left = left.saturating_sub(1);
    Ok(())
}

/// Validates parameters and body.
fn read(
    state: &mut State,
    operation: &Operation,
    town: usize,
    filled: &[String],
    request: &Request<Bytes>,
) -> Result<Input, Fault> {
    let id = operation.id.as_str();
    let mut body = Value::Null;
    let mut broken = Vec::new();
    if operation.takes_body() {
        let bytes = request.body();
        if bytes.len() > MAX_BODY && !state.has_seed(Seed::TooLargeAccepted) {
            return Err(Fault::new(413, "REQUEST_TOO_LARGE", "The body is larger than 64 KiB."));
        }
        let content_type = request.headers().get("content-type").map(|value| value.to_str().unwrap_or("?"));
        let read = match state.seed {
            Some(Seed::MediaTypeIgnored) if id == "createBook" && content_type.is_some() => true,
            Some(Seed::MediaTypeUnneeded) if id == "createLoan" && content_type.is_none() => true,
            // An empty body needs no media type.
            _ => bytes.is_empty() || operation.reads(content_type),
        };
        if !read {
            return Err(Fault::new(
                415,
                "MEDIA_TYPE_UNSUPPORTED",
                "The body has a media type that is not read.",
            ));
        }
        match operation.parse(bytes) {
            _ if bytes.is_empty() && state.has_seed(Seed::EmptyAccepted) && id == "updateBook" => {
                body = json!({})
            }
            _ if bytes.is_empty() => broken.push("/body: is missing".to_owned()),
            Some(value) => body = value,
            None if state.has_seed(Seed::BrokenJsonCrashes) && id == "createLoan" => {
                return Err(Fault::crash());
            }
            None if state.has_seed(Seed::BrokenJsonAccepted) && id == "updateBook" => body = json!({}),
            None => broken.push("/body: cannot be read".to_owned()),
        }
        if broken.is_empty() {
            let title = body.get("title").is_some_and(|title| !title.is_string());
            if state.has_seed(Seed::TypeCrashes) && id == "updateBook" && title {
                return Err(Fault::crash());
            }
            broken = operation.faults(&body);
        }
    }
    let params = operation.params(filled, request);
    match (params, broken.is_empty()) {
        (Ok(params), true) => Ok(Input { town, params, body }),
        (Ok(params), false) => {
            books::refused(state, id, &Input { town, params, body }, &broken);
            Err(Fault::invalid(broken))
        }
        (Err(mut faults), _) => {
            faults.extend(broken);
            Err(Fault::invalid(faults))
        }
    }
}
