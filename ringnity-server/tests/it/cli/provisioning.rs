//! Commands that create tenants, people and keys, and a running server that serves them at once.

use serde_json::{Value, json};

use super::{Cli, with_cli_on_each_engine};

/// The JSON output of a command.
fn json_of(cli: &Cli, arguments: &[&str]) -> Value {
    cli.run(&[arguments, &["--json"]].concat()).ok().json()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}"))
}

#[test]
fn running_server_serves_new_accounts_at_once() {
    with_cli_on_each_engine(|cli| {
        cli.run(&["migrate"]).ok();
        let server = cli.serve(&[]);
        let made = json_of(
            cli,
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

        let agent = json_of(
            cli,
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
        let second = json_of(
            cli,
            &["agent", "create", "--tenant=acme", "--username=lin", "--name=Lin", "--department=support"],
        );
        assert_eq!(
            second["departmentId"], agent["departmentId"],
            "a department is one, however it is written"
        );

        let admin = json_of(cli, &["platform-admin", "create", "--email=root@example.com", "--name=Root"]);
        let body = json!({ "email": "root@example.com", "password": admin["password"] });
        let (status, session) = server.ask("POST", "/api/platform/auth/login", None, Some(&body));
        assert_eq!(status, 200, "{session}");

        let first =
            json_of(cli, &["keys", "create", "--tenant=acme", "--name=CRM", "--scope=server:tenant:read"]);
        let (id, secret) = (text(&first["key"], "id"), text(&first, "secret"));
        assert!(secret.starts_with("rn_sk_live_"), "{first}");
        assert_eq!(server.get("/api/server/tenant", secret).0, 200);
        assert_eq!(server.get("/api/server/contacts", secret).0, 403, "it opens what it was made for");
        let next = json_of(cli, &["keys", "rotate", "--tenant=acme", "CRM"]);
        let fresh = text(&next, "secret");
        assert_eq!(text(&next["key"], "id"), id);
        assert_eq!(server.get("/api/server/tenant", secret).0, 401, "the old secret opens nothing");
        assert_eq!(server.get("/api/server/tenant", fresh).0, 200);
        let listed =
            cli.run(&["keys", "list", "--tenant=acme", "--json"]).ok().never_prints(&[secret, fresh]).json();
        assert_eq!(listed["keys"][0]["id"], json!(id));

        assert_eq!(json_of(cli, &["tenant", "disable", "acme"])["isActive"], json!(false));
        let (status, refusal) = server.get("/api/server/tenant", fresh);
        assert_eq!((status, &refusal["code"]), (403, &json!("SDK_CLIENT_INACTIVE")));
        assert_eq!(json_of(cli, &["tenant", "enable", "acme"])["isActive"], json!(true));
        assert_eq!(server.get("/api/server/tenant", fresh).0, 200);
        assert_eq!(json_of(cli, &["keys", "disable", "--tenant=acme", id])["key"]["isActive"], json!(false));
        assert_eq!(server.get("/api/server/tenant", fresh).0, 401);
        let test = json_of(
            cli,
            &["keys", "create", "--tenant=acme", "--name=All", "--all-scopes", "--environment=test"],
        );
        assert!(text(&test, "secret").starts_with("rn_sk_test_"));
        assert_eq!(server.get("/api/server/contacts", text(&test, "secret")).0, 200);

        let tenants = json_of(cli, &["tenant", "list"]);
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
fn json_output_includes_errors() {
    let cli = Cli::new();
    let ran = cli.run(&["tenant", "list", "--json"]).refused(1, &["error: ", "ringnity-server migrate"]);
    let words = ran.json()["error"].as_str().expect("words").to_owned();
    assert_eq!(ran.err, format!("error: {words}\n"));
    let ran = cli.run(&["tenant", "list", "--json", "--config=none.toml"]).refused(1, &["none.toml"]);
    assert!(ran.json()["error"].as_str().is_some_and(|words| words.contains("none.toml")), "{}", ran.out);
    let ran = cli.run(&["tenant", "list"]).refused(1, &["ringnity-server migrate"]);
    assert_eq!(ran.out, "");
}

#[test]
fn password_from_stdin_is_never_printed() {
    with_cli_on_each_engine(|cli| {
        cli.run(&["migrate"]).ok();
        let given = "correct horse battery staple";
        let create = [
            "tenant",
            "create",
            "--slug=acme",
            "--name=Acme",
            "--owner-email=ada@acme.example",
            "--password-stdin",
        ];
        cli.run_with_input(&create, "too short")
            .refused(1, &["at least 12 characters"])
            .never_prints(&["too short"]);
        cli.run_with_input(&create, "one line\nand another one").refused(1, &["more than one line"]);
        let ran = cli.run_with_input(&[&create[..], &["--json"]].concat(), given).ok().never_prints(&[given]);
        assert!(ran.json()["owner"].get("password").is_none());
        let server = cli.serve(&[]);
        server.owner_token("ada@acme.example", given);
        let agent =
            ["agent", "create", "--tenant=acme", "--username=grace", "--name=Grace", "--password-stdin"];
        cli.run_with_input(&agent, given).ok().never_prints(&[given]);
        let body = json!({ "username": "grace", "password": given });
        assert_eq!(server.ask("POST", "/api/auth/workspace-login?slug=acme", None, Some(&body)).0, 200);
    });
}

#[test]
fn create_commands_reject_invalid_input() {
    with_cli_on_each_engine(|cli| {
        cli.with_acme("free");
        let tenant = ["tenant", "create", "--name=Another"];
        let agent = ["agent", "create", "--tenant=acme", "--name=Grace"];
        let cases: [(&[&str], &[&str], &str); 15] = [
            (&tenant, &["--slug=acme", "--owner-email=b@b.example"], "already a tenant with this slug"),
            (&tenant, &["--slug=b", "--owner-email=ADA@acme.example"], "already an owner with this email"),
            (&tenant, &["--slug=B", "--owner-email=b@b.example"], "lower-case letters, digits and hyphens"),
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
            (&["keys", "rotate", "--tenant=acme"], &["CRM"], "no enabled key CRM"),
            (
                &["platform-admin", "create"],
                &["--email=a@b.example", "--name=A", "--role=king"],
                "platform_owner",
            ),
        ];
        for (command, arguments, words) in cases {
            let ran = cli.run(&[command, arguments].concat());
            assert!(ran.code != Some(0) && ran.err.contains(words), "{command:?} {arguments:?}: {ran:?}");
            assert_eq!(ran.out, "", "a failed command prints nothing");
        }
        // The plan limits agents, and a refused one leaves no rows.
        for username in ["--username=one", "--username=two"] {
            cli.run(&[&agent[..], &[username]].concat()).ok();
        }
        cli.run(&[&agent[..], &["--username=one"]].concat()).refused(1, &["plan allows 2 agents"]);
        let listed = json_of(cli, &["tenant", "list"]);
        assert_eq!(listed["tenants"].as_array().map(Vec::len), Some(1), "nothing is half made: {listed}");
    });
}

#[test]
fn every_command_has_example_and_json_output() {
    fn below(cli: &Cli, path: &[&str], seen: &mut Vec<String>) {
        let help = cli.run(&[path, &["--help"]].concat()).ok().out;
        let Some((_, commands)) = help.split_once("Commands:\n") else {
            assert!(help.contains("Example"), "{path:?} has no example");
            assert!(path == ["serve"] || help.contains("--json"), "{path:?} has no --json");
            seen.push(path.join(" "));
            return;
        };
        let names =
            commands.lines().take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  "));
        for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
            below(cli, &[path, &[name]].concat(), seen);
        }
    }
    let mut seen = Vec::new();
    below(&Cli::new(), &[], &mut seen);
    assert!(seen.len() >= 30 && seen.contains(&"keys rotate".to_owned()), "{seen:?}");
}

#[test]
fn rejects_blank_names() {
    let cli = Cli::new();
    cli.run(&["migrate"]).ok();
    cli.with_acme("starter");
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
        cli.run(&[command, &[blank], rest].concat()).refused(1, &["is blank"]);
    }
    // Without the blanks the commands succeed.
    cli.run(&[&tenant[..], &["--name=New", "--owner-name=Ada"]].concat()).ok();
    cli.run(&[&agent[..], &["--name=New", "--username=new", "--department=New"]].concat()).ok();
    cli.run(&[&owner[..], &["--name=New"]].concat()).ok();
    cli.run(&[&admin[..], &["--name=New"]].concat()).ok();
}
