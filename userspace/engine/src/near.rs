//! Calls in flight that others may cross: near misses, and what a moving handle is called meanwhile.
//!
//! A near miss is legal: the kernel's locks make the outcome right. It is told because the same overlap was a bug
//! under an older profile, or is one reordering away, and it is never part of a verdict.

use crate::case::Case;
use crate::engine::Engine;
use crate::entity::{BufKey, FileKey, HandleKey, ObjectKey, Phase as Life};
use crate::finding::{Entity, Finding, Stamp, What};
use crate::rules::RuleId;

/// What a call in flight does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    Export,
    Import,
    /// GEM_CHANGE_HANDLE.
    Change,
}

/// A call in flight.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub doing: Doing,
    pub file: FileKey,
    /// The handle that it is about; 0 for an import.
    pub id: u32,
    /// The number that the handle moves to.
    pub to: u32,
    pub object: Option<ObjectKey>,
    /// The handle that moves.
    pub handle: Option<HandleKey>,
    /// The dma-buf that is imported, or of the cache entry that moves with its handle.
    pub buf: Option<BufKey>,
    /// The moving handle was closed, under this one of its two numbers.
    pub closed: Option<(u32, Stamp)>,
    pub at: Stamp,
}

/// Every call in flight that a close may cross.
#[derive(Clone, Default)]
pub(crate) struct Calls(Vec<Call>);

impl Calls {
    /// More than any machine has threads in these calls at once: returns were lost.
    const KEEP: usize = 512;

    pub fn begin(&mut self, call: Call) {
        self.end(call.at.tid, call.doing);
        if self.0.len() >= Self::KEEP {
            self.0.clear();
        }
        self.0.push(call);
    }

    pub fn end(&mut self, tid: u32, doing: Doing) -> Option<Call> {
        let ix = self.0.iter().position(|c| c.at.tid == tid && c.doing == doing)?;
        Some(self.0.swap_remove(ix))
    }

    /// The move in flight of this file that has to do with this number.
    pub fn moving(&mut self, file: FileKey, id: u32) -> Option<&mut Call> {
        self.0.iter_mut().find(|c| c.doing == Doing::Change && c.file == file && (c.id == id || c.to == id))
    }

    /// Is a handle of this file on its way to this number?
    pub fn moves_to(&self, file: FileKey, id: u32) -> bool {
        self.0.iter().any(|c| c.doing == Doing::Change && c.file == file && c.to == id)
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Every one.
    pub fn all(&self) -> impl Iterator<Item = &Call> {
        self.0.iter()
    }

    fn others(&self, tid: u32) -> impl Iterator<Item = &Call> {
        self.0.iter().filter(move |c| c.at.tid != tid)
    }
}

/// Near misses, one for each rule, with how often it happened and its first example.
#[derive(Clone, Default)]
pub(crate) struct NearMisses(pub Vec<Finding>);

impl NearMisses {
    /// Counts one more; is it the first of its rule?
    fn again(&mut self, rule: RuleId, bytes: u64) -> bool {
        match self.0.iter_mut().find(|f| f.rule == rule) {
            Some(known) => {
                known.count += 1;
                known.bytes += bytes;
                false
            }
            None => true,
        }
    }
}

impl Engine {
    /// Legal races so far, one for each rule with its count and its first example; never part of the verdict.
    #[must_use]
    pub fn near_misses(&self) -> &[Finding] {
        &self.near_misses.0
    }

    fn near(&mut self, rule: RuleId, entity: Entity, what: (What, Stamp), earlier: (What, Stamp)) {
        if self.near_misses.again(rule, entity.size()) {
            let number = self.near_misses.0.len() as u32 + 1;
            let case = Case::new(rule, entity, what.0, what.1).against(earlier.0, earlier.1);
            self.near_misses.0.push(case.close(number, false));
        }
    }

    /// An export begins: is its handle being closed?
    pub(crate) fn export_in_flight(&mut self, file: FileKey, id: u32, at: Stamp) {
        let handle = self.state.files.get(file).and_then(|f| f.handles.live(id));
        let live = handle.and_then(|h| self.state.handles.get(h));
        let (object, closing) = (live.map(|h| h.object), live.is_some_and(|h| h.phase == Life::Closing));
        self.calls.begin(Call {
            doing: Doing::Export,
            file,
            id,
            to: 0,
            object,
            handle,
            buf: None,
            closed: None,
            at,
        });
        if let (Some(handle), true) = (handle, closing) {
            let entity = self.handle_entity(handle);
            let earlier = (What::HandleCreated, self.state.handles[handle].created);
            self.near(RuleId::NearMissExportClose, entity, (What::ExportBegan, at), earlier);
        }
    }

    /// An import knows its dma-buf: is the handle that it would return being closed?
    pub(crate) fn import_in_flight(&mut self, file: FileKey, buf: BufKey, began: Stamp, at: Stamp) {
        self.calls.begin(Call {
            doing: Doing::Import,
            file,
            id: 0,
            to: 0,
            object: None,
            handle: None,
            buf: Some(buf),
            closed: None,
            at: Stamp { tid: at.tid, ..began },
        });
        let closing = self
            .cached_handle(file, Some(buf))
            .filter(|h| self.state.handles.get(*h).is_some_and(|h| h.phase == Life::Closing));
        if let Some(handle) = closing {
            let entity = self.handle_entity(handle);
            let earlier = (What::HandleCreated, self.state.handles[handle].created);
            self.near(RuleId::NearMissImportClose, entity, (What::ImportBegan, began), earlier);
        }
    }

    /// A handle's close begins: which calls does it cross?
    pub(crate) fn close_crosses(&mut self, handle: HandleKey, id: u32, at: Stamp) {
        let h = &self.state.handles[handle];
        let (file, cached) = (h.file, h.cached);
        let crossed = |c: &&Call| {
            c.file == file
                && match c.doing {
                    Doing::Export => c.id == id,
                    Doing::Import => cached.is_some() && c.buf == cached,
                    Doing::Change => c.id == id || c.to == id,
                }
        };
        let Some(call) = self.calls.others(at.tid).find(crossed).copied() else { return };
        let (rule, what) = match call.doing {
            Doing::Export => (RuleId::NearMissExportClose, What::ExportBegan),
            Doing::Import => (RuleId::NearMissImportClose, What::ImportBegan),
            Doing::Change => (RuleId::NearMissChangeClose, What::HandleMoved),
        };
        let entity = self.handle_entity(handle);
        self.near(rule, entity, (What::CloseBegan, at), (what, call.at));
    }

    /// A dma-buf was made inside an export: was another export of the same object under way?
    pub(crate) fn double_export(&mut self, object: ObjectKey, buf: BufKey, at: Stamp) {
        let other = self.calls.others(at.tid).find(|c| c.doing == Doing::Export && c.object == Some(object));
        if let Some(other) = other.copied() {
            let entity = self.buf_entity(buf);
            self.near(
                RuleId::NearMissDoubleExport,
                entity,
                (What::Exported, at),
                (What::ExportBegan, other.at),
            );
        }
    }
}
