//! Making administrators.
use anyhow::bail;
use chassis::config::{Secret, Settings};
use chassis::host;
use clap::{Args, Subcommand};

/// Looks after administrators.
#[derive(Subcommand)]
pub(crate) enum Admin {
    /// Makes an administrator, with a password read from the environment.
    Create(Box<Create>),
}

/// Makes an administrator directly in identity's database.
#[derive(Args)]
pub(crate) struct Create {
    /// The e-mail address to sign in with.
    #[arg(long)]
    email: String,
    /// The password: 15 to 128 characters. Given by the environment, it does not end in the shell's history.
    #[arg(long, env = "ADMIN_PASSWORD", hide_env_values = true)]
    password: Secret,
    #[command(flatten)]
    settings: Settings,
}

impl Admin {
    pub(crate) fn settings(&self) -> &Settings {
        let Admin::Create(create) = self;
        &create.settings
    }

    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Admin::Create(create) = self;
        if !(15..=128).contains(&create.password.expose().chars().count()) {
            bail!("a password has 15 to 128 characters");
        }
        let db = host::open::<identity::Migrator>("identity", &create.settings).await?;
        let admin = identity::create_admin(&db, &create.email, Some(create.password.expose())).await?;
        db.close().await?;
        say!("{} may now sign in as administrator.", admin.email);
        Ok(())
    }
}
