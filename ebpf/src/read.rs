//! Reading kernel memory by offsets that may be unknown and pointers that may be bad: never an error, at worst a
//! zero and a flag.

use core::mem::MaybeUninit;

use aya_ebpf::Global;
use aya_ebpf::helpers::generated::{
    bpf_get_current_comm, bpf_probe_read_kernel, bpf_probe_read_kernel_str, bpf_probe_read_user,
};

use crate::globals::UNKNOWN;

/// An odd number with its bits well spread.
const MIX: u64 = 0x9E37_79B9_7F4A_7C15;

/// Reads, and remembers whether one failed.
pub struct Reader {
    /// A read failed: its value is zero.
    pub fault: bool,
}

impl Reader {
    #[inline(always)]
    pub fn new() -> Self {
        Self { fault: false }
    }

    /// The value at an address; zero when the address is 0 or bad.
    #[inline(always)]
    pub fn at<T: Copy + Default>(&mut self, address: u64) -> T {
        let mut value = T::default();
        if address == 0 {
            return value;
        }
        // SAFETY: the destination is a local of the size given; the helper checks the source itself.
        let failed = unsafe {
            bpf_probe_read_kernel((&raw mut value).cast(), size_of::<T>() as u32, address as *const _)
        };
        if failed != 0 {
            self.fault = true;
            return T::default();
        }
        value
    }

    /// A field of the struct at `base`; zero when the base is 0 or the offset is not known.
    #[inline(always)]
    pub fn field<T: Copy + Default>(&mut self, base: u64, offset: &Global<u32>) -> T {
        let offset = offset.load();
        if offset == UNKNOWN || base == 0 {
            return T::default();
        }
        self.at(base.wrapping_add(u64::from(offset)))
    }

    /// A pointer field.
    #[inline(always)]
    pub fn pointer(&mut self, base: u64, offset: &Global<u32>) -> u64 {
        self.field::<u64>(base, offset)
    }

    /// A NUL-terminated string, cut to the array with its NUL.
    #[inline(always)]
    pub fn string<T: Text>(&mut self, address: u64) -> T {
        let mut text = T::Words::default();
        if address == 0 {
            return T::from_words(text);
        }
        // SAFETY: the destination is a local of the size given; the helper checks the source itself.
        let length = unsafe {
            bpf_probe_read_kernel_str((&raw mut text).cast(), size_of::<T>() as u32, address as *const _)
        };
        if length < 0 {
            self.fault = true;
        }
        T::from_words(text)
    }

    /// The text in an array field.
    #[inline(always)]
    pub fn text<T: Text>(&mut self, base: u64, offset: &Global<u32>) -> T {
        let words: T::Words = self.field(base, offset);
        T::from_words(words)
    }

    /// Some words as one number that is most likely another one for other words; 0 when they cannot be read, which is
    /// not a fault, or when `accept` says no.
    #[inline(always)]
    pub fn mixed<const N: usize>(address: u64, accept: impl FnOnce(&[u64; N]) -> bool) -> u64 {
        let mut place = MaybeUninit::<[u64; N]>::uninit();
        // SAFETY: the destination is a local of the size given; the helper checks the source itself.
        let failed =
            unsafe { bpf_probe_read_kernel(place.as_mut_ptr().cast(), (N * 8) as u32, address as *const _) };
        // SAFETY: the helper wrote all of it; it clears what it could not read.
        let words = unsafe { place.assume_init_ref() };
        if failed != 0 || !accept(words) {
            return 0;
        }
        let mut mixed = 0;
        for word in words {
            mixed = (mixed ^ word).wrapping_mul(MIX);
            mixed ^= mixed >> 32;
        }
        mixed | 1
    }

    /// A value in the traced program's memory; zero when it cannot be read now.
    #[inline(always)]
    pub fn user<T: Copy + Default>(&mut self, address: u64) -> T {
        let mut value = T::default();
        // SAFETY: the destination is a local of the size given; the helper checks the source itself.
        let failed = unsafe {
            bpf_probe_read_user((&raw mut value).cast(), size_of::<T>() as u32, address as *const _)
        };
        if failed != 0 {
            self.fault = true;
            return T::default();
        }
        value
    }
}

/// The address of the struct that `member` is embedded in; 0 when the offset is not known.
#[inline(always)]
pub fn container(member: u64, offset: &Global<u32>) -> u64 {
    let offset = offset.load();
    if offset == UNKNOWN || member == 0 { 0 } else { member.wrapping_sub(u64::from(offset)) }
}

/// Is this an `ERR_PTR`?
#[inline(always)]
pub fn is_error(pointer: u64) -> bool {
    pointer > u64::MAX - gemscope_common::MAX_ERRNO
}

/// A returned pointer, or 0 for NULL and `ERR_PTR`.
#[inline(always)]
pub fn ok_pointer(pointer: u64) -> u64 {
    if is_error(pointer) { 0 } else { pointer }
}

/// A byte array that is handled as words: clearing bytes one by one is a loop in BPF.
pub trait Text: Copy {
    /// As many words.
    type Words: Copy + Default;
    /// The same bytes.
    fn from_words(words: Self::Words) -> Self;
}

impl Text for [u8; 16] {
    type Words = [u64; 2];
    #[inline(always)]
    fn from_words(words: [u64; 2]) -> Self {
        // SAFETY: plain data of the same size.
        unsafe { core::mem::transmute(words) }
    }
}

impl Text for [u8; 24] {
    type Words = [u64; 3];
    #[inline(always)]
    fn from_words(words: [u64; 3]) -> Self {
        // SAFETY: plain data of the same size.
        unsafe { core::mem::transmute(words) }
    }
}

/// The name of the running task.
#[inline(always)]
pub fn current_comm() -> [u64; 2] {
    let mut words = [0u64; 2];
    // SAFETY: the destination is a local of the size given. It cannot fail for a task that runs.
    unsafe { bpf_get_current_comm((&raw mut words).cast(), 16) };
    words
}
