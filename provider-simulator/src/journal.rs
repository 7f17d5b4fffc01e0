//! The journal: a file of lines that are on disk before anyone is told of them.
//!
//! One thread writes. What arrives while it syncs is written and synced together, so that many callers share one sync.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;

use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

/// How many lines share a sync at most.
const BATCH: usize = 256;

/// Lines on their way to the disk, and whoever waits for them.
struct Append {
    text: String,
    written: oneshot::Sender<()>,
}

/// Appends lines. What is appended first is on disk first.
pub(crate) struct Journal {
    writer: Option<mpsc::Sender<Append>>,
    thread: Option<JoinHandle<()>>,
}

/// Resolves once everything appended before is on disk; an error where it never will be.
pub(crate) type Written = oneshot::Receiver<()>;

impl Journal {
    /// Opens the file, and reads what is in it. A last line that a crash cut short was never told to anyone, and goes.
    pub(crate) fn open<T: DeserializeOwned>(path: &Path) -> io::Result<(Journal, Vec<T>)> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let lines = text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines = lines.map(serde_json::from_slice).collect::<Result<Vec<T>, _>>()?;
        file.set_len(u64::try_from(whole).map_err(io::Error::other)?)?;
        let (writer, waiting) = mpsc::channel();
        let thread = std::thread::Builder::new().name("journal".to_owned());
        let thread = thread.spawn(move || write(file, &waiting))?;
        Ok((Journal { writer: Some(writer), thread: Some(thread) }, lines))
    }

    /// Appends lines; none only waits for those before.
    pub(crate) fn append(&self, text: String) -> Written {
        let (written, waits) = oneshot::channel();
        if let Some(writer) = &self.writer {
            // Where the writer has failed, `written` is dropped here, and that is what the caller learns.
            let _ = writer.send(Append { text, written });
        }
        waits
    }
}

impl Drop for Journal {
    /// Nothing is written any more afterwards: another journal may be opened on the file.
    fn drop(&mut self) {
        drop(self.writer.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes until nobody can append any more, or until the disk fails: then nothing is told to have been written.
fn write(mut file: File, waiting: &mpsc::Receiver<Append>) {
    while let Ok(first) = waiting.recv() {
        let batch: Vec<Append> = std::iter::once(first).chain(waiting.try_iter().take(BATCH)).collect();
        let text: String = batch.iter().map(|write| write.text.as_str()).collect();
        let written = if text.is_empty() {
            Ok(())
        } else {
            file.write_all(text.as_bytes()).and_then(|()| file.sync_data())
        };
        if let Err(error) = written {
            tracing::error!(%error, "the journal cannot be written");
            return;
        }
        for write in batch {
            let _ = write.written.send(()); // who no longer waits need not be told
        }
    }
}
