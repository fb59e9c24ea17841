//! Calls as a tracer would print them.

use super::{Arg, Kind, Op, Scenario, Verb};
use crate::code::Point;

/// `x = PRIME_HANDLE_TO_FD(a, h)`
pub(super) fn text(s: &Scenario, op: &Op) -> String {
    let mut text = String::new();
    if let Some(var) = op.result.and_then(|v| s.vars.get(usize::from(v))) {
        text = format!("{} = ", var.name);
    }
    let args: Vec<String> = op.args.iter().map(|arg| word(s, *arg)).collect();
    text += &format!("{}({})", name(op.verb), args.join(", "));
    let mut marks: Vec<String> = op.words.iter().map(|w| (*w).to_owned()).collect();
    for (point, always) in &op.faults {
        let known = Point::ALL.iter().find(|(p, _)| p == point).map_or("", |(_, word)| word);
        marks.push(format!("{known} {}", if *always { "fails" } else { "may fail" }));
    }
    if !marks.is_empty() {
        text += &format!(" /* {} */", marks.join(", "));
    }
    text
}

/// What the operation's result is, before its number.
pub(super) fn value(op: &Op) -> &'static str {
    match op.verb.row().gives {
        Some(Kind::Handle) => "handle",
        Some(Kind::Fd) => "fd",
        Some(Kind::Name) => "name",
        Some(Kind::Attachment) => "attachment",
        Some(Kind::Table) => "sg table",
        Some(Kind::Framebuffer) => "framebuffer",
        Some(Kind::Mapping) => "mapping",
        Some(Kind::File | Kind::Process | Kind::Number) | None => "",
    }
}

/// A process opens a file.
pub(super) fn open(s: &Scenario, file: u8, device: u8) -> String {
    let device = s.devices.get(usize::from(device)).map_or("?", String::as_str);
    format!("{} = open({device})", word(s, Arg::File(file)))
}

/// A process ends.
pub(super) fn exit(s: &Scenario, process: u8) -> String {
    format!("exit of {}", word(s, Arg::Process(process)))
}

fn word(s: &Scenario, arg: Arg) -> String {
    let named = match arg {
        Arg::File(f) => s.files.get(usize::from(f)).map(|f| &f.name),
        Arg::Process(p) => s.processes.get(usize::from(p)),
        Arg::Var(v) => s.vars.get(usize::from(v)).map(|v| &v.name),
        Arg::Number(n) => return n.to_string(),
    };
    named.map_or_else(|| "?".to_owned(), Clone::clone)
}

/// The ioctl or system call; of what drivers do, the function of the core.
const fn name(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "MODE_CREATE_DUMB",
        Verb::Close => "GEM_CLOSE",
        Verb::DestroyDumb => "MODE_DESTROY_DUMB",
        Verb::Flink => "GEM_FLINK",
        Verb::OpenName => "GEM_OPEN",
        Verb::ChangeHandle => "GEM_CHANGE_HANDLE",
        Verb::Export => "PRIME_HANDLE_TO_FD",
        Verb::Import => "PRIME_FD_TO_HANDLE",
        Verb::MakeDmabuf => "make_dmabuf",
        Verb::Dup => "dup",
        Verb::Send => "SCM_RIGHTS",
        Verb::Path => "open_O_PATH",
        Verb::CloseFd | Verb::CloseFile => "close",
        Verb::SetName => "DMA_BUF_SET_NAME",
        Verb::Attach => "dma_buf_attach",
        Verb::Detach | Verb::DetachFrom => "dma_buf_detach",
        Verb::ForgetAttach => "forget_attach",
        Verb::Map => "dma_buf_map_attachment",
        Verb::Unmap => "dma_buf_unmap_attachment",
        Verb::Pin => "dma_buf_pin",
        Verb::Unpin => "dma_buf_unpin",
        Verb::Vmap => "dma_buf_vmap",
        Verb::Vunmap => "dma_buf_vunmap",
        Verb::BadExport => "bad_dma_buf_export",
        Verb::AddFb => "MODE_ADDFB2",
        Verb::RmFb => "MODE_RMFB",
        Verb::CloseFb => "MODE_CLOSEFB",
        Verb::GetFb2 => "MODE_GETFB2",
        Verb::Mmap | Verb::MmapFd => "mmap",
        Verb::Munmap => "munmap",
        Verb::Access => "driver_pread_pwrite",
    }
}
