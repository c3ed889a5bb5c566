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
    AuthFailure, Boundary, Call, Content, Cors, Credential, Fault, Hooks, Redirect, ResponseCheck, TextBody,
};
use crate::types::{ExportNotesFormat, Note, NoteList, Text};

pub struct App {
    boundary: Boundary,
    /// What the hooks were told.
    pub told: Mutex<Vec<String>>,
    /// Held by itself, and by each request that lives.
    pub living: Arc<()>,
}

impl Hooks for App {
    fn boundary(&self) -> &Boundary {
        &self.boundary
    }

    async fn cors(&self, _: &Call, origin: &str) -> Cors {
        match origin {
            "https://friend.example" => Cors::Allow,
            "https://family.example" => Cors::AllowWithCookies,
            _ => Cors::Deny,
        }
    }

    fn begun(&self, call: &Call) {
        call.note(self.living.clone());
    }

    fn answered(&self, call: &Call, status: StatusCode) {
        self.tell(format!("{} {}", call.operation().id, status.as_u16()));
    }

    fn broken_answer(&self, call: &Call, lines: &[String]) {
        self.tell(format!("{} is broken: {}", call.operation().id, lines.join("; ")));
    }
}

impl App {
    fn tell(&self, text: String) {
        self.told.lock().expect("is not poisoned").push(text);
    }
}

/// `user:all`, `user:writes`, `user:none`, `guest:ada`, `staff:bob`, `staff:late`, `old:…`.
impl Authenticate for App {
    async fn user(&self, _: &Call, credential: &Credential) -> Result<UserPrincipal, AuthFailure> {
        let scopes: &[&str] = match credential.secret() {
            "user:all" => &["user:notes:read", "user:notes:write"],
            "user:writes" => &["user:notes:write"],
            "user:none" => &[],
            "user:broke" => return Err(Fault::unavailable("the key store is away").into()),
            "user:panic" => panic!("the key store fell over"),
            _ => return Err(AuthFailure::Invalid),
        };
        Ok(UserPrincipal {
            name: "user".into(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        })
    }

    async fn guest(&self, _: &Call, credential: &Credential) -> Result<GuestPrincipal, AuthFailure> {
        match credential.secret().split_once(':') {
            Some(("guest", name)) => Ok(GuestPrincipal { name: name.into() }),
            Some(("staff", _)) => Err(AuthFailure::NotThisKind),
            _ => Err(AuthFailure::Invalid),
        }
    }

    async fn staff(&self, _: &Call, credential: &Credential) -> Result<StaffPrincipal, AuthFailure> {
        match credential.secret() {
            "staff:bob" => Ok(StaffPrincipal { name: "bob".into(), role: "publisher".into() }),
            "staff:eve" => Ok(StaffPrincipal { name: "eve".into(), role: "reader".into() }),
            "staff:late" => Err(AuthFailure::Expired),
            _ => Err(AuthFailure::NotThisKind),
        }
    }

    async fn admitted(&self, call: &Call, principal: Option<&Principal>) -> Result<(), Fault> {
        let flood = call.header("x-flood");
        if flood == Some("of all") || flood == Some("of strangers") && principal.is_none() {
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
        _: &App,
        _: Call,
        principal: UserPrincipal,
        input: ListNotesInput,
    ) -> Result<NoteList, Fault> {
        assert_eq!(principal.name, "user");
        Ok(NoteList { data: vec![note("input", format!("{input:?}"))] })
    }

    async fn create_note(_: &App, _: Call, _: UserPrincipal, input: CreateNoteInput) -> Result<Note, Fault> {
        Ok(Note { kind: input.body.kind, ..note("new", input.body.text) })
    }

    async fn get_note(_: &App, _: Call, _: UserPrincipal, input: GetNoteInput) -> Result<Note, Fault> {
        Ok(note(&input.id, "got"))
    }

    async fn touch_note(_: &App, _: Call, _: UserPrincipal, input: TouchNoteInput) -> Result<Note, Fault> {
        Ok(note(&input.id, format!("{:?}", input.body)))
    }

    async fn delete_note(_: &App, _: Call, _: UserPrincipal, input: DeleteNoteInput) -> Result<(), Fault> {
        match input.id.as_str() {
            "missing" => Err(Fault::not_found("NOTE_NOT_FOUND", "There is no such note.")),
            _ => Ok(()),
        }
    }

    async fn recent_notes(
        _: &App,
        _: Call,
        _: UserPrincipal,
        _: RecentNotesInput,
    ) -> Result<NoteList, Fault> {
        Ok(NoteList { data: vec![note("recent", "literal")] })
    }

    async fn import_notes(
        _: &App,
        _: Call,
        _: UserPrincipal,
        input: ImportNotesInput,
    ) -> Result<Note, Fault> {
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

    async fn pin_note(_: &App, _: Call, _: UserPrincipal, input: PinNoteInput) -> Result<Note, Fault> {
        Ok(note(&input.id, "pinned"))
    }
}

impl OddsOperations for Routes {
    async fn who(_: &App, _: Call, principal: GuestOrStaff, _: WhoInput) -> Result<Text, Fault> {
        let text = match principal {
            GuestOrStaff::Guest(guest) => format!("guest {}", guest.name),
            GuestOrStaff::Staff(staff) => format!("staff {}", staff.name),
        };
        Ok(Text { text })
    }

    async fn maybe_who(
        _: &App,
        _: Call,
        principal: Option<GuestPrincipal>,
        _: MaybeWhoInput,
    ) -> Result<Text, Fault> {
        Ok(Text { text: principal.map_or("nobody".into(), |guest| guest.name) })
    }

    async fn login(_: &App, call: Call, input: LoginInput) -> Result<Text, Fault> {
        if input.body.name == "nobody" {
            return Err(Fault::new(StatusCode::UNAUTHORIZED, "invalid_client", "Wrong name or password."));
        }
        call.add_header(SET_COOKIE, "a=1; HttpOnly");
        call.add_header(SET_COOKIE, "b=2; HttpOnly");
        call.set_header(http::header::CACHE_CONTROL, "private");
        Ok(Text { text: format!("{} {:?}", input.body.name, input.body.age) })
    }

    async fn export_notes(_: &App, call: Call, input: ExportNotesInput) -> Result<ExportNotesOutput, Fault> {
        if input.format == ExportNotesFormat::Json {
            return Ok(ExportNotesOutput::Json(NoteList { data: vec![] }));
        }
        let rows = ["id,text\n", "1,one\n"].map(|row| Ok::<_, std::io::Error>(bytes::Bytes::from(row)));
        let rows = stream::iter(rows);
        let rest = if call.header("x-endless").is_some() {
            stream::pending().left_stream()
        } else {
            stream::empty().right_stream()
        };
        let content = Content::stream(rows.chain(rest)).content_type("text/csv; charset=utf-8");
        Ok(ExportNotesOutput::Csv(content.file_name("notes \"1\".csv")))
    }

    async fn start_call(_: &App, _: Call, input: StartCallInput) -> Result<TextBody, Fault> {
        Ok(TextBody::new(input.body.content_type, format!("answer to {}", input.body.text)))
    }

    async fn go_elsewhere(_: &App, _: Call, _: GoElsewhereInput) -> Result<Redirect, Fault> {
        Ok(Redirect::to("https://elsewhere.example/?a=b"))
    }

    async fn put_blob(_: &App, _: Call, input: PutBlobInput) -> Result<Text, Fault> {
        Ok(Text { text: format!("{} bytes", input.body.bytes.len()) })
    }

    async fn panic_always(_: &App, _: Call, _: PanicAlwaysInput) -> Result<Text, Fault> {
        panic!("at the {}", "handler")
    }

    async fn break_contract(_: &App, call: Call, input: BreakContractInput) -> Result<Text, Fault> {
        match input.how.as_deref() {
            Some("status") => Err(Fault::new(StatusCode::IM_A_TEAPOT, "TEA", "A documented class.")),
            Some("type") => {
                call.set_header(http::header::CONTENT_TYPE, "text/html");
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
    /// Starts one whose answers must keep the contract.
    pub fn start() -> Self {
        Self::checking(ResponseCheck::Fatal)
    }

    pub fn checking(check: ResponseCheck) -> Self {
        let boundary = boundary().expect("compiles").responses(check);
        let app = App { boundary, told: Mutex::default(), living: Arc::default() };
        let api = api_description::<Routes>().expect("registers");
        let listen = "127.0.0.1:0".parse().expect("is an address");
        let http = crate::runtime::start(api, app, listen, None).expect("starts");
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

    /// The error envelope: status, code, details.
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
