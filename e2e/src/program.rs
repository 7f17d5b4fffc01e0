//! Programs of the workspace, started and stopped.
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, ensure};
use tokio::process::{Child, Command};

/// The folder the programs are built into: a program's own, or the one above that of a test.
pub fn built() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("the program lies in no folder")?;
    let above = folder.parent().filter(|_| folder.ends_with("deps"));
    Ok(above.unwrap_or(folder).to_owned())
}

/// A program that runs until it is stopped, killed or dropped.
pub struct Program {
    name: String,
    environment: BTreeMap<String, String>,
    arguments: Vec<String>,
    log: PathBuf,
    child: Child,
}

impl Program {
    /// Starts a program of the workspace. What it says goes to a file of its name in `folder`.
    pub fn start(
        name: &str,
        arguments: &[String],
        environment: &BTreeMap<String, String>,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let child = spawn(name, arguments, environment, &log)?;
        Ok(Program {
            name: name.into(),
            environment: environment.clone(),
            arguments: arguments.to_vec(),
            log,
            child,
        })
    }

    /// Its process number, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it as a crash would: at once, with nothing put in order.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }

    /// Asks it to stop, as a rollout does, and waits until it has.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.signal("TERM").await?;
        let ended = self.ended().await?;
        ensure!(ended.success(), "{} ended with {ended}; see {}", self.name, self.tail());
        Ok(())
    }

    /// Sends it a signal, such as `TERM`.
    pub async fn signal(&self, name: &str) -> anyhow::Result<()> {
        let Some(pid) = self.child.id() else { return Ok(()) };
        let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().await?;
        ensure!(sent.success(), "{} could not be sent {name}", self.name);
        Ok(())
    }

    /// Waits until it has ended, and says how.
    pub async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Starts it again as it was.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        self.child = spawn(&self.name, &self.arguments, &self.environment, &self.log)?;
        Ok(())
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// The last lines of what it said.
    pub fn tail(&self) -> String {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

fn spawn(
    name: &str,
    arguments: &[String],
    environment: &BTreeMap<String, String>,
    log: &Path,
) -> anyhow::Result<Child> {
    let program = built()?.join(name);
    ensure!(
        program.exists(),
        "{} is not built: run `cargo build --workspace --bins` first",
        program.display()
    );
    let log = File::options().create(true).append(true).open(log)?;
    Command::new(&program)
        .args(arguments)
        .env_clear()
        .envs(std::env::vars().filter(|(name, _)| matches!(name.as_str(), "PATH" | "HOME" | "TMPDIR")))
        .envs(of_program(name, environment))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {}", program.display()))
}

/// The environment as one program is given it.
fn of_program<'a>(
    name: &str,
    environment: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = (&'a String, String)> {
    environment.iter().map(move |(key, value)| (key, value.replace("{program}", name)))
}

/// Runs a program to its end. Answers whether it succeeded, and what it printed.
pub async fn run(
    name: &str,
    arguments: &[&str],
    environment: &BTreeMap<String, String>,
) -> anyhow::Result<(bool, String)> {
    let output = Command::new(built()?.join(name))
        .args(arguments)
        .env_clear()
        .envs(std::env::vars().filter(|(name, _)| matches!(name.as_str(), "PATH" | "HOME" | "TMPDIR")))
        .envs(of_program(name, environment))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    Ok((output.status.success(), if output.status.success() { printed } else { format!("{printed}{said}") }))
}
