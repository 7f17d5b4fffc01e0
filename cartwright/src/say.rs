//! What the command says on standard output. Whoever reads it may have gone, as `head` does: then the work goes on, and
//! its exit code still tells.
use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

/// Says one line.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::line(format_args!($($words)*)) };
}

pub(crate) fn line(words: Arguments<'_>) {
    let mut out = io::stdout().lock();
    match writeln!(out, "{words}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => complain(&error.into()),
        Ok(()) | Err(_) => {}
    }
}

/// Says on standard error why the command fails.
pub(crate) fn complain(error: &anyhow::Error) {
    // Nobody is left to tell where this fails too.
    let _ = writeln!(io::stderr(), "cartwright: {error:#}");
}
