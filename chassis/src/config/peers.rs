//! The settings each service has of its own: `<NOUN>_URL`, `<NOUN>_DATABASE_URL` and `<NOUN>_DATABASE_REPLICA_URL`.
use std::{collections::HashMap, sync::LazyLock};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::{NOUNS, Secret};

/// Where each service is found, and where it keeps its data.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    urls: HashMap<&'static str, String>,
    databases: HashMap<&'static str, Secret>,
    replicas: HashMap<&'static str, Secret>,
}

/// The names of one setting of one service. The parser wants them for ever, so they are made once.
struct Names {
    noun: &'static str,
    flag: &'static str,
    env: &'static str,
}

static URLS: LazyLock<Vec<Names>> = LazyLock::new(|| names("url"));
static DATABASES: LazyLock<Vec<Names>> = LazyLock::new(|| names("database-url"));
static REPLICAS: LazyLock<Vec<Names>> = LazyLock::new(|| names("database-replica-url"));

fn names(what: &str) -> Vec<Names> {
    let forever = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let one = |noun: &&'static str| {
        let flag = format!("{noun}-{what}");
        let env = flag.to_uppercase().replace('-', "_");
        Names { noun, flag: forever(flag), env: forever(env) }
    };
    NOUNS.iter().map(one).collect()
}

impl Peers {
    /// Where to call the service, when settings say so: one URL, or several separated by commas.
    pub fn url(&self, noun: &str) -> Option<&str> {
        self.urls.get(noun).map(String::as_str)
    }

    /// The service's own database, when settings say so.
    pub fn database_url(&self, noun: &str) -> Option<&Secret> {
        self.databases.get(noun)
    }

    /// Gives the service a database of its own.
    pub fn set_database_url(&mut self, noun: &'static str, url: Secret) {
        self.databases.insert(noun, url);
    }

    /// The service's own read replica, when settings say so.
    pub fn database_replica_url(&self, noun: &str) -> Option<&Secret> {
        self.replicas.get(noun)
    }
}

impl Args for Peers {
    fn augment_args(mut command: Command) -> Command {
        let heading = "One service's own settings";
        for names in URLS.iter() {
            let help = format!("Where to call {}; several URLs are separated by commas", names.noun);
            command = command
                .arg(Arg::new(names.flag).long(names.flag).env(names.env).help(help).help_heading(heading));
        }
        for names in DATABASES.iter() {
            let help = format!("The database of {}, where it has its own server", names.noun);
            let arg = Arg::new(names.flag)
                .long(names.flag)
                .env(names.env)
                .hide_env_values(true)
                .help(help)
                .help_heading(heading);
            command = command.arg(arg);
        }
        for names in REPLICAS.iter() {
            let help = format!("A read replica of the database of {}", names.noun);
            let arg = Arg::new(names.flag)
                .long(names.flag)
                .env(names.env)
                .hide_env_values(true)
                .help(help)
                .help_heading(heading);
            command = command.arg(arg);
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Peers {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut peers = Self::default();
        peers.update_from_arg_matches(matches)?;
        Ok(peers)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let value = |names: &Names| matches.get_one::<String>(names.flag).cloned();
        self.urls.extend(URLS.iter().filter_map(|names| Some((names.noun, value(names)?))));
        self.databases.extend(DATABASES.iter().filter_map(|names| Some((names.noun, value(names)?.into()))));
        self.replicas.extend(REPLICAS.iter().filter_map(|names| Some((names.noun, value(names)?.into()))));
        Ok(())
    }
}
