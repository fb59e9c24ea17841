//! Processes: cheap, because these probes see every task of the machine.
//!
//! Kprobes and not the scheduler's raw tracepoints: from 7.0 on a program on a raw tracepoint may be preempted, and until it
//! goes on, the kernel skips it for every other task of that cpu.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::macros::kprobe;
use aya_ebpf::programs::ProbeContext;
use gemscope_common::{Phase, ProbeId, Process};

use super::arg;
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

/// `void wake_up_new_task(struct task_struct *)`: the child has yet to run. Threads are not told.
#[kprobe]
pub fn fork_e(ctx: ProbeContext) -> u32 {
    let child = arg(&ctx, 0);
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
    emit(&Head::new(ProbeId::Fork, Phase::Point).of_task(), &payload);
    0
}

/// `void finalize_exec(struct linux_binprm *)`: the new program is mapped and has yet to run.
#[kprobe]
pub fn exec_e(_ctx: ProbeContext) -> u32 {
    if !tgid_wanted(current_tgid()) {
        return 0;
    }
    let mut r = Reader::new();
    let payload = Process {
        comm: <[u8; 16]>::from_words(current_comm()),
        parent_tgid: parent_tgid(&mut r, current_task()),
        ..Process::default()
    };
    emit(&Head::new(ProbeId::Exec, Phase::Point).of_task(), &payload);
    0
}

/// `void taskstats_exit(struct task_struct *, int group_dead)` or `void exit_files(struct task_struct *)`: `do_exit` has yet
/// to close what is open. Told once per process, at its last thread: `do_exit` has lowered `signal->live` before, so
/// threads that end at the same time may both find it at zero.
#[kprobe]
pub fn exit_e(ctx: ProbeContext) -> u32 {
    let task = arg(&ctx, 0);
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
    emit(&Head::new(ProbeId::Exit, Phase::Point).of_task(), &payload);
    0
}
