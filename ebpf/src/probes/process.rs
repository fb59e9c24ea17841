//! Processes: cheap, because these tracepoints see every task of the machine.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use gemscope_common::{Phase, ProbeId, Process};

use crate::filter::tgid_wanted;
use crate::flow::{Head, current_task, emit};
use crate::globals::*;
use crate::maps::{EXITED, TGIDS};
use crate::read::{Reader, Text, current_comm};

#[inline(always)]
fn current_tgid() -> u32 {
    (bpf_get_current_pid_tgid() >> 32) as u32
}

#[inline(always)]
fn parent_tgid(r: &mut Reader, task: u64) -> u32 {
    let parent = r.pointer(task, &OFF_TASK_REAL_PARENT);
    r.field(parent, &OFF_TASK_TGID)
}

/// `sched_process_fork(struct task_struct *parent, struct task_struct *child)`. Threads are not told.
#[raw_tracepoint]
pub fn fork_t(ctx: RawTracePointContext) -> i32 {
    let child: u64 = ctx.arg(1);
    let mut r = Reader::new();
    let child_tid: u32 = r.field(child, &OFF_TASK_PID);
    let child_tgid: u32 = r.field(child, &OFF_TASK_TGID);
    if child_tid != child_tgid {
        return 0;
    }
    // The number may have been another process's.
    let _ = EXITED.remove(child_tgid);
    let parent = current_tgid();
    if !tgid_wanted(parent) {
        return 0;
    }
    if FILTERS.load() & filters::TREE != 0 {
        // A full set loses a branch of the tree: user space made it as large as there can be processes.
        let _ = TGIDS.insert(child_tgid, 1, 0);
    }
    let payload = Process {
        child_tid,
        child_tgid,
        comm: r.text(child, &OFF_TASK_COMM),
        parent_tgid: parent,
        ..Process::default()
    };
    emit(&Head::new(ProbeId::Fork, Phase::Point), &payload);
    0
}

/// `sched_process_exec(struct task_struct *, pid_t old_pid, struct linux_binprm *)`
#[raw_tracepoint]
pub fn exec_t(_ctx: RawTracePointContext) -> i32 {
    if !tgid_wanted(current_tgid()) {
        return 0;
    }
    let mut r = Reader::new();
    let payload = Process {
        comm: <[u8; 16]>::from_words(current_comm()),
        parent_tgid: parent_tgid(&mut r, current_task()),
        ..Process::default()
    };
    emit(&Head::new(ProbeId::Exec, Phase::Point), &payload);
    0
}

/// `sched_process_exit(struct task_struct *)`. Told once per process, at its last thread: `signal->live` has been
/// lowered before the tracepoint, so threads that end at the same time may both find it at zero.
#[raw_tracepoint]
pub fn exit_t(ctx: RawTracePointContext) -> i32 {
    let task: u64 = ctx.arg(0);
    let mut r = Reader::new();
    let signal = r.pointer(task, &OFF_TASK_SIGNAL);
    let live: u32 = r.field(signal, &OFF_SIGNAL_LIVE);
    if live != 0 {
        return 0;
    }
    let tgid = current_tgid();
    if EXITED.insert(tgid, 1, u64::from(BPF_NOEXIST)).is_err() {
        return 0;
    }
    let wanted = tgid_wanted(tgid);
    if FILTERS.load() & filters::TREE != 0 {
        let _ = TGIDS.remove(tgid);
    }
    if !wanted {
        return 0;
    }
    // What exit_group(2) or a fatal signal gave to every thread, else this thread's own.
    let group: u32 = r.field(signal, &OFF_SIGNAL_GROUP_EXIT_CODE);
    let own: u32 = r.field(task, &OFF_TASK_EXIT_CODE);
    let payload = Process {
        exit_code: if group != 0 { group } else { own },
        last_thread: 1,
        comm: <[u8; 16]>::from_words(current_comm()),
        parent_tgid: parent_tgid(&mut r, task),
        ..Process::default()
    };
    emit(&Head::new(ProbeId::Exit, Phase::Point), &payload);
    0
}
