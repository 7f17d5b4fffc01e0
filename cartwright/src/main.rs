//! The `cartwright` command.
use std::process::ExitCode;

fn main() -> ExitCode {
    cartwright::main()
}
