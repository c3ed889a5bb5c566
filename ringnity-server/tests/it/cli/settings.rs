//! Settings: their sources, precedence and errors.

use serde_json::{Value, json};

use super::{Cli, CommandOutput};

/// The value and source of a setting in the output of `config check`.
fn setting(report: &Value, name: &str) -> (Value, String) {
    let settings = report["settings"].as_array().expect("settings");
    let found = settings.iter().find(|setting| setting["name"] == name).expect("the setting");
    (found["value"].clone(), found["source"].as_str().expect("source").to_owned())
}

#[test]
fn flag_overrides_environment_file_and_default() {
    let cli = Cli::new();
    let file = [("listen", "\"127.0.0.1:1\""), ("trusted-proxy", "[\"10.0.0.1\"]"), ("demo", "true")];
    let environment = [
        ("RINGNITY_LISTEN", "127.0.0.1:2"),
        ("RINGNITY_TRUSTED_PROXIES", "10.0.0.2,10.0.0.3"),
        ("RINGNITY_DEMO", "0"),
    ];
    let flags = ["--listen=127.0.0.1:3", "--trusted-proxy=10.0.0.4", "--demo=true"];
    let text: String = file.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    cli.write("ringnity.toml", &text);
    let sources = ["default", "file", "environment", "flag"];
    let expected = [
        (
            "listen",
            [json!("127.0.0.1:8192"), json!("127.0.0.1:1"), json!("127.0.0.1:2"), json!("127.0.0.1:3")],
        ),
        (
            "trusted-proxy",
            [json!([]), json!(["10.0.0.1"]), json!(["10.0.0.2", "10.0.0.3"]), json!(["10.0.0.4"])],
        ),
        ("demo", [json!("false"), json!("true"), json!("0"), json!("true")]),
    ];
    for (level, source) in sources.iter().enumerate() {
        let mut command = cli.command(&["config", "check", "--json"]);
        if level >= 1 {
            command.arg("--config=ringnity.toml");
        }
        if level >= 2 {
            command.envs(environment);
        }
        if level >= 3 {
            command.args(flags);
        }
        let report = CommandOutput::of(&mut command).ok().json();
        assert_eq!(report["ok"], true);
        for (name, values) in &expected {
            assert_eq!(setting(&report, name), (values[level].clone(), (*source).to_owned()), "{name}");
        }
        assert_eq!(setting(&report, "data-dir"), (json!("data"), "default".to_owned()));
        assert_eq!(setting(&report, "public-url"), (Value::Null, "default".to_owned()));
    }
    // The path of the file can come from the environment.
    let mut command = cli.command(&["config", "check"]);
    let ran = CommandOutput::of(command.env("RINGNITY_CONFIG", "ringnity.toml")).ok();
    assert!(
        ran.out.contains("file ringnity.toml") && ran.out.contains("The settings are valid."),
        "{}",
        ran.out
    );
}

#[test]
fn flag_disables_what_file_enables() {
    let cli = Cli::new();
    cli.write("ringnity.toml", "demo = true\n");
    let report =
        cli.run(&["config", "check", "--json", "--config=ringnity.toml", "--demo=false"]).ok().json();
    assert_eq!(setting(&report, "demo"), (json!("false"), "flag".to_owned()));
}

#[test]
fn reports_all_invalid_settings_by_file_and_key() {
    let cli = Cli::new();
    cli.write(
        "bad.toml",
        "lisen = '0.0.0.0:1'\nlisten = 8192\ntrusted-proxy = ['10.0.0.1', 'x']\ndemo = 'yes'\ndata-dir = 5\n[serve]\n",
    );
    let lines = [
        "bad.toml: lisen: unknown setting; did you mean listen?",
        "bad.toml: listen: \"8192\": expected an IP address and a port",
        "bad.toml: trusted-proxy: \"x\": ",
        "bad.toml: demo: expected true or false, found a string",
        "bad.toml: data-dir: expected a string in quotes, found a number",
        "bad.toml: serve: unknown setting; settings are at the top level",
    ];
    cli.run(&["serve", "--config", "bad.toml"]).refused(1, &lines);
    let mut check = cli.command(&["config", "check", "--config", "bad.toml", "--json"]);
    let ran = CommandOutput::of(check.env("RINGNITY_BASE_DOMAIN", ".x"));
    assert_eq!(ran.code, Some(1));
    let report = ran.json();
    let problems: Vec<_> =
        report["problems"].as_array().expect("problems").iter().flat_map(Value::as_str).collect();
    assert_eq!((report["ok"].clone(), problems.len()), (json!(false), lines.len() + 1), "{problems:?}");
    for line in lines.iter().chain(&["RINGNITY_BASE_DOMAIN: \".x\": expected a domain"]) {
        assert!(problems.iter().any(|problem| problem.starts_with(line)), "{line}: {problems:?}");
    }
}

#[test]
fn names_unreadable_settings() {
    let cli = Cli::new();
    cli.run(&["serve", "--config", "nowhere.toml"])
        .refused(1, &["nowhere.toml", "--config", "RINGNITY_CONFIG"]);
    cli.write("broken.toml", "listen = \"127.0.0.1:1\"\ndatabase-url = \"postgres://a:s3cret@h\n");
    cli.run(&["serve", "--config", "broken.toml"])
        .refused(1, &["broken.toml: line 2 is not TOML"])
        .never_prints(&["s3cret"]);
    // clap alone would blame a flag that was not given.
    let mut command = cli.command(&["serve"]);
    CommandOutput::of(command.env("RINGNITY_LISTEN", "here"))
        .refused(2, &["RINGNITY_LISTEN: \"here\": expected an IP address"]);
    cli.run(&["serve", "--listen", "here"]).refused(2, &["--listen"]);
    cli.run(&["serv"]).refused(2, &["serve"]);
}

#[test]
fn never_shows_database_password() {
    let cli = Cli::new();
    let url = "postgres://ann:s3cret@db.example/x?password=s3cret";
    cli.write("ringnity.toml", &format!("database-url = \"{url}\"\n"));
    for arguments in [
        vec!["config", "check", "--config=ringnity.toml"],
        vec!["config", "check", "--config=ringnity.toml", "--json"],
        vec!["config", "check", "--database-url", url],
        vec!["serve", "--help", "--config=ringnity.toml"],
    ] {
        let ran = cli.run(&arguments).ok().never_prints(&["s3cret"]);
        if arguments[0] == "config" {
            assert!(ran.out.contains("postgres://ann@db.example/x"), "{}", ran.out);
        }
    }
    let mut help = cli.command(&["serve", "--help"]);
    CommandOutput::of(help.env("RINGNITY_DATABASE_URL", url)).ok().never_prints(&["s3cret"]);
    // libpq repeats text that it cannot parse.
    for odd in [
        "ann:s3cret@[::1/x",
        "ann:s3/cret@127.0.0.1:1/x",
        "ann:one@s3cret@127.0.0.1:1/x",
        "ann:one?s3cret@127.0.0.1:1/x",
    ] {
        let url = format!("--database-url=postgres://{odd}");
        for command in [&["tenant", "list"][..], &["doctor"], &["config", "check"], &["serve"]] {
            let ran = cli
                .run(&[command, &[url.as_str()]].concat())
                .never_prints(&["s3cret", "s3/", "\"s3\"", "ann:one"]);
            assert!(ran.code == Some(1) || command == ["config", "check"], "{ran:?}");
        }
    }
    // A file with a password should be private.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(cli.folder().join("ringnity.toml"), open).expect("its mode");
        let ran = cli.run(&["config", "check", "--config=ringnity.toml"]).ok();
        assert!(ran.out.contains("chmod 600 ringnity.toml"), "{}", ran.out);
    }
}

#[test]
fn reports_contradicting_settings() {
    let cli = Cli::new();
    cli.write("file", "");
    for (flags, words) in [
        (vec!["--data-dir=file"], "problem: data-dir: file is a file; choose a folder"),
        (vec!["--data-dir=file/below"], "problem: data-dir: cannot write to file/below"),
        (vec!["--database-url=mysql://h/d"], "problem: database-url: give the database as"),
        (vec!["--trusted-proxy=0.0.0.0"], "problem: trusted-proxy: 0.0.0.0"),
        (vec!["--trusted-proxy=10.0.0.1,::/0"], "problem: trusted-proxy: ::/0"),
        (vec!["--listen=127.0.0.1:1", "--private-listen=127.0.0.1:1"], "problem: private-listen: "),
        (vec!["--private-listen=0.0.0.0:1"], "warning: private-listen: 0.0.0.0:1"),
        (vec!["--listen=0.0.0.0:1"], "warning: public-url: is not set"),
        (vec!["--public-url=http://chat.example.com"], "warning: public-url: http://chat.example.com sends"),
        (vec!["--dashboard-url=http://chat.example.com"], "warning: dashboard-url: "),
        (vec!["--public-url=https://chat.example.com"], "warning: base-domain: is localhost"),
        (vec!["--listen=0.0.0.0:1", "--demo"], "warning: demo: "),
        (vec!["--listen=0.0.0.0:1", "--rate-limit=off"], "warning: rate-limit: is off"),
        (vec!["--google-jwks-url=https://keys.example.com"], "warning: google-jwks-url: does nothing"),
    ] {
        let arguments: Vec<&str> = ["config", "check"].into_iter().chain(flags).collect();
        let ran = cli.run(&arguments);
        assert!(ran.out.contains(words), "{arguments:?}: {}", ran.out);
        assert_eq!(ran.code, Some(i32::from(words.starts_with("problem"))), "{arguments:?}");
    }
    let usual = cli.run(&["config", "check"]).ok();
    assert!(!usual.out.contains("warning") && !usual.out.contains("problem"), "{}", usual.out);
    assert!(!cli.folder().join("data").exists(), "a check changes nothing");
}

#[test]
fn readme_table_has_every_setting() {
    let readme = include_str!("../../../../README.md");
    let report = Cli::new().run(&["config", "check", "--json"]).ok().json();
    for setting in report["settings"].as_array().expect("settings") {
        let (name, variable) =
            (setting["name"].as_str().expect("name"), setting["environment"].as_str().expect("variable"));
        let row = readme.lines().find(|line| line.starts_with('|') && line.contains(&format!("`--{name}")));
        let row = row.unwrap_or_else(|| panic!("--{name} has no row in README.md, Run it"));
        assert!(row.contains(&format!("`{variable}`")), "{row} does not say {variable}");
        if let Some(value) = setting["value"].as_str().filter(|value| *value != "false") {
            let known = row.contains(&format!("`{value}`")) || name == "google-jwks-url";
            assert!(known, "{row} does not say the default {value}");
        }
    }
}
