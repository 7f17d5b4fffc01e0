//! Runs the inventory service alone.
use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<inventory::Config, inventory::Migrator, _, _>("inventory", inventory::serve)
}
