//! Runs the order service alone.

use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<order::Config, order::Migrator, _, _>("order", order::serve)
}
