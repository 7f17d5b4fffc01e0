//! Runs the promotion service alone.
use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<promotion::Config, promotion::Migrator, _, _>("promotion", promotion::serve)
}
