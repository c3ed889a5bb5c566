//! People who are switched off and on, and given other passwords, beside running servers.

use ringnity_store::Engine;
use serde_json::{Value, json};

use super::{Desk, Served, at_each_engine};

/// An account: the command that is about it, what names it there, and where it signs in under which member.
struct Person {
    command: &'static str,
    named: &'static [&'static str],
    surface: &'static str,
    member: &'static str,
    name: &'static str,
}

const ADA: Person = Person {
    command: "owner",
    named: &["ada@acme.example"],
    surface: "owner",
    member: "email",
    name: "ada@acme.example",
};
const GRACE: Person = Person {
    command: "agent",
    named: &["--tenant=acme", "grace"],
    surface: "workspace",
    member: "username",
    name: "grace",
};
const ROOT: Person = Person {
    command: "platform-admin",
    named: &["root@example.com"],
    surface: "platform",
    member: "email",
    name: "root@example.com",
};

impl Person {
    /// What a command about the account tells as JSON.
    fn told(&self, desk: &Desk, verb: &str) -> Value {
        desk.run(&[&[self.command, verb, "--json"], self.named].concat()).ok().json()
    }

    /// Another password, made by the command.
    fn new_password(&self, desk: &Desk) -> String {
        text(&self.told(desk, "set-password")["password"])
    }

    fn sign_in(&self, server: &Served, password: &str) -> (u16, Value) {
        self.sign_in_at(server, "acme", password)
    }

    fn sign_in_at(&self, server: &Served, slug: &str, password: &str) -> (u16, Value) {
        let path = match self.surface {
            "owner" => "/api/auth/owner-login".to_owned(),
            "workspace" => format!("/api/auth/workspace-login?slug={slug}"),
            _ => "/api/platform/auth/login".to_owned(),
        };
        server.ask("POST", &path, None, Some(&json!({ self.member: self.name, "password": password })))
    }

    /// A session, of which only what was told at signing in is known.
    #[track_caller]
    fn session(&self, server: &Served, password: &str) -> Value {
        let (status, answer) = self.sign_in(server, password);
        assert_eq!(status, 200, "{}: {answer}", self.name);
        answer["data"].clone()
    }

    fn refresh(&self, server: &Served, session: &Value) -> (u16, Value) {
        let path = match self.surface {
            "platform" => "/api/platform/auth/refresh".to_owned(),
            surface => format!("/api/auth/{surface}-refresh"),
        };
        server.ask("POST", &path, None, Some(&json!({ "refreshToken": session["refreshToken"] })))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// What a token is worth: 401 where its holder is let in no more.
fn worth(server: &Served, kind: &str, token: &str) -> u16 {
    let none = json!({ "deviceId": "no such device" });
    let (method, path, body) = match kind {
        "owner" => ("GET", "/api/auth/owner-me", None),
        "workspace" => ("GET", "/api/sdk/developer/server-api-credentials", None),
        "platform" => ("GET", "/api/platform/plan-contracts", None),
        _ => ("DELETE", "/api/sdk/devices/push-token", Some(&none)),
    };
    server.ask(method, path, Some(token), body).0
}

/// An SDK token for somebody of the staff, asked for by the customer's backend.
fn sdk_token(server: &Served, kind: &str, key: &str, username: &str) -> (u16, Value) {
    let path = format!("/api/server/sdk-token/{kind}");
    server.ask("POST", &path, Some(key), Some(&json!({ "username": username })))
}

/// Everything that somebody holds who has signed in, each with the kind of token that it is.
fn holdings(server: &Served, person: &Person, session: &Value, key: &str) -> Vec<(&'static str, String)> {
    let access = text(&session["accessToken"]);
    let mut held = Vec::new();
    if person.surface == "owner" {
        let (_, entry) = server.ask("POST", "/api/auth/workspace-entry-token", Some(&access), None);
        let entry = text(&entry["data"]["autoLoginToken"]);
        let path = format!("/api/auth/workspace-auto-login?token={entry}");
        let (_, inside) = server.ask("GET", &path, None, None);
        held.push(("workspace", text(&inside["data"]["accessToken"])));
    }
    if person.surface != "platform" {
        for kind in ["agent", "admin"] {
            let (status, made) = sdk_token(server, kind, key, person.name);
            assert_eq!(status, 201, "{made}");
            held.push((kind, text(&made["data"]["token"])));
        }
    }
    held.push((person.surface, access));
    held
}

/// Tenants acme and other, both with an agent called grace who is a supervisor, and a platform administrator. Answers
/// the password of the other grace.
fn furnish(desk: &Desk) -> String {
    desk.with_acme("starter");
    desk.run(&["tenant", "create", "--slug=other", "--name=Other", "--owner-email=eve@other.example"]).ok();
    let grace = ["agent", "create", "--username=grace", "--name=Grace", "--role=supervisor", "--json"];
    desk.run(&[&grace[..], &["--tenant=acme"]].concat()).ok();
    let other = desk.run(&[&grace[..], &["--tenant=other"]].concat()).ok().json();
    desk.run(&["platform-admin", "create", "--email=root@example.com", "--name=Root"]).ok();
    text(&other["password"])
}

#[test]
fn s2_6_whoever_is_switched_off_or_has_another_password_is_out_at_all_nodes_from_the_next_request_on() {
    at_each_engine(|desk| {
        let others = furnish(desk);
        let key = desk.run(&["keys", "create", "--tenant=acme", "--name=All", "--all-scopes", "--json"]);
        let key = text(&key.ok().json()["secret"]);
        let server = desk.serve(&[]);
        let second = (desk.engine() == Engine::Postgres).then(|| desk.serve(&[]));
        let there = second.as_ref().unwrap_or(&server);
        let (_, bystander) = GRACE.sign_in_at(&server, "other", &others);
        let bystander = bystander["data"].clone();
        for person in [ADA, GRACE, ROOT] {
            let who = person.name;
            let must_be_out = |held: &[(&str, String)], session: &Value| {
                for (kind, token) in held {
                    assert_eq!(worth(there, kind, token), 401, "{who}: {kind}");
                }
                let (status, answer) = person.refresh(there, session);
                assert_eq!((status, &answer["code"]), (401, &json!("AUTH_REFRESH_TOKEN_INVALID")), "{who}");
            };
            let password = person.new_password(desk);
            let session = person.session(&server, &password);
            let held = holdings(&server, &person, &session, &key);
            for (kind, token) in &held {
                let worth = worth(there, kind, token);
                assert!([200, 404, 501].contains(&worth), "{who}: {kind} is not let in: {worth}");
            }

            assert_eq!(person.told(desk, "disable")["isActive"], json!(false), "{who}");
            must_be_out(&held, &session);
            let (status, answer) = person.sign_in(there, &password);
            assert_eq!((status, &answer["code"]), (403, &json!("AUTH_ACCOUNT_DISABLED")), "{who}: {answer}");
            for (kind, _) in held.iter().filter(|(kind, _)| ["agent", "admin"].contains(kind)) {
                let (status, answer) = sdk_token(there, kind, &key, who);
                assert_eq!((status, &answer["code"]), (403, &json!("AGENT_SDK_AGENT_DISABLED")), "{who}");
            }

            assert_eq!(person.told(desk, "enable")["isActive"], json!(true), "{who}");
            must_be_out(&held, &session);
            let session = person.session(there, &password);
            let held = holdings(&server, &person, &session, &key);

            let fresh = person.new_password(desk);
            must_be_out(&held, &session);
            let (status, answer) = person.sign_in(there, &password);
            assert_eq!((status, &answer["code"]), (401, &json!("AUTH_CREDENTIALS_INVALID")), "{who}");
            person.session(there, &fresh);
        }
        // Another tenant's grace has seen nothing of it.
        assert_eq!(worth(there, "workspace", &text(&bystander["accessToken"])), 200);
        assert_eq!(GRACE.refresh(there, &bystander).0, 200);
        assert_eq!(GRACE.sign_in_at(there, "other", &others).0, 200);
        // An owner is in the staff, too, but not for the commands about it.
        let owner = ["agent", "set-password", "--tenant=acme", ADA.name];
        desk.run(&owner).refused(1, &["is an owner of acme", "ringnity-server owner"]);
        let staff = desk.run(&["agent", "list", "--tenant=acme", "--json"]).ok().json();
        assert_eq!(staff["agents"].as_array().map(Vec::len), Some(1), "{staff}");
    });
}

#[test]
fn s2_4_a_new_password_opens_although_the_old_one_was_guessed_at_too_often() {
    at_each_engine(|desk| {
        furnish(desk);
        let server = desk.serve(&[]);
        let eve = Person { name: "eve@other.example", named: &["eve@other.example"], ..ADA };
        for person in [&eve, &ADA, &GRACE, &ROOT] {
            for turn in 0..11 {
                let status = person.sign_in(&server, "a guess, and wrong").0;
                assert_eq!(status, if turn < 10 { 401 } else { 429 }, "{}", person.name);
            }
        }
        for person in [&ADA, &GRACE, &ROOT] {
            let password = person.new_password(desk);
            person.session(&server, &password);
            assert_eq!(person.sign_in(&server, "a guess, and wrong").0, 401, "{}", person.name);
        }
        // What failed at other accounts still counts, but for those that have come back meanwhile.
        let open = (0..10).take_while(|_| eve.sign_in(&server, "a guess, and wrong").0 == 401).count();
        assert!(open < 5, "{open}");
    });
}

#[test]
fn people_are_listed_with_their_state_and_without_their_passwords() {
    at_each_engine(|desk| {
        furnish(desk);
        let password = ADA.new_password(desk);
        let server = desk.serve(&[]);
        ADA.session(&server, &password);
        GRACE.told(desk, "disable");
        let listed = |arguments: &[&str]| {
            desk.run(&[arguments, &["--json"]].concat()).ok().silent_about(&["argon2", "assword"]).json()
        };
        let members = |value: &Value| {
            let mut names: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
            names.sort();
            names.join(" ")
        };
        let agents = &listed(&["agent", "list", "--tenant=acme"])["agents"];
        assert_eq!(agents.as_array().map(Vec::len), Some(1), "only acme's: {agents}");
        assert_eq!(
            members(&agents[0]),
            "agentId createdAt departmentId isActive lastLoginAt name role tenant username"
        );
        assert_eq!((&agents[0]["isActive"], &agents[0]["lastLoginAt"]), (&json!(false), &Value::Null));
        let owners = &listed(&["owner", "list", "--tenant=acme"])["owners"];
        assert_eq!(members(&owners[0]), "createdAt email isActive lastLoginAt name ownerId tenant");
        assert!(owners[0]["isActive"] == json!(true) && owners[0]["lastLoginAt"].is_string(), "{owners}");
        let admins = &listed(&["platform-admin", "list"])["platformAdmins"];
        assert_eq!(members(&admins[0]), "adminId createdAt email isActive lastLoginAt name role");
        let text = desk.run(&["agent", "list", "--tenant=acme"]).ok().out;
        let columns = text.lines().nth(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(columns.as_deref(), Some(&["grace", "Grace", "supervisor", "off", "never"][..]), "{text}");
    });
}

#[test]
fn the_last_one_may_be_switched_off_and_it_is_told_how_to_take_that_back() {
    at_each_engine(|desk| {
        furnish(desk);
        let bob = ["owner", "create", "--tenant=acme", "--email=bob@acme.example", "--name=Bob", "--json"];
        let bob = desk.run(&bob).ok().json();
        desk.serve(&[]).owner_token("bob@acme.example", bob["password"].as_str().expect("a password"));
        assert_eq!(ADA.told(desk, "disable")["activeOwners"], json!(1));
        let bob = Person { named: &["BOB@acme.example"], ..ADA };
        let told = desk.run(&[&["owner", "disable"], bob.named].concat()).ok().out;
        for words in ["No owner of acme is switched on", "`ringnity-server owner enable bob@acme.example`"] {
            assert!(told.contains(words), "{told}");
        }
        assert_eq!(bob.told(desk, "disable")["activeOwners"], json!(0), "once more changes nothing");
        assert_eq!(bob.told(desk, "enable")["activeOwners"], json!(1));
        assert_eq!(ROOT.told(desk, "disable")["activePlatformAdmins"], json!(0));
        assert_eq!(ROOT.told(desk, "enable")["activePlatformAdmins"], json!(1));
        assert!(GRACE.told(desk, "disable").get("activeOwners").is_none());
    });
}

#[test]
fn nobody_is_switched_on_beyond_the_plan_and_what_is_not_there_is_refused_with_words() {
    at_each_engine(|desk| {
        desk.with_acme("free");
        let agent = ["agent", "create", "--tenant=acme", "--name=Somebody", "--username"];
        let run = |arguments: &[&str], name: &str| desk.run(&[arguments, &[name]].concat());
        for name in ["one", "two"] {
            run(&agent, name).ok();
        }
        let (on, off) = (["agent", "enable", "--tenant=acme"], ["agent", "disable", "--tenant=acme"]);
        run(&on, "one").ok();
        run(&off, "one").ok();
        run(&agent, "three").ok();
        run(&on, "one").refused(1, &["plan allows 2 agents", "Switch one off"]);
        run(&off, "two").ok();
        run(&on, "one").ok();

        run(&off, "four").refused(1, &["no agent four in acme", "ringnity-server agent list"]);
        run(&["agent", "enable", "--tenant=b"], "one").refused(1, &["no tenant with the slug b"]);
        run(&["owner", "enable"], "b@b.example").refused(1, &["b@b.example", "ringnity-server owner list"]);
        run(&["platform-admin", "set-password"], "b@b.example")
            .refused(1, &["b@b.example", "ringnity-server platform-admin list"]);
        run(&["owner", "set-password"], "nowhere").refused(1, &["EMAIL: is not a valid email"]);
        run(&["owner", "create", "--tenant=acme", "--email"], "ADA@acme.example")
            .refused(1, &["an owner with this email already"]);

        // A password that is given is told to nobody, and has to be a long one.
        let set = ["agent", "set-password", "--tenant=acme", "two", "--password-stdin"];
        desk.run_with_input(&set, "too short")
            .refused(1, &["12 characters at least"])
            .silent_about(&["too short"]);
        let given = "correct horse battery staple";
        let told = desk.run_with_input(&set, given).ok().silent_about(&[given]).out;
        assert!(told.contains("`ringnity-server agent enable --tenant acme two`"), "two is off: {told}");
        run(&off, "three").ok();
        run(&on, "two").ok();
        let two = Person { name: "two", ..GRACE };
        two.session(&desk.serve(&[]), given);
    });
}
