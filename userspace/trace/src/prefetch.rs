//! Reading ahead: a thread decodes the next block while the consumer works on this one.

use std::io::{Read, Seek};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use gemscope_common::Record;

use crate::definitions::Definitions;
use crate::error::TraceError;
use crate::header::TraceHeader;
use crate::reader::{Batch, End, Reader};

/// Blocks decoded ahead of the consumer.
const AHEAD: usize = 3;

type Item = Result<(Batch, Vec<Record>), TraceError>;

/// A [`Reader`] that decodes in a thread of its own. Dropping it ends the thread.
#[derive(Debug)]
pub struct PrefetchReader {
    header: TraceHeader,
    definitions: Definitions,
    definitions_lost: u64,
    len: u64,
    end: End,
    batches: Option<Receiver<Item>>,
    spare: Sender<Vec<Record>>,
    thread: Option<JoinHandle<()>>,
}

impl PrefetchReader {
    /// Starts to read ahead from where `reader` stands.
    ///
    /// # Errors
    /// [`TraceError::Thread`] when no thread can be made.
    pub fn new<R: Read + Seek + Send + 'static>(reader: Reader<R>) -> Result<Self, TraceError> {
        let (send, batches) = sync_channel(AHEAD);
        let (spare, spares) = channel();
        let (header, definitions) = (reader.header().clone(), reader.definitions().clone());
        let definitions_lost = reader.definitions_lost();
        let (len, end) = (reader.len(), reader.end());
        let thread = std::thread::Builder::new()
            .name("trace-reader".to_owned())
            .spawn(move || read_ahead(reader, &send, &spares))
            .map_err(|e| TraceError::Thread(e.to_string()))?;
        Ok(Self {
            header,
            definitions,
            definitions_lost,
            len,
            end,
            batches: Some(batches),
            spare,
            thread: Some(thread),
        })
    }

    /// As [`Reader::header`].
    #[must_use]
    pub const fn header(&self) -> &TraceHeader {
        &self.header
    }

    /// As [`Reader::definitions`].
    #[must_use]
    pub const fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// As [`Reader::definitions_lost`].
    #[must_use]
    pub const fn definitions_lost(&self) -> u64 {
        self.definitions_lost
    }

    /// As [`Reader::len`].
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Has the trace no record?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// As [`Reader::end`].
    #[must_use]
    pub const fn end(&self) -> End {
        self.end
    }

    /// As [`Reader::next_batch`]. The vector is exchanged, not copied: give the same one each time.
    ///
    /// # Errors
    /// As [`Reader::next_batch`], or [`TraceError::Thread`].
    pub fn next_batch(&mut self, out: &mut Vec<Record>) -> Result<Option<Batch>, TraceError> {
        let received = self.batches.as_ref().and_then(|batches| batches.recv().ok());
        match received {
            Some(Ok((batch, records))) => {
                // The thread may have ended already; then nobody needs the memory.
                drop(self.spare.send(std::mem::replace(out, records)));
                Ok(Some(batch))
            }
            Some(Err(error)) => {
                self.batches = None;
                out.clear();
                Err(error)
            }
            None => {
                self.batches = None;
                out.clear();
                match self.thread.take().map(JoinHandle::join) {
                    Some(Err(_)) => Err(TraceError::Thread("it panicked".to_owned())),
                    Some(Ok(())) | None => Ok(None),
                }
            }
        }
    }
}

impl Drop for PrefetchReader {
    fn drop(&mut self) {
        // Closing the channel makes the thread's next send fail.
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn read_ahead<R: Read + Seek>(
    mut reader: Reader<R>,
    send: &SyncSender<Item>,
    spares: &Receiver<Vec<Record>>,
) {
    loop {
        let mut records = spares.try_recv().unwrap_or_default();
        let item = match reader.next_batch(&mut records) {
            Ok(Some(batch)) => Ok((batch, records)),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let last = item.is_err();
        if send.send(item).is_err() || last {
            return;
        }
    }
}
