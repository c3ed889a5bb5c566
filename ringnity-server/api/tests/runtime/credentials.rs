//! Authentication and authorization.

use crate::app::{Answer, App, Server};
use crate::generated::{GET_NOTE, Principal, WHO};
use crate::runtime::{Hooks as _, RequestHead, ResponseCheck, authenticate_credential, authorize};

#[tokio::test]
async fn a_missing_credential_is_401_and_says_where_it_belongs() {
    let server = Server::start();
    let answer = Answer::of(server.request("GET", "/api/notes")).await;
    assert_eq!(answer.fault(), (401, "KEY_MISSING".into(), vec![]));
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    assert!(answer.text.contains("Authorization: Bearer or X-User-Key"), "{}", answer.text);
    // Another scheme in the same header is no credential of this kind.
    let basic = server.request("GET", "/api/notes").basic_auth("user:all", Some("x"));
    assert_eq!(Answer::of(basic).await.fault().1, "KEY_MISSING");
}

#[tokio::test]
async fn a_wrong_credential_is_401_with_its_own_code() {
    let server = Server::start();
    let answer = Answer::of(server.request("GET", "/api/notes").bearer_auth("user:wrong")).await;
    assert_eq!(answer.fault(), (401, "KEY_INVALID".into(), vec![]));
    assert_eq!(answer.header("www-authenticate"), r#"Bearer error="invalid_token""#);
    assert!(!answer.text.contains("user:wrong"));
}

#[tokio::test]
async fn a_scope_that_is_lacking_is_403_and_named() {
    let server = Server::start();
    let answer = Answer::of(server.request("GET", "/api/notes").bearer_auth("user:none")).await;
    assert_eq!(answer.fault(), (403, "KEY_SCOPE".into(), vec!["needs scope user:notes:read".into()]));
    let challenge = r#"Bearer error="insufficient_scope", scope="user:notes:read""#;
    assert_eq!(answer.header("www-authenticate"), challenge);
}

#[tokio::test]
async fn any_one_of_several_scopes_opens_and_all_are_named_to_whom_it_does_not() {
    let server = Server::start();
    let get =
        |path: &'static str, key: &'static str| Answer::of(server.request("GET", path).bearer_auth(key));
    assert_eq!(get("/api/notes/1", "user:writes").await.said(), "got");
    assert_eq!(get("/api/notes", "user:writes").await.fault().0, 403);
    let answer = get("/api/notes/1", "user:none").await;
    let line = "needs scope user:notes:read or user:notes:write";
    assert_eq!(answer.fault(), (403, "KEY_SCOPE".into(), vec![line.into()]));
    let challenge = r#"Bearer error="insufficient_scope", scope="user:notes:read user:notes:write""#;
    assert_eq!(answer.header("www-authenticate"), challenge);
}

#[tokio::test]
async fn a_credential_may_travel_in_every_place_of_its_kind() {
    let server = Server::start();
    let answer = Answer::of(server.request("GET", "/api/notes/1").header("x-user-key", "user:all")).await;
    assert_eq!(answer.said(), "got");
    let twice = server.request("GET", "/api/notes/1").header("x-user-key", "a").header("x-user-key", "b");
    assert_eq!(Answer::of(twice).await.lines(), ["/header/x-user-key: is sent more than once"]);
}

#[tokio::test]
async fn of_several_kinds_the_one_that_knows_the_credential_decides() {
    let server = Server::start();
    let who =
        |session: &'static str| Answer::of(server.request("GET", "/api/who").header("x-session", session));
    assert_eq!(who("guest:ada").await.said(), "guest ada");
    assert_eq!(who("staff:bob").await.said(), "staff bob");
    assert_eq!(who("staff:late").await.fault().1, "STAFF_EXPIRED");
    assert_eq!(who("staff:who").await.fault().1, "GUEST_INVALID");
    assert_eq!(who("other").await.fault().1, "GUEST_INVALID");
    assert_eq!(
        Answer::of(server.request("GET", "/api/who").bearer_auth("staff:bob")).await.said(),
        "staff bob"
    );
    assert_eq!(Answer::of(server.request("GET", "/api/who")).await.fault().1, "GUEST_MISSING");
}

#[tokio::test]
async fn another_role_is_403_and_the_roles_are_named_to_whom_it_has() {
    let server = Server::start();
    let who = |session| server.request("GET", "/api/who").header("x-session", session);
    let answer = Answer::of(who("staff:eve")).await;
    let line = "needs role editor or publisher";
    assert_eq!(answer.fault(), (403, "STAFF_ROLE".into(), vec![line.into()]));
    // The limit is asked before the roles, too, and a kind that acts in no role is asked for none.
    assert_eq!(Answer::of(who("staff:eve").header("x-flood", "all")).await.fault().0, 429);
    assert_eq!(Answer::of(who("guest:ada")).await.said(), "guest ada");
}

#[tokio::test]
async fn nobody_is_welcome_where_the_contract_says_so_but_a_bad_credential_is_not() {
    let server = Server::start();
    assert_eq!(Answer::of(server.request("GET", "/api/maybe")).await.said(), "nobody");
    let guest = server.request("GET", "/api/maybe").header("x-session", "guest:ada");
    assert_eq!(Answer::of(guest).await.said(), "ada");
    let bad = server.request("GET", "/api/maybe").header("x-session", "bad");
    assert_eq!(Answer::of(bad).await.fault().0, 401);
}

#[tokio::test]
async fn a_stranger_learns_nothing_about_the_body() {
    let server = Server::start();
    let request = server.request("POST", "/api/notes").header("content-type", "application/json").body("{");
    assert_eq!(Answer::of(request).await.fault().0, 401);
    let huge = vec![b'x'; 3 * 1024 * 1024];
    let request = server.request("POST", "/api/notes").header("content-type", "text/html").body(huge);
    assert_eq!(Answer::of(request).await.fault().0, 401);
}

#[tokio::test]
async fn what_the_judge_of_credentials_says_or_does_is_answered() {
    let server = Server::start();
    let answer = Answer::of(server.request("GET", "/api/notes").bearer_auth("user:broke")).await;
    assert_eq!(answer.fault(), (503, "UNAVAILABLE".into(), vec![]));
    assert!(!answer.text.contains("key store"));
    let answer = Answer::of(server.request("GET", "/api/notes").bearer_auth("user:panic")).await;
    assert_eq!(answer.fault(), (500, "INTERNAL".into(), vec![]));
    let answer = Answer::of(server.user("GET", "/api/notes").header("x-flood", "all")).await;
    assert_eq!(answer.fault().0, 429);
    assert_eq!(answer.header("retry-after"), "7");
    // The limit is checked before the scopes: a request without the scope counts too.
    let request = server.request("GET", "/api/notes").bearer_auth("user:none").header("x-flood", "all");
    assert_eq!(Answer::of(request).await.fault().0, 429);
}

#[tokio::test]
async fn rejected_credentials_count_as_anonymous() {
    let server = Server::start();
    let ask = |path, key: Option<&str>| {
        let request = server.request("GET", path).header("x-flood", "anonymous");
        Answer::of(match key {
            Some(key) => request.header("x-user-key", key).header("x-session", key),
            None => request,
        })
    };
    for key in [None, Some("user:wrong")] {
        assert_eq!(ask("/api/notes", key).await.fault().0, 429, "{key:?}");
    }
    // Not accepted, of another kind, expired, and not required.
    for key in [Some("guest"), Some("staff:who"), Some("staff:late"), None] {
        assert_eq!(ask("/api/who", key).await.fault().0, 429, "{key:?}");
    }
    assert_eq!(ask("/api/maybe", None).await.fault().0, 429);
    let twice = server.request("GET", "/api/notes").header("x-flood", "anonymous");
    let twice = twice.header("x-user-key", "user:all").header("x-user-key", "user:all");
    assert_eq!(Answer::of(twice).await.fault().0, 429);
    // An accepted credential is not anonymous, with or without the scope. Neither is one that cannot be checked.
    assert_eq!(ask("/api/notes/1", Some("user:all")).await.said(), "got");
    assert_eq!(ask("/api/notes", Some("user:none")).await.fault().0, 403);
    assert_eq!(ask("/api/notes", Some("user:broke")).await.fault().0, 503);
}

#[tokio::test]
async fn a_missing_feature_is_403_after_scopes_and_before_the_body() {
    let server = Server::start();
    let pin = |key: &'static str| server.request("POST", "/api/notes/1/pin").bearer_auth(key);
    let answer = Answer::of(pin("user:free")).await;
    assert_eq!(answer.fault(), (403, "NOT_IN_PLAN".into(), vec![]));
    assert!(answer.text.contains("The plan does not include pins."), "{}", answer.text);
    assert_eq!(Answer::of(pin("user:all")).await.status, 200);
    // A feature of the security scheme is needed for every operation that accepts it.
    let who = |session: &'static str| server.request("GET", "/api/who").header("x-session", session);
    let answer = Answer::of(who("guest:free")).await;
    assert_eq!(answer.fault(), (403, "NOT_IN_PLAN".into(), vec![]));
    assert_eq!(Answer::of(who("guest:free").header("x-flood", "all")).await.fault().0, 429);
    assert_eq!(Answer::of(who("guest:ada")).await.said(), "guest ada");
    assert_eq!(Answer::of(who("staff:eve")).await.fault().1, "STAFF_ROLE");
}

#[tokio::test]
async fn a_denied_principal_is_counted_before_it_is_told() {
    let server = Server::start();
    let get = || server.request("GET", "/api/notes").bearer_auth("user:blocked");
    assert_eq!(Answer::of(get()).await.fault(), (403, "BLOCKED".into(), vec![]));
    assert_eq!(Answer::of(get().header("x-flood", "all")).await.fault().0, 429);
    assert_eq!(Answer::of(get().header("x-flood", "anonymous")).await.fault().0, 403);
}

/// The same code, without a request that carries the credential and without an operation.
#[tokio::test]
async fn authenticates_a_credential_without_an_operation() {
    let app = App::new(ResponseCheck::Fatal);
    let head = |flood: &str| {
        let request = http::Request::get("/socket").header("x-flood", flood).body(()).expect("is a request");
        let head = RequestHead::new("1".into(), request.into_parts().0, ([127, 0, 0, 1], 1).into());
        let state = app.request_state(&head);
        head.with_state(state)
    };
    let none = head("none");
    let found =
        authenticate_credential(&app, &none, &["guest", "staff"], "staff:bob").await.expect("is valid");
    assert_eq!(found.kind.kind, "staff");
    assert!(matches!(&found.principal, Principal::Staff(staff) if staff.name == "bob"));
    for (kinds, text, expected) in [
        (["guest", "staff"], "staff:late", (401, "STAFF_EXPIRED")),
        (["guest", "staff"], "staff:who", (401, "GUEST_INVALID")),
        (["guest", "staff"], "", (401, "GUEST_MISSING")),
        (["guest", "guest"], "staff:bob", (401, "GUEST_INVALID")),
        (["guest", "staff"], "guest:free", (403, "NOT_IN_PLAN")),
        (["user", "user"], "user:blocked", (403, "BLOCKED")),
        (["user", "user"], "user:broke", (503, "UNAVAILABLE")),
    ] {
        let fault = authenticate_credential(&app, &none, &kinds, text).await.expect_err("is rejected");
        let code = fault.code_in(GET_NOTE.errors);
        assert_eq!((fault.status().as_u16(), code), expected, "{kinds:?} {text}");
    }
    let fault =
        authenticate_credential(&app, &head("all"), &["staff"], "staff:bob").await.expect_err("is limited");
    assert_eq!(fault.status(), 429);
    // Scopes, roles and the operation's feature are a separate step.
    let eve = authenticate_credential(&app, &none, &["staff"], "staff:eve").await.expect("is valid");
    let access = &WHO.accepts[1];
    assert_eq!(authorize(&app, &eve, access, None).expect_err("lacks the role").status(), 403);
    assert!(authorize(&app, &found, access, None).is_ok());
    assert_eq!(authorize(&app, &found, access, Some("pins")).expect_err("lacks the feature").status(), 403);
}
