//! The settings file: TOML whose keys are the long flags of `serve`. Its values become the defaults of the command
//! line, so flags and environment override them and one parser reads all three. Names, value parsers and suggestions
//! come from clap.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Args as _, Command};

use super::ServeConfig;

/// A settings file with known keys and valid values.
#[derive(Debug, Clone)]
pub struct SettingsFile {
    path: PathBuf,
    /// Argument ids with their values, as a flag would be passed.
    values: Vec<(String, Vec<OsString>)>,
}

impl SettingsFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, one line each.
    pub fn read(path: &Path) -> Result<Self, Vec<String>> {
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![format!("{name}: cannot read the settings file of --config or RINGNITY_CONFIG: {error}")]
        })?;
        let table: toml::Table = toml::from_str(&text).map_err(|error| {
            // Without the line itself, which may contain a password.
            let at = error.span().map_or(0, |span| span.start);
            let line = text.get(..at).unwrap_or(&text).matches('\n').count() + 1;
            vec![format!("{name}: line {line} is not TOML: {}", error.message())]
        })?;
        let settings = settings();
        let (mut values, mut problems) = (Vec::new(), Vec::new());
        for (key, value) in &table {
            let read = match settings.iter().find(|setting| setting.get_long() == Some(key)) {
                Some(setting) => to_flag_values(setting, value)
                    .and_then(|texts| {
                        texts.iter().try_for_each(|text| validate(setting, text)).map(|()| texts)
                    })
                    .map(|texts| (setting.get_id().to_string(), texts)),
                None => Err(unknown_key(key, value)),
            };
            match read {
                Ok(value) => values.push(value),
                Err(problem) => problems.push(format!("{name}: {key}: {problem}")),
            }
        }
        if problems.is_empty() { Ok(Self { path: path.to_owned(), values }) } else { Err(problems) }
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it sets the setting with that id.
    pub fn sets(&self, id: &str) -> bool {
        self.values.iter().any(|(known, _)| known == id)
    }

    /// Makes the values the defaults of the command and its subcommands.
    pub fn apply(&self, mut command: Command) -> Command {
        for (id, values) in &self.values {
            // Only settings can come from the environment; other arguments may share a name.
            let has = |arg: &Arg| arg.get_id() == id.as_str() && arg.get_env().is_some();
            if command.get_arguments().any(has) {
                command = command.mut_arg(id, |arg| {
                    let secret = is_secret(&arg);
                    arg.default_values(values.clone()).hide_default_value(secret)
                });
            }
        }
        let below: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
        below
            .into_iter()
            .fold(command, |command, name| command.mut_subcommand(name, |below| self.apply(below)))
    }
}

/// All settings.
pub fn settings() -> Vec<Arg> {
    catalog().get_arguments().cloned().collect()
}

/// Whether the value of the setting is a secret.
pub fn is_secret(setting: &Arg) -> bool {
    setting.is_hide_env_values_set()
}

/// Invalid environment variables of settings, one line each, including those that a flag overrides.
pub fn environment_problems() -> Vec<String> {
    let wrong = |setting: &Arg| {
        let name = setting.get_env()?.to_str()?.to_owned();
        let value = std::env::var_os(&name)?;
        validate(setting, &value).err().map(|problem| format!("{name}: {problem}"))
    };
    settings().iter().filter_map(wrong).collect()
}

fn catalog() -> Command {
    ServeConfig::augment_args(Command::new("settings").no_binary_name(true))
}

/// A TOML value as the values of a flag.
fn to_flag_values(setting: &Arg, value: &toml::Value) -> Result<Vec<OsString>, String> {
    let scalar = |value: &toml::Value| match value {
        toml::Value::String(text) => Some(OsString::from(text)),
        toml::Value::Integer(number) if takes_numbers(setting) => Some(number.to_string().into()),
        toml::Value::Boolean(truth) if is_switch(setting) => Some(truth.to_string().into()),
        _ => None,
    };
    let wanted = match (is_list(setting), is_switch(setting)) {
        (true, _) => "a list of strings, such as [\"…\", \"…\"]",
        (_, true) => "true or false",
        _ => "a string in quotes",
    };
    let found = match value {
        toml::Value::Array(items) if is_list(setting) => items.iter().map(scalar).collect(),
        toml::Value::String(_) if is_switch(setting) => None,
        one => scalar(one).map(|text| vec![text]),
    };
    found.ok_or_else(|| format!("expected {wanted}, found {}", type_name(value)))
}

fn type_name(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::String(_) => "a string",
        toml::Value::Integer(_) | toml::Value::Float(_) => "a number",
        toml::Value::Boolean(_) => "true or false",
        toml::Value::Datetime(_) => "a date",
        toml::Value::Array(_) => "a list",
        toml::Value::Table(_) => "a table",
    }
}

fn is_list(setting: &Arg) -> bool {
    matches!(setting.get_action(), ArgAction::Append)
}

fn is_switch(setting: &Arg) -> bool {
    let boolean = setting.get_value_parser().type_id() == TypeId::of::<bool>();
    boolean || matches!(setting.get_action(), ArgAction::SetTrue)
}

/// Whether a number without quotes is accepted: in a path or a name it is a mistake.
fn takes_numbers(setting: &Arg) -> bool {
    let parser: &ValueParser = setting.get_value_parser();
    parser.type_id() != TypeId::of::<String>()
        && parser.type_id() != TypeId::of::<PathBuf>()
        && !is_switch(setting)
}

/// Checks a value with the parser of the setting. The error does not contain a secret value.
fn validate(setting: &Arg, value: &OsString) -> Result<(), String> {
    let Some(long) = setting.get_long() else { return Ok(()) };
    let alone = setting.clone().env(None::<&str>).default_value(None::<&str>).required(false);
    let mut flag = OsString::from(format!("--{long}="));
    flag.push(value);
    let Err(error) = Command::new("setting").no_binary_name(true).arg(alone).try_get_matches_from([flag])
    else {
        return Ok(());
    };
    let shown = if is_secret(setting) { String::new() } else { format!("{value:?}: ") };
    let words = match (std::error::Error::source(&error), error.get(ContextKind::ValidValue)) {
        (Some(cause), _) => cause.to_string(),
        (None, Some(ContextValue::Strings(valid))) if !valid.is_empty() => {
            format!("expected one of {}", valid.join(", "))
        }
        _ if value.is_empty() => "is empty".to_owned(),
        _ => "is not valid".to_owned(),
    };
    Err(format!("{shown}{words}"))
}

/// The error for an unknown key, with a suggestion.
fn unknown_key(key: &str, value: &toml::Value) -> String {
    if value.is_table() {
        return "unknown setting; settings are at the top level, without a [table]".to_owned();
    }
    let result = catalog().try_get_matches_from([format!("--{key}")]).err();
    let near = result.filter(|error| error.kind() == ErrorKind::UnknownArgument);
    let near = near.as_ref().and_then(|error| match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(flag)) => Some(flag.trim_start_matches('-').to_owned()),
        _ => None,
    });
    match near {
        Some(near) => format!("unknown setting; did you mean {near}?"),
        None => "unknown setting; `ringnity-server serve --help` lists them by the long name of the flag"
            .to_owned(),
    }
}
