//! A client that calls every operation of a library, with requests that succeed and requests that fail.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Library;

/// Timeout of a response.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_millis(800);

/// A response with a description of its request.
#[derive(Debug, Default)]
pub struct Exchange {
    pub what: String,
    /// The operation; empty if there is none.
    pub operation: &'static str,
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub text: String,
    pub body: Value,
}

impl Exchange {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(&name.to_ascii_lowercase()).map(String::as_str).unwrap_or_default()
    }

    fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or("none").to_owned()
    }

    /// The response in one line, without members that differ between libraries.
    pub fn line(&self) -> String {
        let names = ["content-type", "allow", "cache-control", "www-authenticate", "location", "retry-after"];
        let headers = names.map(|name| stable(&json!(self.header(name))));
        let id = if self.header("x-request-id").is_empty() { "without id" } else { "" };
        let body = if self.body.is_null() { stable(&json!(self.text)) } else { stable(&self.body) };
        format!("{}: {} {} {body} {id}", self.what, self.status, headers.join(" "))
    }
}

/// A value without ids, times and tokens.
fn stable(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| format!("{name}={} ", stable(value))).collect::<String>()
        }
        Value::Array(items) => format!("[{}]", items.iter().map(stable).collect::<Vec<_>>().join(",")),
        Value::String(text) if text.starts_with("20") && text.ends_with('Z') => "moment".to_owned(),
        Value::String(text) if text.starts_with("lt.") => "token".to_owned(),
        Value::String(text) if text.starts_with("loan_") => "loan".to_owned(),
        Value::String(text) => {
            let words = text.split(|c: char| !c.is_ascii_hexdigit() && c != '-' && c != '_');
            let long = words.filter(|word| word.len() >= 16 && word.contains(|c: char| c.is_ascii_digit()));
            format!("{:?}", long.fold(text.clone(), |text, word| text.replace(word, "id")))
        }
        other => other.to_string(),
    }
}

/// A client of one library.
#[derive(Debug)]
pub struct LibraryClient<'l> {
    library: &'l Library,
    /// The base URL.
    base: &'l str,
    http: reqwest::Client,
}

impl<'l> LibraryClient<'l> {
    pub fn new(library: &'l Library) -> Self {
        Self { library, base: &library.base_url, http: reqwest::Client::new() }
    }

    /// A credential of the first town, or `other.<name>` for that of the other town.
    pub fn key(&self, name: &str) -> String {
        let inputs = &self.library.inputs;
        let value = match name.strip_prefix("other.") {
            Some(name) => &inputs["otherTenant"][name],
            None => &inputs[name],
        };
        value.as_str().expect("there is such a key").to_owned()
    }

    pub async fn sign_in(&self, password: &str) -> String {
        let mut body = self.library.inputs["owner"].clone();
        if !password.is_empty() {
            body["password"] = json!(password);
        }
        let exchange = self.send("POST", "/owner/login", "", Some(body)).await;
        exchange.body["accessToken"].as_str().unwrap_or_default().to_owned()
    }

    pub async fn get(&self, path: &str, key: &str) -> Exchange {
        self.send("GET", path, key, None).await
    }

    pub async fn send(&self, method: &str, path: &str, key: &str, body: Option<Value>) -> Exchange {
        let headers = if body.is_some() { vec![("content-type", "application/json")] } else { Vec::new() };
        self.raw(method, path, key, &headers, body.map(|body| body.to_string())).await
    }

    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        key: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Exchange {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method.parse().expect("a method"), url).timeout(RESPONSE_TIMEOUT);
        if !key.is_empty() {
            request = request.bearer_auth(key);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let what = format!("{method} {path}");
        let Ok(response) = request.send().await else { return Exchange { what, ..Exchange::default() } };
        let status = response.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers =
            response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let text = response.text().await.unwrap_or_default();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Exchange { what, operation: "", status, headers, text, body }
    }

    /// Sends the same requests to every library, so that their responses can be compared.
    pub async fn everything(&self) -> Vec<Exchange> {
        let mut day = Day { client: self, exchange: Vec::new() };
        let token = self.sign_in("").await;
        day.people(&token).await;
        let book = day.books().await;
        day.shelf(&book, &token).await;
        day.loans(&book).await;
        day.refusals(&book).await;
        day.clerk().await;
        day.check_rate_limit().await;
        day.exchange
    }
}

struct Day<'w, 'l> {
    client: &'w LibraryClient<'l>,
    exchange: Vec<Exchange>,
}

impl Day<'_, '_> {
    /// Sends a request as `who` (the name of a key, a credential, or empty) and stores the response.
    async fn try_it(
        &mut self,
        id: &'static str,
        what: &str,
        who: &str,
        line: &str,
        body: Option<Value>,
    ) -> String {
        let headers = if body.is_some() { vec![("content-type", "application/json")] } else { Vec::new() };
        self.try_raw(id, what, who, line, &headers, body.map(|body| body.to_string())).await
    }

    async fn try_raw(
        &mut self,
        id: &'static str,
        what: &str,
        who: &str,
        line: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> String {
        let key = if who.ends_with("Key") { self.client.key(who) } else { who.to_owned() };
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let mut exchange = self.client.raw(method, path, &key, headers, body).await;
        (exchange.what, exchange.operation) = (format!("{id} {what}"), id);
        let id = exchange.id();
        self.exchange.push(exchange);
        id
    }

    async fn people(&mut self, token: &str) {
        let owner = self.client.library.inputs["owner"].clone();
        let wrong_login = json!({ "email": owner["email"], "password": "something-else" });
        self.try_it("getHealth", "without a credential", "", "GET /health", None).await;
        self.try_it("loginOwner", "as the owner", "", "POST /owner/login", Some(owner)).await;
        self.try_it("loginOwner", "with another password", "", "POST /owner/login", Some(wrong_login)).await;
        self.try_it("loginOwner", "with nothing", "", "POST /owner/login", Some(json!({}))).await;
        self.try_it("getOwner", "as the owner", token, "GET /owner", None).await;
        self.try_it("getOwner", "as a server", "serverKey", "GET /owner", None).await;
        self.try_it("getOwner", "without a credential", "", "GET /owner", None).await;
    }

    /// The clerk, who may do less than the owner.
    async fn clerk(&mut self) {
        let login = self.client.library.inputs["clerk"].clone();
        let token =
            self.client.send("POST", "/owner/login", "", Some(login)).await.body["accessToken"].clone();
        let token = token.as_str().unwrap_or_default();
        self.try_it("getOwner", "as a clerk", token, "GET /owner", None).await;
        self.try_it("exportBooks", "as a clerk", token, "GET /exports/books?format=json", None).await;
    }

    /// More requests than the limited server allows.
    async fn check_rate_limit(&mut self) {
        let library = self.client.library;
        let base = library.inputs["limited"]["baseUrl"].as_str().expect("a limited library");
        let limited = LibraryClient { base, ..LibraryClient::new(library) };
        for count in 1..=7 {
            for (id, path) in [("getHealth", "/health"), ("getLoan", "/loans/none")] {
                let key = if id == "getLoan" { self.client.key("serverKey") } else { String::new() };
                let mut exchange = limited.get(path, &key).await;
                (exchange.what, exchange.operation) = (format!("{id} for the {count}. time"), id);
                self.exchange.push(exchange);
            }
        }
    }

    async fn books(&mut self) -> String {
        let book = json!({ "title": "The Whale", "subtitle": "A voyage", "genre": "novel", "year": 1851, "copies": 3, "isbn": "9780000000018", "tags": ["sea"] });
        let id = self.try_it("createBook", "one", "serverKey", "POST /books", Some(book.clone())).await;
        let tries: [(&str, &str, Value); 13] = [
            ("of the least", "title", json!("W")),
            ("of the longest title", "title", json!("w".repeat(120))),
            ("of too long a title", "title", json!("w".repeat(121))),
            ("of no title", "title", json!("")),
            ("of a title of all letters", "title", json!("Größe 鯨 🐋")),
            ("of an empty subtitle", "subtitle", json!("")),
            ("of an unknown genre", "genre", json!("value-that-is-not-listed")),
            ("of a wrong isbn", "isbn", json!("~~~")),
            ("of copies as text", "copies", json!("12")),
            ("of too many copies", "copies", json!(1001)),
            ("of a null year", "year", Value::Null),
            ("with a member more", "memberThatIsNotNamed", json!(1)),
            ("of the same tag twice", "tags", json!(["a", "a"])),
        ];
        for (what, name, value) in tries {
            let mut other = book.clone();
            other[name] = value;
            self.try_it("createBook", what, "serverKey", "POST /books", Some(other)).await;
        }
        let mut without = book.clone();
        without.as_object_mut().expect("an object").shift_remove("genre");
        self.try_it("createBook", "without a genre", "serverKey", "POST /books", Some(without)).await;
        let text = Some(book.to_string());
        self.try_raw(
            "createBook",
            "as text",
            "serverKey",
            "POST /books",
            &[("content-type", "text/plain")],
            text.clone(),
        )
        .await;
        self.try_raw("createBook", "as nothing in particular", "serverKey", "POST /books", &[], text).await;
        self.try_it("createBook", "as a reader", "readingKey", "POST /books", Some(book)).await;
        for query in [
            "",
            "limit=2",
            "limit=2&page=2",
            "limit=50",
            "page=0",
            "limit=51",
            "genre=essay",
            "genre=none",
            "limit=two",
            "page=2&page=3",
        ] {
            self.try_it("listBooks", query, "serverKey", &format!("GET /books?{query}"), None).await;
        }
        self.try_it("listBooks", "as a writer", "writingKey", "GET /books", None).await;
        self.try_it("listBooks", "without a credential", "", "GET /books", None).await;
        self.try_it("listBooks", "with an unknown credential", "some-key", "GET /books", None).await;
        self.try_it("listBooks", "of the other town", "other.serverKey", "GET /books", None).await;
        id
    }

    async fn shelf(&mut self, book: &str, token: &str) {
        let (get, patch) = (format!("GET /books/{book}"), format!("PATCH /books/{book}"));
        let unknown = "GET /books/0190c2f4-7b1a-4c3d-8e5f-0123456789ab";
        self.try_it("getBook", "as a server", "serverKey", &get, None).await;
        self.try_it("getBook", "as a reader", "readingKey", &get, None).await;
        self.try_it("getBook", "as a writer", "writingKey", &get, None).await;
        self.try_it("getBook", "from the other town", "other.serverKey", &get, None).await;
        self.try_it("getBook", "that is not there", "serverKey", unknown, None).await;
        self.try_it("getBook", "by no id", "serverKey", "GET /books/one", None).await;
        let bodies = [
            (
                "everything",
                json!({ "title": "The White Whale", "genre": "essay", "year": 1852, "copies": 2, "status": "lost" }),
            ),
            ("nothing", json!({})),
            ("null for the title", json!({ "title": null })),
            ("a title that is a number", json!({ "title": 12345 })),
            ("a wrong status beside a good title", json!({ "title": "Refused", "status": "gone" })),
            ("null for the subtitle", json!({ "subtitle": null })),
        ];
        for (what, body) in bodies {
            self.try_it("updateBook", what, "serverKey", &patch, Some(body)).await;
            self.try_it("getBook", &format!("after {what}"), "serverKey", &get, None).await;
        }
        self.try_it("updateBook", "as a reader", "readingKey", &patch, Some(json!({ "year": 1900 }))).await;
        self.try_it(
            "updateBook",
            "from the other town",
            "other.serverKey",
            &patch,
            Some(json!({ "year": 1901 })),
        )
        .await;
        let json = [("content-type", "application/json")];
        self.try_raw("updateBook", "malformed", "serverKey", &patch, &json, Some("{\"title\": ".into()))
            .await;
        self.try_raw("updateBook", "empty", "serverKey", &patch, &json, Some(String::new())).await;
        let (read, upload) = (format!("GET /books/{book}/text"), format!("PUT /books/{book}/text"));
        let plain = [("content-type", "text/plain")];
        self.try_it("readText", "before there is one", "serverKey", &read, None).await;
        self.try_raw("uploadText", "one", "serverKey", &upload, &plain, Some("Call me Ishmael.".into()))
            .await;
        self.try_raw("uploadText", "too long", "serverKey", &upload, &plain, Some("a".repeat(5001))).await;
        self.try_raw("uploadText", "as JSON", "serverKey", &upload, &json, Some("\"a\"".into())).await;
        self.try_raw("uploadText", "as a reader", "readingKey", &upload, &plain, Some("a".into())).await;
        self.try_it("readText", "one", "serverKey", &read, None).await;
        for (what, who) in [
            ("as a server", "serverKey"),
            ("as an owner", token),
            ("as a writer", "writingKey"),
            ("without a credential", ""),
        ] {
            self.try_it("exportBooks", what, who, "GET /exports/books?format=json", None).await;
        }
        self.try_it("exportBooks", "as CSV", "serverKey", "GET /exports/books?format=csv", None).await;
        let one = format!("GET /exports/books?format=json&bookId={book}");
        self.try_it("exportBooks", "of one", "serverKey", &one, None).await;
        self.try_it("exportBooks", "of one of the other town", "other.serverKey", &one, None).await;
        self.try_it("exportBooks", "in no format", "serverKey", "GET /exports/books", None).await;
    }

    async fn loans(&mut self, book: &str) {
        let loan = json!({ "bookId": book, "borrower": "ada@example.com", "dueAt": "2031-05-01T12:00:00Z", "note": null });
        let lend = "POST /loans";
        let id = self.try_it("createLoan", "one", "serverKey", lend, Some(loan.clone())).await;
        for (what, name, value) in [
            ("two", "note", json!("")),
            ("three", "memberThatIsNotNamed", json!(1)),
            ("to no address", "borrower", json!("ada.example.com")),
            ("of no book", "bookId", json!("0190c2f4-7b1a-4c3d-8e5f-0123456789ab")),
        ] {
            let mut other = loan.clone();
            other[name] = value;
            self.try_it("createLoan", what, "serverKey", lend, Some(other)).await;
        }
        self.try_it("createLoan", "from the other town", "other.serverKey", lend, Some(loan.clone())).await;
        let (json, other) = (loan.to_string(), loan.to_string().replace("ada", "bob"));
        let once = [("content-type", "application/json"), ("idempotency-key", "once-and-again")];
        for (what, body) in [("once", &json), ("again", &json), ("another", &other)] {
            self.try_raw("createLoan", what, "serverKey", lend, &once, Some(body.clone())).await;
        }
        let exchange = |what: &str| {
            self.exchange
                .iter()
                .find(|one| one.what == format!("createLoan {what}"))
                .map(|one| one.text.clone())
        };
        let same = exchange("once") == exchange("again");
        self.exchange.push(Exchange {
            what: format!("the repeat is answered as before: {same}"),
            ..Exchange::default()
        });
        let short = [("content-type", "application/json"), ("idempotency-key", "!")];
        self.try_raw("createLoan", "with no key", "serverKey", lend, &short, Some(json.clone())).await;
        self.try_raw("createLoan", "malformed", "serverKey", lend, &once[..1], Some("{".into())).await;
        self.try_raw("createLoan", "as nothing in particular", "serverKey", lend, &[], Some(json.clone()))
            .await;
        let large = format!("{json}{}", " ".repeat(70_000));
        self.try_raw("createLoan", "of too many bytes", "serverKey", lend, &once[..1], Some(large)).await;
        let mut cursor = String::new();
        for page in 0..4 {
            let line = format!("GET /loans?limit=2{cursor}");
            self.try_it("listLoans", &format!("page {page}"), "serverKey", &line, None).await;
            let next = self.exchange.last().and_then(|one| one.body["nextCursor"].as_str());
            let Some(next) = next else { break };
            cursor = format!("&cursor={next}");
        }
        while self.exchange.iter().filter(|one| one.what.starts_with("listLoans page")).count() < 4 {
            self.exchange
                .push(Exchange { what: "listLoans page that is not there".into(), ..Exchange::default() });
        }
        for (what, who, query) in [
            ("from a cursor that never was", "serverKey", "?cursor=text"),
            ("as a writer", "writingKey", ""),
            ("with a revoked key", "revokedKey", ""),
            ("of the other town", "other.serverKey", ""),
        ] {
            self.try_it("listLoans", what, who, &format!("GET /loans{query}"), None).await;
        }
        let get = format!("GET /loans/{id}");
        for (what, who) in [
            ("as a server", "serverKey"),
            ("as a writer", "writingKey"),
            ("with an unknown credential", "some-key"),
            ("from the other town", "other.serverKey"),
        ] {
            self.try_it("getLoan", what, who, &get, None).await;
        }
        let unknown = "loan_0000000000000000";
        self.try_it("getLoan", "that is not there", "serverKey", &format!("GET /loans/{unknown}"), None)
            .await;
        self.try_it("deleteBook", "too early", "serverKey", &format!("DELETE /books/{book}"), None).await;
        self.try_it("returnLoan", "one", "serverKey", &format!("POST /loans/{id}/return"), None).await;
        self.try_it(
            "returnLoan",
            "that is not there",
            "serverKey",
            &format!("POST /loans/{unknown}/return"),
            None,
        )
        .await;
        self.try_it("getLoan", "that came back", "serverKey", &get, None).await;
    }

    async fn refusals(&mut self, book: &str) {
        for (line, key) in
            [("DELETE /books", "serverKey"), ("OPTIONS /health", ""), ("GET /nowhere", "serverKey")]
        {
            self.try_it("", line, key, line, None).await;
        }
        let put = format!("PUT /books/{book}");
        self.try_it("", "PUT of a book", "serverKey", &put, Some(json!({ "year": 1999 }))).await;
        let fresh = json!({ "title": "To be deleted", "genre": "poetry", "year": 1855 });
        let id = self.try_it("createBook", "for the end", "serverKey", "POST /books", Some(fresh)).await;
        let (delete, get) = (format!("DELETE /books/{id}"), format!("GET /books/{id}"));
        for who in ["readingKey", "other.serverKey", "serverKey"] {
            self.try_it("deleteBook", who, who, &delete, None).await;
            self.try_it("getBook", &format!("after {who}"), "serverKey", &get, None).await;
        }
    }
}
