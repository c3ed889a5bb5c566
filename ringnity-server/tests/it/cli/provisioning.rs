//! Tenants, people and Server API keys, made beside a running server and used there at once.

use serde_json::{Value, json};

use super::{Desk, at_each_engine};

/// What a command told as JSON.
fn told(desk: &Desk, arguments: &[&str]) -> Value {
    desk.run(&[arguments, &["--json"]].concat()).ok().json()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}"))
}

#[test]
fn what_an_operator_makes_is_served_from_the_next_request_on() {
    at_each_engine(|desk| {
        desk.run(&["migrate"]).ok();
        let server = desk.serve(&[]);
        let made = told(
            desk,
            &[
                "tenant",
                "create",
                "--slug=acme",
                "--name=Acme Ltd",
                "--owner-email=ada@acme.example",
                "--plan=starter",
                "--domain=*.Acme.example",
                "--owner-name=Ada",
            ],
        );
        let password = text(&made["owner"], "password");
        assert_eq!(password.len(), 32, "128 random bits");
        let token = server.owner_token("ada@acme.example", password);
        let (_, developer) = server.get("/api/sdk/developer", &token);
        assert_eq!(developer["data"]["allowedDomains"], json!(["*.acme.example"]), "{developer}");
        assert_eq!(developer["data"]["tenant"]["clientId"], made["tenant"]["clientId"]);

        let agent = told(
            desk,
            &[
                "agent",
                "create",
                "--tenant=acme",
                "--username=grace",
                "--name=Grace",
                "--department=Support",
                "--email=grace@acme.example",
                "--role=supervisor",
            ],
        );
        let body = json!({ "username": "grace", "password": agent["password"] });
        let (status, session) = server.ask("POST", "/api/auth/workspace-login?slug=acme", None, Some(&body));
        assert_eq!((status, &session["data"]["agent"]["role"]), (200, &json!("supervisor")), "{session}");
        let second = told(
            desk,
            &["agent", "create", "--tenant=acme", "--username=lin", "--name=Lin", "--department=support"],
        );
        assert_eq!(
            second["departmentId"], agent["departmentId"],
            "a department is one, however it is written"
        );

        let admin = told(desk, &["platform-admin", "create", "--email=root@example.com", "--name=Root"]);
        let body = json!({ "email": "root@example.com", "password": admin["password"] });
        let (status, session) = server.ask("POST", "/api/platform/auth/login", None, Some(&body));
        assert_eq!(status, 200, "{session}");

        let first =
            told(desk, &["keys", "create", "--tenant=acme", "--name=CRM", "--scope=server:tenant:read"]);
        let (id, secret) = (text(&first["key"], "id"), text(&first, "secret"));
        assert!(secret.starts_with("rn_sk_live_"), "{first}");
        assert_eq!(server.get("/api/server/tenant", secret).0, 200);
        assert_eq!(server.get("/api/server/contacts", secret).0, 403, "it opens what it was made for");
        let next = told(desk, &["keys", "rotate", "--tenant=acme", "CRM"]);
        let fresh = text(&next, "secret");
        assert_eq!(text(&next["key"], "id"), id);
        assert_eq!(server.get("/api/server/tenant", secret).0, 401, "the old secret opens nothing");
        assert_eq!(server.get("/api/server/tenant", fresh).0, 200);
        let listed =
            desk.run(&["keys", "list", "--tenant=acme", "--json"]).ok().silent_about(&[secret, fresh]).json();
        assert_eq!(listed["keys"][0]["id"], json!(id));

        assert_eq!(told(desk, &["tenant", "disable", "acme"])["isActive"], json!(false));
        let (status, refusal) = server.get("/api/server/tenant", fresh);
        assert_eq!((status, &refusal["code"]), (403, &json!("SDK_CLIENT_INACTIVE")));
        assert_eq!(told(desk, &["tenant", "enable", "acme"])["isActive"], json!(true));
        assert_eq!(server.get("/api/server/tenant", fresh).0, 200);
        assert_eq!(told(desk, &["keys", "disable", "--tenant=acme", id])["key"]["isActive"], json!(false));
        assert_eq!(server.get("/api/server/tenant", fresh).0, 401);
        let test = told(
            desk,
            &["keys", "create", "--tenant=acme", "--name=All", "--all-scopes", "--environment=test"],
        );
        assert!(text(&test, "secret").starts_with("rn_sk_test_"));
        assert_eq!(server.get("/api/server/contacts", text(&test, "secret")).0, 200);

        let tenants = told(desk, &["tenant", "list"]);
        assert_eq!(
            (
                &tenants["tenants"][0]["slug"],
                &tenants["tenants"][0]["plan"],
                tenants["tenants"].as_array().map(Vec::len)
            ),
            (&json!("acme"), &json!("starter"), Some(1))
        );
    });
}

#[test]
fn whoever_reads_json_is_told_in_json_what_went_wrong() {
    let desk = Desk::new();
    let ran = desk.run(&["tenant", "list", "--json"]).refused(1, &["error: ", "ringnity-server migrate"]);
    let words = ran.json()["error"].as_str().expect("words").to_owned();
    assert_eq!(ran.err, format!("error: {words}\n"));
    let ran = desk.run(&["tenant", "list", "--json", "--config=none.toml"]).refused(1, &["none.toml"]);
    assert!(ran.json()["error"].as_str().is_some_and(|words| words.contains("none.toml")), "{}", ran.out);
    let ran = desk.run(&["tenant", "list"]).refused(1, &["ringnity-server migrate"]);
    assert_eq!(ran.out, "");
}

#[test]
fn a_password_may_be_given_and_is_told_to_nobody() {
    at_each_engine(|desk| {
        desk.run(&["migrate"]).ok();
        let given = "correct horse battery staple";
        let create = [
            "tenant",
            "create",
            "--slug=acme",
            "--name=Acme",
            "--owner-email=ada@acme.example",
            "--password-stdin",
        ];
        desk.run_with_input(&create, "too short")
            .refused(1, &["12 characters at least"])
            .silent_about(&["too short"]);
        desk.run_with_input(&create, "one line\nand another one").refused(1, &["more than one line"]);
        let ran =
            desk.run_with_input(&[&create[..], &["--json"]].concat(), given).ok().silent_about(&[given]);
        assert!(ran.json()["owner"].get("password").is_none());
        let server = desk.serve(&[]);
        server.owner_token("ada@acme.example", given);
        let agent =
            ["agent", "create", "--tenant=acme", "--username=grace", "--name=Grace", "--password-stdin"];
        desk.run_with_input(&agent, given).ok().silent_about(&[given]);
        let body = json!({ "username": "grace", "password": given });
        assert_eq!(server.ask("POST", "/api/auth/workspace-login?slug=acme", None, Some(&body)).0, 200);
    });
}

#[test]
fn what_cannot_be_made_is_refused_with_words() {
    at_each_engine(|desk| {
        desk.with_acme("free");
        let tenant = ["tenant", "create", "--name=Another"];
        let agent = ["agent", "create", "--tenant=acme", "--name=Grace"];
        let cases: [(&[&str], &[&str], &str); 15] = [
            (&tenant, &["--slug=acme", "--owner-email=b@b.example"], "a tenant with this slug already"),
            (&tenant, &["--slug=b", "--owner-email=ADA@acme.example"], "an owner with this email already"),
            (&tenant, &["--slug=B", "--owner-email=b@b.example"], "small letters, digits and hyphens"),
            (&tenant, &["--slug=", "--owner-email=b@b.example"], "--slug:"),
            (&tenant, &["--slug=b", "--owner-email=b.example"], "--owner-email: is not a valid email"),
            (
                &tenant,
                &["--slug=b", "--owner-email=b@b.example", "--plan=gold"],
                "Choose one of free, starter",
            ),
            (&tenant, &["--slug=b", "--owner-email=b@b.example", "--domain=https://b"], "without https://"),
            (&agent, &["--username="], "--username:"),
            (&agent, &["--username=a", "--role=owner"], "possible values: admin, supervisor, agent"),
            (&agent, &["--username=a", "--email=nowhere"], "--email: is not a valid email"),
            (&["agent", "create", "--tenant=b", "--name=B"], &["--username=b"], "no tenant with the slug b"),
            (
                &["keys", "create", "--tenant=acme"],
                &["--name=K", "--scope=server:all"],
                "server:contacts:read",
            ),
            (&["keys", "create", "--tenant=acme"], &["--name= ", "--all-scopes"], "needs a name"),
            (&["keys", "rotate", "--tenant=acme"], &["CRM"], "no key CRM that is on"),
            (
                &["platform-admin", "create"],
                &["--email=a@b.example", "--name=A", "--role=king"],
                "platform_owner",
            ),
        ];
        for (command, arguments, words) in cases {
            let ran = desk.run(&[command, arguments].concat());
            assert!(ran.code != Some(0) && ran.err.contains(words), "{command:?} {arguments:?}: {ran:?}");
            assert_eq!(ran.out, "", "nothing is told that was not made");
        }
        // The plan counts agents, and nothing is left of one that has no room.
        for username in ["--username=one", "--username=two"] {
            desk.run(&[&agent[..], &[username]].concat()).ok();
        }
        desk.run(&[&agent[..], &["--username=one"]].concat()).refused(1, &["plan allows 2 agents"]);
        let listed = told(desk, &["tenant", "list"]);
        assert_eq!(listed["tenants"].as_array().map(Vec::len), Some(1), "nothing is half made: {listed}");
    });
}

#[test]
fn every_command_has_an_example_and_answers_json() {
    fn below(desk: &Desk, path: &[&str], seen: &mut Vec<String>) {
        let help = desk.run(&[path, &["--help"]].concat()).ok().out;
        let Some((_, commands)) = help.split_once("Commands:\n") else {
            assert!(help.contains("Example"), "{path:?} has no example");
            assert!(path == ["serve"] || help.contains("--json"), "{path:?} has no --json");
            seen.push(path.join(" "));
            return;
        };
        let names =
            commands.lines().take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  "));
        for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
            below(desk, &[path, &[name]].concat(), seen);
        }
    }
    let mut seen = Vec::new();
    below(&Desk::new(), &[], &mut seen);
    assert!(seen.len() >= 30 && seen.contains(&"keys rotate".to_owned()), "{seen:?}");
}

#[test]
fn whatever_people_are_to_be_told_apart_by_says_something() {
    let desk = Desk::new();
    desk.run(&["migrate"]).ok();
    desk.with_acme("starter");
    let tenant = ["tenant", "create", "--slug=new", "--owner-email=new@new.example"];
    let agent = ["agent", "create", "--tenant=acme"];
    let owner = ["owner", "create", "--tenant=acme", "--email=new@acme.example"];
    let admin = ["platform-admin", "create", "--email=new@example.com"];
    for (command, blank, rest) in [
        (&tenant[..], "--name= ", &[][..]),
        (&tenant[..], "--owner-name= ", &["--name=New"][..]),
        (&agent[..], "--name= ", &["--username=new"][..]),
        (&agent[..], "--username= ", &["--name=New"][..]),
        (&agent[..], "--department= ", &["--username=new", "--name=New"][..]),
        (&owner[..], "--name= ", &[][..]),
        (&admin[..], "--name= ", &[][..]),
    ] {
        desk.run(&[command, &[blank], rest].concat()).refused(1, &["is blank"]);
    }
    // It is the blanks that are refused.
    desk.run(&[&tenant[..], &["--name=New", "--owner-name=Ada"]].concat()).ok();
    desk.run(&[&agent[..], &["--name=New", "--username=new", "--department=New"]].concat()).ok();
    desk.run(&[&owner[..], &["--name=New"]].concat()).ok();
    desk.run(&[&admin[..], &["--name=New"]].concat()).ok();
}
