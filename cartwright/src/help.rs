//! What `--help` of each tool shows. All take the same settings, so that one file of settings serves the shop and its
//! tools, but each shows only those it uses.
use std::collections::BTreeSet;

use chassis::config::{NOUNS, Settings};
use clap::{Args, Command};

/// What every tool uses.
const COMMON: [&str; 4] = ["config", "data_dir", "log", "log_format"];

/// The command, with what a tool does not use hidden in its help.
pub(crate) fn shown(command: Command) -> Command {
    let urls = |what: &str| NOUNS.map(|noun| format!("{noun}-{what}")).to_vec();
    let operator = || [vec!["keys_dir".to_owned()], urls("url")].concat();
    let database = || vec!["database_url".to_owned(), "migrate".into(), "identity-database-url".into()];
    let command = command
        .mut_subcommand("demo", |demo| only(demo, &operator()))
        .mut_subcommand("sample", |sample| only(sample, &operator()))
        .mut_subcommand("rebuild", |rebuild| only(rebuild, &operator()))
        .mut_subcommand("reconcile", |reconcile| only(reconcile, &operator()))
        .mut_subcommand("audit", |audit| only(audit, &operator()));
    command
        .mut_subcommand("import", |import| {
            import.mut_subcommand("online-retail", |file| only(file, &operator()))
        })
        .mut_subcommand("parked", |parked| {
            parked
                .mut_subcommand("list", |list| only(list, &operator()))
                .mut_subcommand("redrive", |redrive| only(redrive, &operator()))
        })
        .mut_subcommand("admin", |admin| admin.mut_subcommand("create", |create| only(create, &database())))
}

/// Hides the settings that are neither common nor among these.
fn only(tool: Command, used: &[String]) -> Command {
    let all = Settings::augment_args(Command::new("all"));
    let all: BTreeSet<&str> = all.get_arguments().map(|setting| setting.get_id().as_str()).collect();
    let hidden = |id: &str| all.contains(id) && !COMMON.contains(&id) && !used.iter().any(|used| used == id);
    tool.mut_args(|arg| if hidden(arg.get_id().as_str()) { arg.hide(true) } else { arg })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn help(path: &[&str]) -> String {
        let mut command = shown(crate::Cli::command());
        command.build();
        let tool = path.iter().try_fold(&mut command, |at, name| at.find_subcommand_mut(name));
        tool.unwrap().render_long_help().to_string()
    }

    #[test]
    fn a_tool_shows_the_settings_it_uses_and_no_others() {
        for tool in [
            &["audit"] as &[&str],
            &["demo"],
            &["sample"],
            &["reconcile"],
            &["import", "online-retail"],
            &["parked", "list"],
        ] {
            let help = help(tool);
            for word in ["DATA_DIR", "KEYS_DIR", "ORDER_URL", "LOG"] {
                assert!(help.contains(word), "{tool:?} does not show {word}");
            }
            for word in ["DATABASE_URL", "AMQP_URL", "REFLECTION", "IN_FLIGHT_MAX", "DRAIN_SECONDS"] {
                assert!(!help.contains(word), "{tool:?} shows {word}");
            }
        }
        let admin = help(&["admin", "create"]);
        assert!(
            admin.contains("DATABASE_URL") && !admin.contains("AMQP_URL") && !admin.contains("ORDER_URL")
        );
        let serve = help(&["serve"]);
        assert!(serve.contains("AMQP_URL") && serve.contains("DRAIN_SECONDS"));
    }
}
