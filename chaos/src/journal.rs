//! What customers asked and were told, on disk before and after each call, so that nothing is known only to memory.
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use anyhow::Context;
use serde::Serialize;

/// A file of JSON lines, written through to the disk.
pub(crate) struct Journal(Mutex<File>);

/// A line of it.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    /// `ask` before a call, `told` after it.
    pub(crate) what: &'a str,
    pub(crate) call: &'a str,
    pub(crate) request_id: &'a str,
    /// What was asked for, or the answer.
    pub(crate) content: &'a str,
}

impl Journal {
    pub(crate) fn create(file: &Path) -> anyhow::Result<Journal> {
        let created = File::create(file).with_context(|| file.display().to_string())?;
        Ok(Journal(Mutex::new(created)))
    }

    /// Writes a line. It is on the disk when this returns.
    pub(crate) fn write(&self, line: &Line<'_>) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.write_all(&text)?;
        Ok(file.sync_data()?)
    }
}
