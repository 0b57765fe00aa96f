//! A pipe, terminal or socket: nobody knows when its next bytes come, and a wait for them cannot be
//! ended from outside. So a thread of its own waits, and the run waits for that, and leaves it
//! behind when it is stopped.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use inlay_base::{Error, Result, Run};

/// Bytes that are read at a time.
const PART: usize = 1 << 16;

/// How long a wait lasts before the run is asked whether to go on.
const PATIENCE: Duration = Duration::from_millis(5);

type Part = io::Result<Vec<u8>>;

/// What comes out of a pipe. A read fails once the run is stopped.
pub(crate) struct Pipe<'a> {
    parts: Receiver<Part>,
    part: io::Cursor<Vec<u8>>,
    run: &'a Run,
}

impl<'a> Pipe<'a> {
    /// Opens the pipe, which may take as long as a read.
    pub fn open(path: &Path, run: &'a Run) -> Result<Self> {
        let (sender, parts) = sync_channel(4);
        let owned = path.to_path_buf();
        let failed = |error| Error::io("open", path, &error);
        let builder = thread::Builder::new().name("inlay pipe".into());
        // Not joined: it ends with the pipe, or with its next part once nobody receives.
        builder.spawn(move || forward(&owned, &sender)).map_err(failed)?;
        Ok(Self { parts, part: io::Cursor::default(), run })
    }
}

fn forward(path: &Path, sender: &SyncSender<Part>) {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return sender.send(Err(error)).unwrap_or_default(),
    };
    loop {
        let mut part = vec![0; PART];
        let part = match file.read(&mut part) {
            Ok(0) => return,
            Ok(read) => {
                part.truncate(read);
                Ok(part)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let last = part.is_err();
        if sender.send(part).is_err() || last {
            return;
        }
    }
}

impl Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.part.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.parts.recv_timeout(PATIENCE) {
                Ok(part) => self.part = io::Cursor::new(part?),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) if self.run.stopped() => {
                    return Err(io::Error::other("the run was stopped"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}
