//! Commands that enable and disable accounts and set passwords, beside running servers.

use ringnity_store::Engine;
use serde_json::{Value, json};

use super::{Cli, ServerProcess, with_cli_on_each_engine};

/// An account: its command and arguments, and where and by which member it signs in.
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
    /// The JSON output of a command about the account.
    fn json_of(&self, cli: &Cli, verb: &str) -> Value {
        cli.run(&[&[self.command, verb, "--json"], self.named].concat()).ok().json()
    }

    /// Sets a generated password.
    fn new_password(&self, cli: &Cli) -> String {
        text(&self.json_of(cli, "set-password")["password"])
    }

    fn sign_in(&self, server: &ServerProcess, password: &str) -> (u16, Value) {
        self.sign_in_at(server, "acme", password)
    }

    fn sign_in_at(&self, server: &ServerProcess, slug: &str, password: &str) -> (u16, Value) {
        let path = match self.surface {
            "owner" => "/api/auth/owner-login".to_owned(),
            "workspace" => format!("/api/auth/workspace-login?slug={slug}"),
            _ => "/api/platform/auth/login".to_owned(),
        };
        server.ask("POST", &path, None, Some(&json!({ self.member: self.name, "password": password })))
    }

    /// Signs in; returns the `data` of the answer.
    #[track_caller]
    fn session(&self, server: &ServerProcess, password: &str) -> Value {
        let (status, answer) = self.sign_in(server, password);
        assert_eq!(status, 200, "{}: {answer}", self.name);
        answer["data"].clone()
    }

    fn refresh(&self, server: &ServerProcess, session: &Value) -> (u16, Value) {
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

/// The status that a token gets: 401 once it is rejected.
fn worth(server: &ServerProcess, kind: &str, token: &str) -> u16 {
    let none = json!({ "deviceId": "no such device" });
    let (method, path, body) = match kind {
        "owner" => ("GET", "/api/auth/owner-me", None),
        "workspace" => ("GET", "/api/sdk/developer/server-api-credentials", None),
        "platform" => ("GET", "/api/platform/plan-contracts", None),
        _ => ("DELETE", "/api/sdk/devices/push-token", Some(&none)),
    };
    server.ask(method, path, Some(token), body).0
}

/// Requests an SDK token for an agent with the key.
fn sdk_token(server: &ServerProcess, kind: &str, key: &str, username: &str) -> (u16, Value) {
    let path = format!("/api/server/sdk-token/{kind}");
    server.ask("POST", &path, Some(key), Some(&json!({ "username": username })))
}

/// Every token of a person who has signed in, each with its kind.
fn holdings(
    server: &ServerProcess,
    person: &Person,
    session: &Value,
    key: &str,
) -> Vec<(&'static str, String)> {
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

/// Creates the tenants acme and other, each with a supervisor grace, and a platform administrator. Returns the
/// password of the other grace.
fn furnish(cli: &Cli) -> String {
    cli.with_acme("starter");
    cli.run(&["tenant", "create", "--slug=other", "--name=Other", "--owner-email=eve@other.example"]).ok();
    let grace = ["agent", "create", "--username=grace", "--name=Grace", "--role=supervisor", "--json"];
    cli.run(&[&grace[..], &["--tenant=acme"]].concat()).ok();
    let other = cli.run(&[&grace[..], &["--tenant=other"]].concat()).ok().json();
    cli.run(&["platform-admin", "create", "--email=root@example.com", "--name=Root"]).ok();
    text(&other["password"])
}

#[test]
fn s2_6_whoever_is_switched_off_or_has_another_password_is_out_at_all_nodes_from_the_next_request_on() {
    with_cli_on_each_engine(|cli| {
        let others = furnish(cli);
        let key = cli.run(&["keys", "create", "--tenant=acme", "--name=All", "--all-scopes", "--json"]);
        let key = text(&key.ok().json()["secret"]);
        let server = cli.serve(&[]);
        let second = (cli.engine() == Engine::Postgres).then(|| cli.serve(&[]));
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
            let password = person.new_password(cli);
            let session = person.session(&server, &password);
            let held = holdings(&server, &person, &session, &key);
            for (kind, token) in &held {
                let worth = worth(there, kind, token);
                assert!([200, 404, 501].contains(&worth), "{who}: {kind} is not let in: {worth}");
            }

            assert_eq!(person.json_of(cli, "disable")["isActive"], json!(false), "{who}");
            must_be_out(&held, &session);
            let (status, answer) = person.sign_in(there, &password);
            assert_eq!((status, &answer["code"]), (403, &json!("AUTH_ACCOUNT_DISABLED")), "{who}: {answer}");
            for (kind, _) in held.iter().filter(|(kind, _)| ["agent", "admin"].contains(kind)) {
                let (status, answer) = sdk_token(there, kind, &key, who);
                assert_eq!((status, &answer["code"]), (403, &json!("AGENT_SDK_AGENT_DISABLED")), "{who}");
            }

            assert_eq!(person.json_of(cli, "enable")["isActive"], json!(true), "{who}");
            must_be_out(&held, &session);
            let session = person.session(there, &password);
            let held = holdings(&server, &person, &session, &key);

            let fresh = person.new_password(cli);
            must_be_out(&held, &session);
            let (status, answer) = person.sign_in(there, &password);
            assert_eq!((status, &answer["code"]), (401, &json!("AUTH_CREDENTIALS_INVALID")), "{who}");
            person.session(there, &fresh);
        }
        // The agent of the other tenant is not affected.
        assert_eq!(worth(there, "workspace", &text(&bystander["accessToken"])), 200);
        assert_eq!(GRACE.refresh(there, &bystander).0, 200);
        assert_eq!(GRACE.sign_in_at(there, "other", &others).0, 200);
        // The agent commands refuse the profile of an owner.
        let owner = ["agent", "set-password", "--tenant=acme", ADA.name];
        cli.run(&owner).refused(1, &["is an owner of acme", "ringnity-server owner"]);
        let staff = cli.run(&["agent", "list", "--tenant=acme", "--json"]).ok().json();
        assert_eq!(staff["agents"].as_array().map(Vec::len), Some(1), "{staff}");
    });
}

#[test]
fn s2_4_a_new_password_opens_although_the_old_one_was_guessed_at_too_often() {
    with_cli_on_each_engine(|cli| {
        furnish(cli);
        let server = cli.serve(&[]);
        let eve = Person { name: "eve@other.example", named: &["eve@other.example"], ..ADA };
        for person in [&eve, &ADA, &GRACE, &ROOT] {
            for turn in 0..11 {
                let status = person.sign_in(&server, "a guess, and wrong").0;
                assert_eq!(status, if turn < 10 { 401 } else { 429 }, "{}", person.name);
            }
        }
        for person in [&ADA, &GRACE, &ROOT] {
            let password = person.new_password(cli);
            person.session(&server, &password);
            assert_eq!(person.sign_in(&server, "a guess, and wrong").0, 401, "{}", person.name);
        }
        // Failures at other accounts still count, apart from the attempts that were regained meanwhile.
        let open = (0..10).take_while(|_| eve.sign_in(&server, "a guess, and wrong").0 == 401).count();
        assert!(open < 5, "{open}");
    });
}

#[test]
fn lists_people_with_state_and_without_passwords() {
    with_cli_on_each_engine(|cli| {
        furnish(cli);
        let password = ADA.new_password(cli);
        let server = cli.serve(&[]);
        ADA.session(&server, &password);
        GRACE.json_of(cli, "disable");
        let listed = |arguments: &[&str]| {
            cli.run(&[arguments, &["--json"]].concat()).ok().never_prints(&["argon2", "assword"]).json()
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
        let text = cli.run(&["agent", "list", "--tenant=acme"]).ok().out;
        let columns = text.lines().nth(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(
            columns.as_deref(),
            Some(&["grace", "Grace", "supervisor", "disabled", "never"][..]),
            "{text}"
        );
    });
}

#[test]
fn disabling_last_owner_says_how_to_enable_again() {
    with_cli_on_each_engine(|cli| {
        furnish(cli);
        let bob = ["owner", "create", "--tenant=acme", "--email=bob@acme.example", "--name=Bob", "--json"];
        let bob = cli.run(&bob).ok().json();
        cli.serve(&[]).owner_token("bob@acme.example", bob["password"].as_str().expect("a password"));
        assert_eq!(ADA.json_of(cli, "disable")["activeOwners"], json!(1));
        let bob = Person { named: &["BOB@acme.example"], ..ADA };
        let output = cli.run(&[&["owner", "disable"], bob.named].concat()).ok().out;
        for words in ["No owner of acme is enabled", "`ringnity-server owner enable bob@acme.example`"] {
            assert!(output.contains(words), "{output}");
        }
        assert_eq!(bob.json_of(cli, "disable")["activeOwners"], json!(0), "once more changes nothing");
        assert_eq!(bob.json_of(cli, "enable")["activeOwners"], json!(1));
        assert_eq!(ROOT.json_of(cli, "disable")["activePlatformAdmins"], json!(0));
        assert_eq!(ROOT.json_of(cli, "enable")["activePlatformAdmins"], json!(1));
        assert!(GRACE.json_of(cli, "disable").get("activeOwners").is_none());
    });
}

#[test]
fn enforces_agent_quota_and_names_unknown_accounts() {
    with_cli_on_each_engine(|cli| {
        cli.with_acme("free");
        let agent = ["agent", "create", "--tenant=acme", "--name=Somebody", "--username"];
        let run = |arguments: &[&str], name: &str| cli.run(&[arguments, &[name]].concat());
        for name in ["one", "two"] {
            run(&agent, name).ok();
        }
        let (on, off) = (["agent", "enable", "--tenant=acme"], ["agent", "disable", "--tenant=acme"]);
        run(&on, "one").ok();
        run(&off, "one").ok();
        run(&agent, "three").ok();
        run(&on, "one").refused(1, &["plan allows 2 agents", "Disable one"]);
        run(&off, "two").ok();
        run(&on, "one").ok();

        run(&off, "four").refused(1, &["no agent four in acme", "ringnity-server agent list"]);
        run(&["agent", "enable", "--tenant=b"], "one").refused(1, &["no tenant with the slug b"]);
        run(&["owner", "enable"], "b@b.example").refused(1, &["b@b.example", "ringnity-server owner list"]);
        run(&["platform-admin", "set-password"], "b@b.example")
            .refused(1, &["b@b.example", "ringnity-server platform-admin list"]);
        run(&["owner", "set-password"], "nowhere").refused(1, &["EMAIL: is not a valid email"]);
        run(&["owner", "create", "--tenant=acme", "--email"], "ADA@acme.example")
            .refused(1, &["already an owner with this email"]);

        // A given password is not printed, and has a minimum length.
        let set = ["agent", "set-password", "--tenant=acme", "two", "--password-stdin"];
        cli.run_with_input(&set, "too short")
            .refused(1, &["at least 12 characters"])
            .never_prints(&["too short"]);
        let given = "correct horse battery staple";
        let output = cli.run_with_input(&set, given).ok().never_prints(&[given]).out;
        assert!(output.contains("`ringnity-server agent enable --tenant acme two`"), "two is off: {output}");
        run(&off, "three").ok();
        run(&on, "two").ok();
        let two = Person { name: "two", ..GRACE };
        two.session(&cli.serve(&[]), given);
    });
}
