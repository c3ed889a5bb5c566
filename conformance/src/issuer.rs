//! An issuer of ID tokens for tests: serves a key set (JWKS) on localhost and signs tokens that it verifies.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Read and write timeout of a connection. Connections are served one at a time.
const IO_TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum size of a request. It has no body and only a few headers.
const MAX_REQUEST_HEAD: u64 = 16 * 1024;

/// An RSA key that signs with RS256.
#[derive(Debug)]
pub struct Key {
    id: String,
    pair: KeyPair,
}

impl Key {
    /// Generates a key with this key id.
    pub fn new(id: impl Into<String>) -> Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("cannot generate an RSA key"))?;
        Ok(Self { id: id.into(), pair })
    }

    /// The public key in DER: `SEQUENCE { modulus, exponent }`.
    pub fn public_key_der(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The public key as a JWK.
    pub fn jwk(&self) -> Value {
        // The modulus (2048 bits) follows the headers of the sequence and of the integer, and a zero byte. The
        // exponent is last.
        let (modulus, exponent) = (&self.public_key_der()[9..265], &self.public_key_der()[267..]);
        json!({
            "kid": self.id, "kty": "RSA", "alg": "RS256", "use": "sig",
            "n": base64url(modulus), "e": base64url(exponent),
        })
    }

    /// The header of a token that this key signs.
    pub fn header(&self) -> Value {
        json!({ "alg": "RS256", "typ": "JWT", "kid": self.id })
    }

    /// Signs a token with these claims.
    pub fn token(&self, claims: &Value) -> Result<String> {
        self.sign(&self.header(), claims)
    }

    /// Signs a token with this header and these claims. The header need not name this key.
    pub fn sign(&self, header: &Value, claims: &Value) -> Result<String> {
        let message = signing_input(header, claims);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .map_err(|_| anyhow!("cannot sign the token"))?;
        Ok(format!("{message}.{}", base64url(signature)))
    }
}

/// The signing input of a JWS: header and payload, encoded and joined by a dot.
pub fn signing_input(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()))
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key whose public part is served over HTTP.
#[derive(Debug)]
pub struct Issuer {
    /// The URL of the key set.
    pub url: String,
    /// The key that signs.
    pub key: Key,
}

impl Issuer {
    /// Generates a key and serves its key set on a free port of localhost until the process ends.
    pub fn start() -> Result<Self> {
        let key = Key::new("conformance")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on localhost")?;
        let url = format!("http://{}/certs", listener.local_addr()?);
        let body = json!({ "keys": [key.jwk()] }).to_string();
        let response = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that disconnects or sends nothing gets no response.
                let _ = serve_key_set(&stream, &response);
            }
        });
        Ok(Self { url, key })
    }
}

fn serve_key_set(mut stream: &TcpStream, response: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(IO_TIMEOUT))?;
    stream.set_write_timeout(Some(IO_TIMEOUT))?;
    let mut head = BufReader::new(stream).take(MAX_REQUEST_HEAD);
    let mut line = String::new();
    // An empty line ends the headers.
    while head.read_line(&mut line)? > 0 && !line.trim_end().is_empty() {
        line.clear();
    }
    stream.write_all(response.as_bytes())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

    use super::*;

    /// Whether the key set verifies the token.
    fn verifies(set: &Value, token: &str) -> bool {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64");
        let key = &set["keys"][0];
        let component = |name: &str| bytes(key[name].as_str().expect("a number"));
        let (message, signature) = token.rsplit_once('.').expect("a signature");
        RsaPublicKeyComponents { n: component("n"), e: component("e") }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &bytes(signature))
            .is_ok()
    }

    #[test]
    fn key_set_verifies_only_its_own_tokens() {
        let issuer = Issuer::start().expect("starts");
        // A client that sends nothing must not block the others for long.
        let _silent =
            TcpStream::connect(issuer.url.split('/').nth(2).expect("an address")).expect("connects");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let set: Value = runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().expect("a client");
            let response = client.get(&issuer.url).send().await.expect("a response");
            response.json().await.expect("JSON")
        });
        let claims = json!({ "sub": "1" });
        assert!(verifies(&set, &issuer.key.token(&claims).expect("signs")));
        let other_key = Key::new("conformance").expect("a key");
        assert!(!verifies(&set, &other_key.token(&claims).expect("signs")));
    }
}
