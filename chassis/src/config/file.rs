//! The settings file: its values become the defaults that flags and environment win over.
use std::{collections::BTreeSet, ffi::OsString, path::Path};

use clap::{Command, error::ErrorKind};

/// Gives the command the file's values as defaults, when a file is named by `--config` or `CARTWRIGHT_CONFIG`.
pub(super) fn apply(command: Command, args: &[OsString]) -> Result<Command, clap::Error> {
    let Some(path) = path(command.clone(), args) else { return Ok(command) };
    let refuse = |text: String| {
        clap::Error::raw(ErrorKind::ValueValidation, format!("{}: {text}\n", Path::new(&path).display()))
    };
    let text = std::fs::read_to_string(&path).map_err(|error| refuse(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| refuse(error.to_string()))?;
    let mut unknown: BTreeSet<&str> = table.keys().map(String::as_str).collect();
    let mut command = command;
    for (key, value) in &table {
        let value = flat(value).ok_or_else(|| {
            refuse(format!("`{key}` must be a text, a number, a truth value or a list of them"))
        })?;
        let known;
        (command, known) = set(command, &key.replace('_', "-"), &value);
        if known {
            unknown.remove(key.as_str());
        }
    }
    if !unknown.is_empty() {
        let names: Vec<_> = unknown.iter().map(|name| format!("`{name}`")).collect();
        return Err(refuse(format!("no setting is called {}", names.join(", "))));
    }
    Ok(command)
}

/// Where the file is, read leniently: the real parse comes after and explains mistakes.
fn path(command: Command, args: &[OsString]) -> Option<OsString> {
    let matches = command.ignore_errors(true).try_get_matches_from(args).ok()?;
    let mut level = &matches;
    loop {
        if let Ok(Some(path)) = level.try_get_one::<std::path::PathBuf>("config") {
            return Some(path.clone().into_os_string());
        }
        level = level.subcommand()?.1;
    }
}

/// Sets the default of the flag wherever the command or a subcommand has it. Says whether any had.
fn set(mut command: Command, flag: &str, value: &str) -> (Command, bool) {
    let mut known = false;
    let ids: Vec<_> = command
        .get_arguments()
        .filter(|arg| arg.get_long() == Some(flag))
        .map(|arg| arg.get_id().clone())
        .collect();
    for id in ids {
        known = true;
        // The parser borrows defaults for ever; a process reads its file once, so this is the one time they are leaked.
        let value: &'static str = Box::leak(value.to_owned().into_boxed_str());
        command = command.mut_arg(id, |arg| arg.default_value(value).required(false));
    }
    let names: Vec<_> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, |sub| {
            let (sub, below) = set(sub, flag, value);
            known |= below;
            sub
        });
    }
    (command, known)
}

fn flat(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) => {
            items.iter().map(flat).collect::<Option<Vec<_>>>().map(|items| items.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}
