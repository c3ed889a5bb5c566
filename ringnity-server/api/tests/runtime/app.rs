//! A server of the document, and what tests ask it with.

use std::sync::{Arc, Mutex};

use dropshot::HttpServer;
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use http::header::SET_COOKIE;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

use crate::generated::*;
use crate::principal::{GuestPrincipal, StaffPrincipal, UserPrincipal};
use crate::runtime::{
    AuthFailure, Authenticated, Call, Content, Cors, Credential, Fault, Hooks, OperationContext, Redirect,
    RequestHead, ResponseCheck, SchemaValidator, TextBody,
};
use crate::types::{ExportNotesFormat, Note, NoteList, Text};

pub struct App {
    schemas: SchemaValidator,
    /// Calls of the hooks.
    pub log: Mutex<Vec<String>>,
    /// Held by itself, and by the state of every request.
    pub alive: Arc<()>,
}

/// The state of a request.
pub struct RequestState {
    _alive: Arc<()>,
}

type Cx<'a> = OperationContext<'a, App>;

impl Hooks for App {
    type RequestState = RequestState;

    fn request_state(&self, _: &RequestHead<()>) -> RequestState {
        RequestState { _alive: Arc::clone(&self.alive) }
    }

    fn schemas(&self) -> &SchemaValidator {
        &self.schemas
    }

    async fn cors(&self, _: &Call<RequestState>, origin: &str) -> Cors {
        match origin {
            "https://friend.example" => Cors::Allow,
            "https://family.example" => Cors::AllowWithCookies,
            _ => Cors::Deny,
        }
    }

    fn response_ready(&self, call: &Call<RequestState>, status: StatusCode) {
        self.record(format!("{} {}", call.operation().id, status.as_u16()));
    }

    fn invalid_response(&self, call: &Call<RequestState>, lines: &[String]) {
        self.record(format!("{} is invalid: {}", call.operation().id, lines.join("; ")));
    }
}

impl App {
    pub fn new(check: ResponseCheck) -> Self {
        let schemas = schema_validator().expect("compiles").with_response_check(check);
        Self { schemas, log: Mutex::default(), alive: Arc::default() }
    }

    fn record(&self, text: String) {
        self.log.lock().expect("is not poisoned").push(text);
    }
}

type Head = RequestHead<RequestState>;
type Identity<P> = Result<Authenticated<P>, AuthFailure>;

/// `user:all`, `user:writes`, `user:free`, `user:none`, `guest:ada`, `guest:free`, `staff:bob`, `staff:late`.
impl Authenticate for App {
    async fn user(&self, _: &Head, credential: &Credential) -> Identity<UserPrincipal> {
        let scopes: &[&str] = match credential.secret() {
            "user:all" | "user:free" | "user:blocked" => &["user:notes:read", "user:notes:write"],
            "user:writes" => &["user:notes:write"],
            "user:none" => &[],
            "user:broke" => return Err(Fault::unavailable("the key store is away").into()),
            "user:panic" => panic!("the key store fell over"),
            _ => return Err(AuthFailure::Invalid),
        };
        let principal = UserPrincipal {
            name: "user".into(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            has_pins: credential.secret() != "user:free",
        };
        let blocked = credential.secret() == "user:blocked";
        let denial = blocked.then(|| Fault::new(StatusCode::FORBIDDEN, "BLOCKED", "The account is blocked."));
        Ok(Authenticated { principal, denial })
    }

    async fn guest(&self, _: &Head, credential: &Credential) -> Identity<GuestPrincipal> {
        match credential.secret().split_once(':') {
            Some(("guest", name)) => Ok(GuestPrincipal { name: name.into() }.into()),
            Some(("staff", _)) => Err(AuthFailure::WrongKind),
            _ => Err(AuthFailure::Invalid),
        }
    }

    async fn staff(&self, _: &Head, credential: &Credential) -> Identity<StaffPrincipal> {
        match credential.secret() {
            "staff:bob" => Ok(StaffPrincipal { name: "bob".into(), role: "publisher".into() }.into()),
            "staff:eve" => Ok(StaffPrincipal { name: "eve".into(), role: "reader".into() }.into()),
            "staff:late" => Err(AuthFailure::Expired),
            _ => Err(AuthFailure::WrongKind),
        }
    }

    async fn after_authentication(&self, head: &Head, principal: Option<&Principal>) -> Result<(), Fault> {
        let flood = head.header("x-flood");
        if flood == Some("all") || flood == Some("anonymous") && principal.is_none() {
            let fault = Fault::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "Slow down.");
            return Err(fault.header(http::header::RETRY_AFTER, "7"));
        }
        Ok(())
    }
}

struct Routes;

impl Operations for Routes {
    type Context = App;
}

fn note(id: &str, text: impl Into<String>) -> Note {
    Note { id: id.into(), text: text.into(), kind: None }
}

impl NotesOperations for Routes {
    async fn list_notes(
        _: Cx<'_>,
        principal: UserPrincipal,
        input: ListNotesInput,
    ) -> Result<NoteList, Fault> {
        assert_eq!(principal.name, "user");
        Ok(NoteList { data: vec![note("input", format!("{input:?}"))] })
    }

    async fn create_note(_: Cx<'_>, _: UserPrincipal, input: CreateNoteInput) -> Result<Note, Fault> {
        Ok(Note { kind: input.body.kind, ..note("new", input.body.text) })
    }

    async fn get_note(_: Cx<'_>, _: UserPrincipal, input: GetNoteInput) -> Result<Note, Fault> {
        Ok(note(&input.id, "got"))
    }

    async fn touch_note(_: Cx<'_>, _: UserPrincipal, input: TouchNoteInput) -> Result<Note, Fault> {
        Ok(note(&input.id, format!("{:?}", input.body)))
    }

    async fn delete_note(_: Cx<'_>, _: UserPrincipal, input: DeleteNoteInput) -> Result<(), Fault> {
        match input.id.as_str() {
            "missing" => Err(Fault::not_found("NOTE_NOT_FOUND", "There is no such note.")),
            _ => Ok(()),
        }
    }

    async fn recent_notes(_: Cx<'_>, _: UserPrincipal, _: RecentNotesInput) -> Result<NoteList, Fault> {
        Ok(NoteList { data: vec![note("recent", "literal")] })
    }

    async fn import_notes(_: Cx<'_>, _: UserPrincipal, input: ImportNotesInput) -> Result<Note, Fault> {
        let form = input.body;
        let text = format!(
            "{:?} {:?} {} bytes, title {:?}, copies {:?}",
            form.file.file_name,
            form.file.content_type,
            form.file.bytes.len(),
            form.title,
            form.copies
        );
        Ok(note("imported", text))
    }

    async fn pin_note(_: Cx<'_>, _: UserPrincipal, input: PinNoteInput) -> Result<Note, Fault> {
        Ok(note(&input.id, "pinned"))
    }
}

impl OddsOperations for Routes {
    async fn who(_: Cx<'_>, principal: GuestOrStaff, _: WhoInput) -> Result<Text, Fault> {
        let text = match principal {
            GuestOrStaff::Guest(guest) => format!("guest {}", guest.name),
            GuestOrStaff::Staff(staff) => format!("staff {}", staff.name),
        };
        Ok(Text { text })
    }

    async fn maybe_who(
        _: Cx<'_>,
        principal: Option<GuestPrincipal>,
        _: MaybeWhoInput,
    ) -> Result<Text, Fault> {
        Ok(Text { text: principal.map_or("nobody".into(), |guest| guest.name) })
    }

    async fn login(cx: Cx<'_>, input: LoginInput) -> Result<Text, Fault> {
        if input.body.name == "nobody" {
            return Err(Fault::new(StatusCode::UNAUTHORIZED, "invalid_client", "Wrong name or password."));
        }
        cx.call.add_header(SET_COOKIE, "a=1; HttpOnly");
        cx.call.add_header(SET_COOKIE, "b=2; HttpOnly");
        cx.call.set_header(http::header::CACHE_CONTROL, "private");
        Ok(Text { text: format!("{} {:?}", input.body.name, input.body.age) })
    }

    async fn export_notes(cx: Cx<'_>, input: ExportNotesInput) -> Result<ExportNotesOutput, Fault> {
        if input.format == ExportNotesFormat::Json {
            return Ok(ExportNotesOutput::Json(NoteList { data: vec![] }));
        }
        let rows = ["id,text\n", "1,one\n"].map(|row| Ok::<_, std::io::Error>(bytes::Bytes::from(row)));
        let rows = stream::iter(rows);
        let rest = if cx.call.header("x-endless").is_some() {
            stream::pending().left_stream()
        } else {
            stream::empty().right_stream()
        };
        let content = Content::stream(rows.chain(rest)).content_type("text/csv; charset=utf-8");
        Ok(ExportNotesOutput::Csv(content.file_name("notes \"1\".csv")))
    }

    async fn start_call(_: Cx<'_>, input: StartCallInput) -> Result<TextBody, Fault> {
        Ok(TextBody::new(input.body.content_type, format!("answer to {}", input.body.text)))
    }

    async fn go_elsewhere(_: Cx<'_>, _: GoElsewhereInput) -> Result<Redirect, Fault> {
        Ok(Redirect::to("https://elsewhere.example/?a=b"))
    }

    async fn put_blob(_: Cx<'_>, input: PutBlobInput) -> Result<Text, Fault> {
        Ok(Text { text: format!("{} bytes", input.body.bytes.len()) })
    }

    async fn panic_always(_: Cx<'_>, _: PanicAlwaysInput) -> Result<Text, Fault> {
        panic!("at the {}", "handler")
    }

    async fn break_contract(cx: Cx<'_>, input: BreakContractInput) -> Result<Text, Fault> {
        match input.how.as_deref() {
            Some("status") => Err(Fault::new(StatusCode::IM_A_TEAPOT, "TEA", "A documented class.")),
            Some("type") => {
                cx.call.set_header(http::header::CONTENT_TYPE, "text/html");
                Ok(Text { text: String::new() })
            }
            Some("internal") => Err(Fault::internal("the secret reason")),
            _ => Ok(Text { text: "x".repeat(500) }),
        }
    }
}

/// A running server.
pub struct Server {
    pub http: HttpServer<App>,
    client: Client,
}

impl Server {
    /// Starts a server whose responses must match the contract.
    pub fn start() -> Self {
        Self::checking(ResponseCheck::Fatal)
    }

    pub fn checking(check: ResponseCheck) -> Self {
        let api = api_description::<Routes>().expect("registers");
        let listen = "127.0.0.1:0".parse().expect("is an address");
        let http = crate::runtime::start(api, App::new(check), listen, None).expect("starts");
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        Self { http, client: client.expect("builds") }
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("is a method");
        self.client.request(method, format!("http://{}{path}", self.http.local_addr()))
    }

    /// As a user who may do everything.
    pub fn user(&self, method: &str, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth("user:all")
    }

    /// Posts a note.
    pub async fn post(&self, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.user("POST", "/api/notes").header("content-type", "application/json");
        Answer::of(request.body(body)).await
    }
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response: Response = request.send().await.expect("is answered");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("is text");
        // Nothing leaves the server without these.
        assert!(headers.get("x-request-id").is_some_and(|id| id.len() >= 16), "{status} {headers:?}");
        Self { status, headers, text }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("is text"))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status, code and details of an error.
    pub fn fault(&self) -> (u16, String, Vec<String>) {
        let body = self.json();
        assert_eq!(body["ok"], false, "{self:?}");
        assert!(body["message"].as_str().is_some_and(|message| message.len() > 8), "{self:?}");
        assert_eq!(self.header("content-type"), "application/json");
        let details = body["details"].as_array().into_iter().flatten();
        let details = details.map(|line| line.as_str().expect("is a line").to_owned()).collect();
        (self.status, body["code"].as_str().expect("has a code").to_owned(), details)
    }

    /// Status 400 and its lines.
    pub fn lines(&self) -> Vec<String> {
        let (status, code, details) = self.fault();
        assert_eq!((status, code.as_str()), (400, "INVALID"), "{self:?}");
        details
    }

    /// The text of a note or a `Text`.
    pub fn said(&self) -> String {
        assert!((200..300).contains(&self.status), "{self:?}");
        let body = self.json();
        let text = body.get("text").or_else(|| body["data"][0].get("text"));
        text.and_then(Value::as_str).unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}
