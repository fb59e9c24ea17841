//! How a guest's cpus run: which accelerators the QEMU of this machine has, and which of them can be trusted.

use std::fs::File;

use anyhow::{Context, Result};

use crate::qemu::PROGRAM;
use crate::tool;

/// What chooses the accelerator by hand, in QEMU's words.
pub const CHOSEN: &str = "GEMSCOPE_VM_ACCEL";

/// The accelerator that runs a guest's cpus on this machine's own.
pub const KVM: &str = "kvm";

/// The accelerator that emulates one cpu after the other.
pub(crate) const ONE_AT_A_TIME: &str = "tcg,thread=single";

/// The first QEMU whose translation can be trusted when several cpus run at a time, and one of them rewrites the code that
/// another one runs, which is how probes come and go.
///
/// Older ones look at the code first and lock its page later: a write in between leaves the old translation in use for as long
/// as nothing else is written to the page. Seen as calls that no probe sees, and as a kernel that jumps to 0 from a breakpoint
/// which is no longer there.
pub const GOOD: (u32, u32) = (8, 1);

/// The accelerator that emulates, for a version: cpus at a time where that is right, else one cpu after the other.
pub(crate) fn emulator(version: (u32, u32)) -> &'static str {
    if version >= GOOD { "tcg,thread=multi" } else { ONE_AT_A_TIME }
}

/// The version of the QEMU on this machine.
///
/// # Errors
/// When it is not installed or does not tell its version.
pub fn version() -> Result<(u32, u32)> {
    let said = tool::output(tool::command(PROGRAM)?.arg("--version"))?;
    let said = String::from_utf8_lossy(&said.stdout);
    parse_version(&said).with_context(|| format!("`{PROGRAM}` tells no version: {said}"))
}

/// May this user run guests on this machine's own cpus?
pub fn kvm_is_usable() -> bool {
    File::options().read(true).write(true).open("/dev/kvm").is_ok()
}

/// `QEMU emulator version 7.2.22 (Debian ...)`: 7 and 2.
fn parse_version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.split_once("version ")?.1.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_run_one_cpu_after_the_other() {
        let accelerator = |said: &str| parse_version(said).map(emulator);
        let single = Some("tcg,thread=single");
        let multi = Some("tcg,thread=multi");
        assert_eq!(accelerator("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\n"), single);
        assert_eq!(accelerator("QEMU emulator version 8.0.5"), single);
        assert_eq!(accelerator("QEMU emulator version 8.1.0"), multi);
        assert_eq!(accelerator("QEMU emulator version 10.0.2 (Debian)\nCopyright"), multi);
        assert_eq!(accelerator("QEMU"), None);
    }
}
