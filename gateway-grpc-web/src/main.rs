//! Runs the edge alone.
use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<gateway::Config, chassis::Stateless, _, _>("gateway", gateway::serve)
}
