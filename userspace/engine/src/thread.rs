//! Open calls per thread: which probe frames a nested event lies in.
//!
//! Returns can be lost. A return closes every frame above its own; a call that cannot be nested in what is open shows
//! that the open frames are stale. Both are reported to the caller as abandoned frames, never guessed away.

use gemscope_common::ProbeId;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::entity::{BufKey, FileKey, HandleKey, ObjectKey};
use crate::finding::Stamp;

/// One open call.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub probe: ProbeId,
    /// The nested event that the frame waits for has come (a put, an export, a removal).
    pub hit: bool,
    /// A handle was created inside it; of a deletion, it was released inside.
    pub made: bool,
    /// A rule was broken at entry; judged at return, when the call's success is known.
    pub broken: bool,
    /// Handle number of the call.
    pub id: u32,
    pub at: Stamp,
    pub file: Option<FileKey>,
    pub object: Option<ObjectKey>,
    pub handle: Option<HandleKey>,
    pub buf: Option<BufKey>,
}

impl Frame {
    pub fn new(probe: ProbeId, at: Stamp) -> Self {
        Self {
            probe,
            hit: false,
            made: false,
            broken: false,
            id: 0,
            at,
            file: None,
            object: None,
            handle: None,
            buf: None,
        }
    }
}

impl Frame {
    /// Is it `drm_gem_handle_delete` of this number?
    pub fn deletes(&self, file: FileKey, id: u32) -> bool {
        self.probe == ProbeId::HandleDelete && self.file == Some(file) && self.id == id
    }
}

/// One thread's open calls.
#[derive(Clone)]
pub(crate) struct Thread {
    pub epoch: u32,
    /// Records were lost on this thread and no outermost call has begun since.
    pub unsynced: bool,
    /// An outermost call was seen to begin, and nothing was lost since: every call on it has a beginning and an end.
    pub whole: bool,
    /// MODE_DESTROY_DUMB was called for this file and handle.
    pub destroying: Option<(u64, u32)>,
    /// The fd that was installed last, with its system call and the stamp.
    pub installed: Option<(i32, u64, Stamp)>,
    pub frames: SmallVec<[Frame; 4]>,
}

impl Thread {
    /// The innermost open frame of any of these probes.
    pub fn innermost(&mut self, probes: &[ProbeId]) -> Option<&mut Frame> {
        self.frames.iter_mut().rev().find(|f| probes.contains(&f.probe))
    }

    pub fn inside(&self, probe: ProbeId) -> bool {
        self.frames.iter().any(|f| f.probe == probe)
    }
}

/// All threads with open calls.
#[derive(Clone, Default)]
pub(crate) struct Threads {
    by_tid: FxHashMap<u32, u32>,
    list: Vec<Thread>,
    tids: Vec<u32>,
    last: Option<(u32, u32)>,
    /// A thread may be in the middle of calls when it is first met.
    midway: bool,
}

impl Threads {
    /// Idle threads are forgotten beyond this many.
    const KEEP: usize = 8192;

    /// Threads of a trace that begins with the first thing they did, or in the middle of it.
    pub fn new(midway: bool) -> Self {
        Self { midway, ..Self::default() }
    }

    /// A thread begins its life: it is in no call.
    pub fn born(&mut self, tid: u32, epoch: u32) {
        let ix = self.slot(tid, epoch);
        let t = self.at(ix);
        if t.epoch == epoch && t.frames.is_empty() {
            t.unsynced = false;
        }
    }

    /// The index of a thread, for [`Self::at`].
    pub fn slot(&mut self, tid: u32, epoch: u32) -> usize {
        if let Some((t, ix)) = self.last
            && t == tid
        {
            return ix as usize;
        }
        if self.list.len() >= Self::KEEP {
            self.forget_idle();
        }
        let unsynced = self.midway;
        let ix = *self.by_tid.entry(tid).or_insert_with(|| {
            self.list.push(Thread {
                epoch,
                unsynced,
                whole: false,
                destroying: None,
                installed: None,
                frames: SmallVec::new(),
            });
            self.tids.push(tid);
            (self.list.len() - 1) as u32
        });
        self.last = Some((tid, ix));
        ix as usize
    }

    pub fn at(&mut self, ix: usize) -> &mut Thread {
        &mut self.list[ix]
    }

    /// The first open frame of another thread than this one that is meant.
    pub fn find_other(&mut self, tid: u32, meant: impl Fn(&Frame) -> bool) -> Option<&mut Frame> {
        let others = self.list.iter_mut().zip(&self.tids).filter(|(_, other)| **other != tid);
        others.flat_map(|(t, _)| &mut t.frames).find(|f| meant(f))
    }

    /// Every thread that something is known of.
    pub fn all(&self) -> impl Iterator<Item = (u32, &Thread)> {
        self.tids.iter().copied().zip(&self.list)
    }

    /// Frames that are still open anywhere, with their thread.
    pub fn open(&self) -> impl Iterator<Item = (u32, &Frame)> {
        self.list.iter().zip(&self.tids).flat_map(|(t, tid)| t.frames.iter().map(move |f| (*tid, f)))
    }

    fn forget_idle(&mut self) {
        let list = std::mem::take(&mut self.list);
        let tids = std::mem::take(&mut self.tids);
        self.by_tid.clear();
        self.last = None;
        for (thread, tid) in list.into_iter().zip(tids) {
            // Where threads are met in the middle of calls, one that is met again is as good as one that was kept.
            if !thread.frames.is_empty() || thread.unsynced && !self.midway {
                self.by_tid.insert(tid, self.list.len() as u32);
                self.list.push(thread);
                self.tids.push(tid);
            }
        }
    }
}
