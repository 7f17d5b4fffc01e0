//! Runs the shipping service alone.
use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<shipping::Config, shipping::Migrator, _, _>("shipping", shipping::serve)
}
