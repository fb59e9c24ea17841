//! How a record gets onto the ring, and how a return finds its entry's arguments.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{BPF_F_USER_STACK, BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::{bpf_get_current_task, bpf_get_smp_processor_id, bpf_ktime_get_ns};
use aya_ebpf::programs::tracing::StackIdContext;
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use aya_log_ebpf::debug;
use gemscope_common::{Flags, Header, Phase, ProbeId, Record};

use crate::filter::{Seen, actor_wanted, device_wanted};
use crate::globals::{self, STACKS, WAKE_BYTES};
use crate::maps::{ARGS, ArgsKey, EVENTS, KSTACKS, Saved, USTACKS, count, counted, counter};
use crate::read::Reader;

/// `task->flags` of a kernel thread.
const PF_KTHREAD: u32 = 0x0020_0000;
/// `task->flags` of a task that has begun to exit.
const PF_EXITING: u32 = 0x4;
/// No memory: the error for a NULL that says no more.
const ENOMEM: i64 = 12;
/// How far above the threshold a waiting ring still wakes the reader: a few records, so that a reader that is far
/// behind is not woken once per record.
const WAKE_WINDOW: u64 = 2048;

/// A record as it lies on the ring.
#[repr(C)]
struct Wire<P> {
    header: Header,
    payload: P,
}

/// What a record's header says that is not the same for every record.
pub struct Head {
    /// Which probe.
    pub id: ProbeId,
    /// Where in the call.
    pub phase: Phase,
    /// The return value.
    pub ret: i64,
    /// Some of [`Flags`].
    pub flags: u8,
    /// Kernel stack id or a negative number.
    pub kstack: i32,
    /// User stack id or a negative number.
    pub ustack: i32,
}

impl Head {
    /// No return value, no stacks.
    #[inline(always)]
    pub fn new(id: ProbeId, phase: Phase) -> Self {
        Self { id, phase, ret: 0, flags: 0, kstack: Record::NO_STACK, ustack: Record::NO_STACK }
    }

    #[inline(always)]
    fn fault<C: EbpfContext>(&mut self, ctx: &C, fault: bool) {
        if fault {
            self.flags |= Flags::READ_FAULT;
            count(counter::READ_FAULTS);
            tell(ctx.as_ptr(), Trouble::ReadFault as u32, self.id as u32);
        }
    }

    /// Tells what the running task is.
    #[inline(always)]
    pub fn of_task(mut self) -> Self {
        let mut r = Reader::new();
        let task_flags: u32 = r.field(current_task(), &globals::OFF_TASK_FLAGS);
        if task_flags & PF_KTHREAD != 0 {
            self.flags |= Flags::KTHREAD;
        }
        if task_flags & PF_EXITING != 0 {
            self.flags |= Flags::EXITING;
        }
        self
    }

    #[inline(always)]
    fn take_stacks<C: StackIdContext>(&mut self, ctx: &C, which: u32) {
        let which = which & STACKS.load();
        if which & globals::stacks::KERNEL != 0 {
            self.kstack = id_or_errno(ctx.get_stackid(&KSTACKS, 0));
        }
        if which & globals::stacks::USER != 0 {
            self.ustack = id_or_errno(ctx.get_stackid(&USTACKS, u64::from(BPF_F_USER_STACK)));
        }
    }
}

#[inline(always)]
fn id_or_errno(result: Result<i64, i32>) -> i32 {
    match result {
        Ok(id) => id as i32,
        Err(errno) => errno,
    }
}

/// The address of the running task.
#[inline(always)]
pub fn current_task() -> u64 {
    // SAFETY: the helper takes nothing and only returns a number.
    unsafe { bpf_get_current_task() }
}

/// Puts a record onto the ring, or counts it as dropped.
#[inline(always)]
pub fn emit<P: Copy + 'static>(head: &Head, payload: &P) {
    let ids = bpf_get_current_pid_tgid();
    let Some(mut entry) = EVENTS.reserve::<Wire<P>>(0) else {
        count(counter::DROPS);
        return;
    };
    let header = Header {
        // SAFETY: the helper takes nothing and only returns a number.
        ts_ns: unsafe { bpf_ktime_get_ns() },
        drops: counted(counter::DROPS),
        ret: head.ret,
        tid: ids as u32,
        tgid: (ids >> 32) as u32,
        kstack: head.kstack,
        ustack: head.ustack,
        probe: head.id as u16,
        phase: head.phase as u8,
        flags: head.flags,
        // SAFETY: the helper takes nothing and only returns a number.
        cpu: unsafe { bpf_get_smp_processor_id() } as u32,
    };
    entry.write(Wire { header, payload: *payload });
    // What a process has mapped can be read as long as it lives, and it may have little to do: the reader comes at once.
    if head.id == ProbeId::FileOpen {
        entry.submit(u64::from(BPF_RB_FORCE_WAKEUP));
        return;
    }
    // Whether the reader should come is asked often enough by what has no bracket; it also comes by itself.
    if head.phase != Phase::Point {
        entry.submit(u64::from(BPF_RB_NO_WAKEUP));
        return;
    }
    let waiting = EVENTS.query(u64::from(BPF_RB_AVAIL_DATA)).wrapping_sub(WAKE_BYTES.load());
    entry.submit(u64::from(if waiting < WAKE_WINDOW { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP }));
}

/// What went wrong in the kernel, for the diagnostics.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    ArgsFull = 0,
    NoArgs = 1,
    ReadFault = 2,
}

/// Sends a diagnostic, if those are on: the verifier removes it all when they are not. A function of its own, so
/// that the formatting is in the object once.
#[inline(never)]
fn tell(ctx: *mut c_void, trouble: u32, probe: u32) {
    let ctx = ProbeContext::new(ctx);
    if trouble == Trouble::ArgsFull as u32 {
        debug!(&ctx, "no room to keep the arguments of probe {}", probe);
    } else if trouble == Trouble::NoArgs as u32 {
        debug!(&ctx, "a return of probe {} without its arguments", probe);
    } else {
        debug!(&ctx, "a field could not be read by probe {}", probe);
    }
}

/// An instant without a bracket.
#[inline(always)]
pub fn point<P: Seen + Copy + 'static>(
    ctx: &ProbeContext,
    id: ProbeId,
    stacks: u32,
    r: &Reader,
    payload: &P,
) {
    if !actor_wanted() || !device_wanted(payload) {
        return;
    }
    let mut head = Head::new(id, Phase::Point).of_task();
    head.fault(ctx, r.fault);
    head.take_stacks(ctx, stacks);
    emit(&head, payload);
}

/// How a probe keeps its arguments until the return.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// The function never calls itself: one place per thread.
    Never,
    /// It may, once: by way of another driver, or of a part that the compiler split off.
    Once,
}

/// What the return register means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    /// A value as wide as the register, or as narrow as an `int`.
    Value,
    /// A `bool`: only the lowest byte is defined.
    Bool,
    /// An address, or NULL when the call failed: told as 0 and `-ENOMEM`, as other kernels' function returns it.
    Address,
    /// Nothing: what the register happens to hold is not told.
    Nothing,
}

#[inline(always)]
fn args_key(id: ProbeId, depth: u64) -> ArgsKey {
    (bpf_get_current_pid_tgid() << 32) | ((id as u64) << 8) | depth
}

/// The entry of a call whose return is a record and whose entry is none.
#[inline(always)]
pub fn keep<P: Seen + Copy>(
    ctx: &ProbeContext,
    id: ProbeId,
    nesting: Nesting,
    r: &Reader,
    payload: &P,
    extra: u64,
) {
    if !actor_wanted() || !device_wanted(payload) {
        return;
    }
    save(ctx, id, nesting, r.fault, None, payload, extra);
}

/// The entry of a call whose entry and return are records.
#[inline(always)]
pub fn enter<P: Seen + Copy + 'static>(
    ctx: &ProbeContext,
    id: ProbeId,
    nesting: Nesting,
    stacks: u32,
    r: &Reader,
    payload: &P,
    extra: u64,
) {
    if !actor_wanted() || !device_wanted(payload) {
        return;
    }
    let mut head = Head::new(id, Phase::Entry).of_task();
    if !joined_by_reader(id) {
        save(ctx, id, nesting, r.fault, Some(head.flags), payload, extra);
    }
    head.fault(ctx, r.fault);
    // The outer call is there only if its probe is, and let this thread through.
    let inside = id.within().iter().flatten().any(|outer| ARGS.get_ptr(args_key(*outer, 0)).is_some());
    if !inside {
        head.take_stacks(ctx, stacks);
    }
    emit(&head, payload);
}

/// Is the return of this call completed by user space, from its entry? Not under a filter on devices, which only entries can be asked.
#[inline(always)]
fn joined_by_reader(id: ProbeId) -> bool {
    id.is_joined() && globals::FILTERS.load() & globals::filters::DEVICE == 0
}

/// Clears words `N` and `N + 1` where P does not cover them.
///
/// # Safety
/// `words` points to at least `N + 2` words.
#[inline(always)]
unsafe fn clear_from<P, const N: usize>(words: *mut u64) {
    // SAFETY: by this function's contract.
    unsafe {
        if size_of::<P>() <= N * 8 {
            words.add(N).write_volatile(0);
        }
        if size_of::<P>() <= (N + 1) * 8 {
            words.add(N + 1).write_volatile(0);
        }
    }
}

#[inline(always)]
fn save<P: Copy>(
    ctx: &ProbeContext,
    id: ProbeId,
    nesting: Nesting,
    fault: bool,
    task: Option<u8>,
    payload: &P,
    extra: u64,
) {
    const { assert!(size_of::<P>() <= size_of::<[u64; 10]>() && align_of::<P>() <= 8) };
    let mut place = MaybeUninit::<Saved>::uninit();
    let saved = place.as_mut_ptr();
    // SAFETY: `place` is ours, large enough and aligned for P (asserted above); every word of it is written: the
    // payload, what it does not cover, and the two words behind. Volatile, so that the compiler does not make a
    // call to a clearing loop of it.
    let saved = unsafe {
        let words = (&raw mut (*saved).payload).cast::<u64>();
        words.cast::<P>().write(*payload);
        clear_from::<P, 0>(words);
        clear_from::<P, 2>(words);
        clear_from::<P, 4>(words);
        clear_from::<P, 6>(words);
        clear_from::<P, 8>(words);
        (&raw mut (*saved).extra).write(extra);
        let task = task.map_or(0, |flags| Saved::TASK | u64::from(flags));
        (&raw mut (*saved).bits).write(task | if fault { Saved::FAULT } else { 0 });
        place.assume_init_ref()
    };
    let mut key = args_key(id, 0);
    if nesting == Nesting::Once && ARGS.get_ptr(key).is_some() {
        key = args_key(id, 1);
    }
    if ARGS.insert(key, saved, 0).is_err() {
        count(counter::ARGS_FULL + id as u32);
        tell(ctx.as_ptr(), Trouble::ArgsFull as u32, id as u32);
    }
}

/// The return of a call: takes the entry's payload back, lets `finish` add the results, and emits. What of a call that
/// [is joined](ProbeId::is_joined) `finish` does not set, it leaves zero: the reader has it from the entry.
/// `finish` gets the payload, the extra argument (0 when it is lost) and the return value.
#[inline(always)]
pub fn leave<P: Seen + Copy + Default + 'static>(
    ctx: &RetProbeContext,
    id: ProbeId,
    nesting: Nesting,
    returns: Returns,
    stacks: u32,
    finish: impl FnOnce(&mut Reader, &mut P, u64, u64),
) {
    if !actor_wanted() {
        return;
    }
    let mut head = Head::new(id, Phase::Return);
    let ret: u64 = match returns {
        Returns::Value => ctx.ret(),
        Returns::Bool => ctx.ret::<u64>() & 0xff,
        Returns::Address if ctx.ret::<u64>() == 0 => -ENOMEM as u64,
        Returns::Address => 0,
        Returns::Nothing => 0,
    };
    head.ret = ret as i64;
    if joined_by_reader(id) {
        head.flags |= Flags::NO_ARGS;
        let (mut r, mut payload) = (Reader::new(), P::default());
        finish(&mut r, &mut payload, 0, ret);
        head.fault(ctx, r.fault);
        emit(&head, &payload);
        return;
    }
    let mut key = args_key(id, u64::from(nesting == Nesting::Once));
    let mut saved = ARGS.get_ptr(key);
    if nesting == Nesting::Once && saved.is_none() {
        key = args_key(id, 0);
        saved = ARGS.get_ptr(key);
    }
    let mut payload = P::default();
    let (mut extra, mut bits) = (0, 0);
    let mut r = Reader::new();
    match saved {
        Some(saved) => {
            // SAFETY: the pointer is into the map's value; the key is this thread's own, so nobody else writes or
            // removes it meanwhile. `save` wrote a P at the start of the payload.
            unsafe {
                payload = (&raw const (*saved).payload).cast::<P>().read();
                extra = (*saved).extra;
                bits = (*saved).bits;
            }
            r.fault = bits & Saved::FAULT != 0;
            // It was there a moment ago and belongs to this thread.
            let _ = ARGS.remove(key);
        }
        None if globals::FILTERS.load() & globals::filters::DEVICE != 0 => {
            // The entry was filtered out, most likely.
            return;
        }
        None => {
            head.flags |= Flags::NO_ARGS;
            count(counter::NO_ARGS);
            tell(ctx.as_ptr(), Trouble::NoArgs as u32, id as u32);
        }
    }
    if bits & Saved::TASK != 0 {
        head.flags |= bits as u8;
    } else {
        head = head.of_task();
    }
    finish(&mut r, &mut payload, extra, ret);
    head.fault(ctx, r.fault);
    head.take_stacks(ctx, stacks);
    emit(&head, &payload);
}
