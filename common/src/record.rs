//! The record itself: a fixed header and a payload area that is read through validated casts.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::payload::Payload;
use crate::probe::{Phase, ProbeId};

/// Largest payload in bytes.
pub const PAYLOAD_MAX: usize = 80;

/// Size of a whole [`Record`] in bytes. On the ring a record may be shorter: the header and the payload's own size.
pub const RECORD_MAX: usize = size_of::<Header>() + PAYLOAD_MAX;

/// What is the same for every observation.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
pub struct Header {
    /// `CLOCK_MONOTONIC`, nanoseconds. Information only: order is the order of records.
    pub ts_ns: u64,
    /// Records dropped on the way since the start, system-wide, as known when this one was written.
    pub drops: u64,
    /// The function's return value as the register held it; 0 unless the phase is [`Phase::Return`]. For `vmap`
    /// always 0 or an errno, also on kernels whose function returns the address.
    pub ret: i64,
    /// Thread id of the actor (`task->pid`) in the initial pid namespace.
    pub tid: u32,
    /// Process id of the actor (`task->tgid`) in the initial pid namespace.
    pub tgid: u32,
    /// Kernel stack id, or negative: none taken, or the errno of taking it. Of a call [within](ProbeId::within) another one it
    /// is that of the outer call.
    pub kstack: i32,
    /// User stack id, or negative, as for the kernel stack.
    pub ustack: i32,
    /// [`ProbeId`] number.
    pub probe: u16,
    /// [`Phase`] value.
    pub phase: u8,
    /// [`Flags`].
    pub flags: u8,
    /// The cpu that ran the probe.
    pub cpu: u32,
}

const _: () = assert!(size_of::<Header>() == 48 && size_of::<Record>() == 128 && align_of::<Record>() == 8);

/// Bits of [`Header::flags`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags;

impl Flags {
    /// A return whose entry was not seen by the kernel side: the payload's argument fields are zero.
    pub const NO_ARGS: u8 = 1 << 0;
    /// At least one field could not be read; it is zero.
    pub const READ_FAULT: u8 = 1 << 1;
    /// The actor is a kernel thread (a worker that does deferred work).
    pub const KTHREAD: u8 = 1 << 2;
    /// The actor has begun to exit (`PF_EXITING`).
    pub const EXITING: u8 = 1 << 3;
    /// Every bit that has a meaning.
    pub const KNOWN: u8 = Self::NO_ARGS | Self::READ_FAULT | Self::KTHREAD | Self::EXITING;
}

/// One observation at one probe.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
pub struct Record {
    /// What is the same for every observation.
    pub header: Header,
    payload: [u64; PAYLOAD_MAX / 8],
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Shorter than a header or longer than a record.
    Length(usize),
    /// No probe has this number.
    Probe(u16),
    /// No phase has this value.
    Phase(u8),
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Length(n) => write!(f, "a record cannot be `{n}` bytes long"),
            Self::Probe(n) => write!(f, "no probe has the number `{n}`"),
            Self::Phase(n) => write!(f, "no phase has the value `{n}`"),
        }
    }
}

impl core::error::Error for DecodeError {}

impl Record {
    /// In place of a stack's id: none was taken.
    pub const NO_STACK: i32 = -1;

    /// A record of `probe` with this payload; the rest of the header is zero and no stacks (`-1`).
    #[must_use]
    pub fn new<P: Payload>(probe: ProbeId, phase: Phase, payload: &P) -> Self {
        let mut record = Self { header: Header::default(), payload: [0; PAYLOAD_MAX / 8] };
        record.header.probe = probe as u16;
        record.header.phase = phase as u8;
        record.header.kstack = Self::NO_STACK;
        record.header.ustack = Self::NO_STACK;
        record.set_payload(payload);
        record
    }

    /// Reads a record as it lies on the ring: a header and at most [`PAYLOAD_MAX`] bytes, missing ones zero.
    ///
    /// # Errors
    /// [`DecodeError`] when the length, the probe or the phase cannot be.
    pub fn from_ring(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() < size_of::<Header>() || bytes.len() > RECORD_MAX {
            return Err(DecodeError::Length(bytes.len()));
        }
        let mut record = Self::new_zeroed();
        record.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
        record.validate()?;
        Ok(record)
    }

    /// Checks that the probe and the phase exist.
    ///
    /// # Errors
    /// [`DecodeError`] naming what does not.
    pub fn validate(&self) -> Result<(), DecodeError> {
        ProbeId::from_wire(self.header.probe).map_err(|e| DecodeError::Probe(e.0))?;
        Phase::from_wire(self.header.phase).ok_or(DecodeError::Phase(self.header.phase))?;
        Ok(())
    }

    /// The probe, if its number is known.
    #[inline]
    #[must_use]
    pub fn probe(&self) -> Option<ProbeId> {
        ProbeId::from_wire(self.header.probe).ok()
    }

    /// The phase, if its value is known.
    #[inline]
    #[must_use]
    pub const fn phase(&self) -> Option<Phase> {
        Phase::from_wire(self.header.phase)
    }

    /// The payload, read as `P`. Which `P` is right is told by [`ProbeId::layout`]; any `P` is memory-safe.
    #[inline]
    #[must_use]
    pub fn payload<P: Payload>(&self) -> &P {
        // Cannot fail: P is no larger than the area (asserted per payload) and the area is 8-aligned.
        match P::ref_from_prefix(self.payload.as_bytes()) {
            Ok((payload, _)) => payload,
            Err(_) => P::zeroed_ref(),
        }
    }

    /// Replaces the payload; what `P` does not cover becomes zero.
    pub fn set_payload<P: Payload>(&mut self, payload: &P) {
        self.payload = [0; PAYLOAD_MAX / 8];
        let bytes = payload.as_bytes();
        self.payload.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
    }

    /// The payload area as words, for codecs.
    #[must_use]
    pub const fn words(&self) -> &[u64; PAYLOAD_MAX / 8] {
        &self.payload
    }

    /// The payload area as words, for codecs.
    pub const fn words_mut(&mut self) -> &mut [u64; PAYLOAD_MAX / 8] {
        &mut self.payload
    }

    /// Did the call fail? `ret` as an `int` that is negative, or as an `ERR_PTR`, or NULL is up to the caller.
    #[inline]
    #[must_use]
    pub const fn ret_i32(&self) -> i32 {
        self.header.ret as i32
    }
}

impl core::fmt::Debug for Record {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut s = f.debug_struct("Record");
        match self.probe() {
            Some(probe) => s.field("probe", &probe.name()),
            None => s.field("probe", &self.header.probe),
        };
        s.field("header", &self.header);
        crate::payload::debug_payload(self, &mut s);
        s.finish()
    }
}
