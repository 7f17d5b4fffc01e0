//! Runs the catalog service alone.
use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<catalog::Config, catalog::Migrator, _, _>("catalog", catalog::serve)
}
