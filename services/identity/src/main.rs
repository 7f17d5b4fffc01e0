//! Runs the identity service alone.
use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<identity::Config, identity::Migrator, _, _>("identity", identity::serve)
}
