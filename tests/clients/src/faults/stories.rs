//! What this program does around each fault. It is itself correct: every handle, fd and framebuffer is closed.

use super::device::Gemfault;
use super::{Fault, Part};
use crate::outcome::{Outcome, refused};
use crate::uapi::GemfaultRun;

/// The module does it all.
#[inline(never)]
pub fn ask_module(file: Gemfault, part: Part) -> Outcome {
    file.run(part, GemfaultRun::default())?;
    Ok(())
}

/// A buffer that the module does something to.
#[inline(never)]
pub fn arm_a_buffer(file: Gemfault, part: Part) -> Outcome {
    let buffer = file.drm.create_dumb()?;
    file.run(part, GemfaultRun { handle: buffer.0, ..Default::default() })?;
    Ok(file.drm.gem_close(buffer)?)
}

/// The same with a global name.
#[inline(never)]
pub fn arm_a_named_buffer(file: Gemfault, part: Part) -> Outcome {
    let buffer = file.drm.create_dumb()?;
    file.drm.flink(buffer)?;
    file.run(part, GemfaultRun { handle: buffer.0, ..Default::default() })?;
    Ok(file.drm.gem_close(buffer)?)
}

/// A buffer that was shared, and is no more but for what the kernel keeps.
#[inline(never)]
pub fn arm_a_shared_buffer(file: Gemfault, part: Part) -> Outcome {
    let buffer = file.drm.create_dumb()?;
    file.drm.export(buffer, libc::O_CLOEXEC)?.close()?;
    file.run(part, GemfaultRun { handle: buffer.0, ..Default::default() })?;
    Ok(file.drm.gem_close(buffer)?)
}

/// A buffer that is shared after the module did something to it.
#[inline(never)]
pub fn arm_an_export(file: Gemfault, part: Part) -> Outcome {
    let buffer = file.drm.create_dumb()?;
    file.run(part, GemfaultRun { handle: buffer.0, ..Default::default() })?;
    file.drm.export(buffer, libc::O_CLOEXEC)?.close()?;
    Ok(file.drm.gem_close(buffer)?)
}

/// A prime fd that the module takes a reference by.
#[inline(never)]
pub fn give_prime_fd(file: Gemfault, part: Part) -> Outcome {
    let buffer = file.drm.create_dumb()?;
    let prime = file.drm.export(buffer, libc::O_CLOEXEC)?;
    file.run(part, GemfaultRun { fd: prime.0, ..Default::default() })?;
    prime.close()?;
    Ok(file.drm.gem_close(buffer)?)
}

/// Two shared buffers; the one that is closed first does it to the other.
#[inline(never)]
pub fn give_two_shared_buffers(file: Gemfault, part: Part) -> Outcome {
    let victim = file.drm.create_dumb()?;
    let culprit = file.drm.create_dumb()?;
    for buffer in [victim, culprit] {
        file.drm.export(buffer, libc::O_CLOEXEC)?.close()?;
    }
    file.run(part, GemfaultRun { handle: culprit.0, other_handle: victim.0, ..Default::default() })?;
    file.drm.gem_close(culprit)?;
    Ok(file.drm.gem_close(victim)?)
}

/// A framebuffer that the module takes a reference of.
#[inline(never)]
pub fn put_framebuffer(file: Gemfault, part: Part) -> Outcome {
    let buffer = file.drm.create_dumb()?;
    let framebuffer = file.drm.add_fb(buffer)?;
    file.run(part, GemfaultRun { framebuffer, ..Default::default() })?;
    file.drm.remove_fb(framebuffer)?;
    Ok(file.drm.gem_close(buffer)?)
}

/// An import of a buffer that is no object of the device's own.
#[inline(never)]
pub fn arm_an_import(file: Gemfault, part: Part) -> Outcome {
    let prime = file.export()?;
    let import = file.drm.import(prime)?;
    file.run(part, GemfaultRun { handle: import.0, ..Default::default() })?;
    prime.close()?;
    Ok(file.drm.gem_close(import)?)
}

/// CPU access to such an import by one of the driver's ioctls, which must refuse it.
#[inline(never)]
pub fn access_an_import(file: Gemfault, fault: &Fault, request: u32, right: bool) -> Outcome {
    let prime = file.export()?;
    let import = file.drm.import(prime)?;
    let answer = file.access(fault.name, request, import, right);
    if right {
        refused(answer, fault.name, libc::EINVAL)?;
    } else {
        answer?;
    }
    prime.close()?;
    Ok(file.drm.gem_close(import)?)
}
