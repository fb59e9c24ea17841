//! `cargo xtask kernel-extract`: what a booted kernel says about itself, for the tests of the probes.
//!
//! The BTF that comes out is whole, and too much to commit: the probes' `minimise` keeps the types that are needed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use gemscope_vm::kernels::{self, Gone};
use gemscope_vm::qemu::Sinks;

use crate::matrix;
use crate::vm::{Boot, SetupArgs};

/// Modules whose symbols are kept.
const MODULES: &[&str] =
    &["[drm]", "[drm_kms_helper]", "[drm_shmem_helper]", "[vgem]", "[virtio_gpu]", "[bochs]", "[bochs_drm]"];
/// Beginnings of further symbols of the kernel's own that are kept.
const BUILT_IN: &[&str] = &["dma_buf", "__dma_buf", "dma_resv", "udmabuf", "dma_heap", "system_heap"];
/// The kernel's own symbols that are kept.
const PROCESSES: &[&str] = &["wake_up_new_task", "finalize_exec", "taskstats_exit", "exit_files"];

const COMMANDS: &str = "mkdir /out/btf; cp /sys/kernel/btf/* /out/btf/; uname -r >/out/version; \
                        cp /proc/kallsyms /out/kallsyms.all; cp /sys/kernel/tracing/available_filter_functions /out/; \
                        cp /proc/modules /out/loaded";

/// What is asked of the extraction.
#[derive(Debug, Args)]
pub struct ExtractArgs {
    /// The kernel, as for `vm`; without it, all lines.
    #[arg(long = "kernel", value_name = "LINE")]
    kernels: Vec<String>,
    /// Where to put it, in a folder for each line.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A further symbol of the kernel's own to keep.
    #[arg(long = "symbol", value_name = "NAME")]
    symbols: Vec<String>,
}

/// Boots each line and brings its BTF and symbols out.
///
/// # Errors
/// When a guest cannot be run.
pub fn run(args: &ExtractArgs) -> Result<u8> {
    let all = ["all".to_owned()];
    let names = kernels::expand(if args.kernels.is_empty() { &all } else { &args.kernels })?;
    for name in &names {
        let kernel = match kernels::get(name) {
            Ok(kernel) => kernel,
            Err(error) if error.is::<Gone>() => {
                eprintln!("xtask: {name}: SKIPPED: {error:#}");
                continue;
            }
            Err(error) => return Err(error),
        };
        let dir = args.out.join(&kernel.line);
        let setup = SetupArgs { devices: matrix::devices(&kernel)?, ..SetupArgs::plain() };
        let boot = Boot {
            kernel: &kernel,
            setup: &setup,
            programs: &[],
            files: Vec::new(),
            command: Some(COMMANDS.to_owned()),
            out: Some(dir.clone()),
        };
        let outcome = boot.run(Sinks { out: &mut std::io::stdout(), err: &mut std::io::stderr() })?;
        if outcome.is_none_or(|outcome| outcome.code != 0) {
            bail!("the guest of `{name}` could not copy everything to /out");
        }
        let kept = filter(&dir, &args.symbols)?;
        eprintln!("xtask: {name}: {kept} symbols and the BTF are in `{}`", dir.display());
    }
    Ok(0)
}

/// Writes the kept lines of the symbol table, without addresses; says how many.
fn filter(dir: &Path, further: &[String]) -> Result<usize> {
    let all = dir.join("kallsyms.all");
    let text = fs::read_to_string(&all).with_context(|| format!("cannot read `{}`", all.display()))?;
    let lines: Vec<String> = text.lines().filter_map(|line| kept(line, further)).collect();
    let file = dir.join("kallsyms");
    fs::write(&file, lines.join("\n") + "\n")
        .with_context(|| format!("cannot write `{}`", file.display()))?;
    Ok(lines.len())
}

/// A line of kallsyms as it is kept, if it is: functions and data of the modules, and what was asked for of the kernel's own.
fn kept(line: &str, further: &[String]) -> Option<String> {
    let mut words = line.split_whitespace();
    let (_, kind, name, module) = (words.next()?, words.next()?, words.next()?, words.next());
    let wanted = match module {
        Some(module) => MODULES.contains(&module),
        None => {
            BUILT_IN.iter().any(|begin| name.starts_with(begin))
                || PROCESSES.contains(&name)
                || further.iter().any(|symbol| symbol == name)
        }
    };
    let generated = name.starts_with("__") && (name.contains("ksymtab") || name.contains("kstrtab"));
    let tail = module.map(|module| format!("\t{module}")).unwrap_or_default();
    (wanted && !generated && !name.starts_with(".L")).then(|| format!("0000000000000000 {kind} {name}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_the_probes_look_for_without_addresses() {
        let line = |text: &str| kept(text, &["fput".to_owned()]);
        let want = Some("0000000000000000 t drm_gem_handle_delete\t[drm]".to_owned());
        assert_eq!(line("ffffffffc0 t drm_gem_handle_delete\t[drm]"), want);
        assert_eq!(line("ffffffff81 T dma_buf_export"), Some("0000000000000000 T dma_buf_export".to_owned()));
        assert_eq!(line("ffffffff81 T fput"), Some("0000000000000000 T fput".to_owned()));
        assert_eq!(line("ffffffff81 T fputs"), None);
        assert_eq!(line("ffffffffc0 t dma_buf_x\t[other]"), None);
        assert_eq!(line("ffffffffc0 r __ksymtab_drm_x\t[drm]"), None);
        assert_eq!(line("garbage"), None);
    }
}
