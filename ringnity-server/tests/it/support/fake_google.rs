//! A stand-in for Google: a key set, and ID tokens signed with its keys.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use conformance::issuer;
pub use conformance::issuer::signing_input;
use jsonwebtoken::{Algorithm, EncodingKey};
use ringnity_server::config::ServeConfig;
use serde_json::{Value, json};

/// The client id of the test server.
pub const CLIENT_ID: &str = "ringnity.apps.googleusercontent.com";

/// A key that signs ID tokens.
pub struct Key(issuer::Key);

impl Key {
    pub fn new(kid: &str) -> Self {
        Self(issuer::Key::new(kid).expect("a key"))
    }

    pub fn public(&self) -> &[u8] {
        self.0.public_key_der()
    }

    /// The key as a JWK.
    pub fn jwk(&self) -> Value {
        self.0.jwk()
    }

    pub fn header(&self) -> Value {
        self.0.header()
    }

    /// A token with this header and these claims, signed with this key whatever they say.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.0.sign(header, claims).expect("signs")
    }

    /// A token as Google issues them.
    pub fn token(&self, claims: &Value) -> String {
        self.0.token(claims).expect("signs")
    }
}

/// A token signed with a shared secret.
pub fn with_secret(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = signing_input(header, claims);
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).expect("signs");
    format!("{message}.{signature}")
}

/// A listener that serves a key set until the tests end.
#[derive(Clone)]
pub struct FakeGoogle {
    pub url: String,
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<(u16, String)>>,
}

impl FakeGoogle {
    pub fn with(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let google = Self {
            url: format!("http://{}/certs", listener.local_addr().expect("address")),
            asked: Arc::default(),
            answer: Arc::default(),
        };
        google.publish(keys);
        let (asked, answer) = (google.asked.clone(), google.answer.clone());
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let Ok(mut socket) = socket else { continue };
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).is_ok_and(|read| read == 1) {
                    head.push(byte[0]);
                }
                asked.fetch_add(1, Ordering::SeqCst);
                let (status, body) = answer.lock().expect("answer").clone();
                let answer = format!(
                    "HTTP/1.1 {status} Said\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = socket.write_all(answer.as_bytes());
            }
        });
        google
    }

    /// Serves these keys from now on, and no others.
    pub fn publish(&self, keys: &[&Key]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        *self.answer.lock().expect("answer") = (200, json!({ "keys": keys }).to_string());
    }

    /// Answers with this from now on.
    pub fn answer(&self, status: u16, body: &str) {
        *self.answer.lock().expect("answer") = (status, body.to_owned());
    }

    /// How often the key set was fetched.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Settings of a server that uses it.
    pub fn configure(&self) -> impl Fn(&mut ServeConfig) {
        let url = self.url.clone();
        move |config| {
            config.google_client_id = Some(CLIENT_ID.to_owned());
            config.google_jwks_url.clone_from(&url);
        }
    }
}
