//! The contract as it is served, and the reference pages.

use reqwest::StatusCode;

use crate::support::{TestServer, on_each_engine};

#[test]
fn serves_effective_contract() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let answer = server.get("/api/openapi.json").send().await.ok();
        assert_eq!(answer.text, ringnity_api::CONTRACT);
        assert_eq!(answer.json["openapi"], "3.1.0");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    });
}

#[test]
fn the_index_links_to_pages_that_exist() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).start().await;
        let index = server.get("/").send().await.ok();
        assert!(index.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
        assert!(index.text.contains(env!("CARGO_PKG_VERSION")) && !index.text.contains("{version}"));
        let links: Vec<&str> =
            index.text.split("<a href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(links.len(), 3, "{links:?}");
        for link in links {
            server.get(link).send().await.ok();
        }
    });
}

#[test]
fn head_answers_like_get_without_a_body() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).start().await;
        for page in ["/", "/docs", "/docs/start.js", "/docs/scalar.js", "/api/openapi.json"] {
            let get = server.get(page).send().await.ok();
            let head = server.raw(
                format!("HEAD {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes(),
            );
            let (head, body) = head.split_once("\r\n\r\n").expect("a head");
            assert!(head.starts_with("HTTP/1.1 200"), "{page}: {head}");
            assert!(head.contains(&format!("content-length: {}", get.text.len())), "{page}: {head}");
            assert_eq!(body, "", "{page}");
        }
    });
}

#[test]
fn s4_3_the_reference_runs_no_script_but_its_own_and_loads_nothing_from_elsewhere() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let page = server.get("/docs").send().await.ok();
        assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
        let policy = page.header("content-security-policy").expect("policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("http"), "{policy}");
        for strict in ["base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(strict), "{strict}: {policy}");
        }
        let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src")).expect("scripts");
        assert!(!scripts.contains("unsafe-inline") && !scripts.contains('*'), "{scripts}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert!(!page.text.contains("http://") && !page.text.contains("https://"), "{}", page.text);
        for script in ["/docs/scalar.js", "/docs/start.js"] {
            assert!(page.text.contains(script), "{script}");
            let script = server.get(script).send().await.status(StatusCode::OK);
            assert!(
                script.text.contains("createApiReference"),
                "{}",
                &script.text[..200.min(script.text.len())]
            );
        }
        let small = server.get("/docs/scalar.js").header("accept-encoding", "gzip").send().await.ok();
        assert_eq!(small.header("content-encoding"), Some("gzip"));
    });
}
