//! Runs the analytics service alone.
use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<analytics::Config, analytics::Migrator, _, _>("analytics", analytics::serve)
}
