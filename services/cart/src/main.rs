//! Runs the cart service alone.
use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<cart::Config, cart::Migrator, _, _>("cart", cart::serve)
}
