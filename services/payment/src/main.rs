//! Runs the payment service alone.
use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<payment::Config, payment::Migrator, _, _>("payment", payment::serve)
}
