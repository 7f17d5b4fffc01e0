//! Runs the notification service alone.
use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<notification::Config, notification::Migrator, _, _>("notification", notification::serve)
}
