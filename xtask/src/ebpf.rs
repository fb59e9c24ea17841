//! `cargo xtask ebpf`: the committed eBPF object, rebuilt or checked against its sources.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use gemscope_vm::tool;
use object::build::elf::{Builder, SectionData};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind};
use sha2::{Digest, Sha256};

use crate::toolchain::{self, Toolchain};
use crate::workspace;

const TARGET: &str = "bpfel-unknown-none";
const OBJECT: &str = "ebpf/gemscope.bpf.o";
const ORIGIN: &str = "ebpf/gemscope.bpf.json";

/// What is asked of the eBPF build.
#[derive(Debug, Args)]
pub struct EbpfArgs {
    /// Change nothing: fail when the committed object is not the one of its sources.
    #[arg(long)]
    check: bool,
}

/// Where an object comes from: kept beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    sources: String,
    compiler: String,
    linker: String,
}

impl Origin {
    fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file)
            .with_context(|| format!("cannot read `{}`: run `cargo xtask ebpf`", file.display()))?;
        let value: serde_json::Value =
            serde_json::from_str(&text).with_context(|| format!("`{}` is not JSON", file.display()))?;
        let field = |name: &str| {
            let text = value.get(name).and_then(serde_json::Value::as_str);
            text.map(str::to_owned).with_context(|| format!("`{}` has no `{name}`", file.display()))
        };
        Ok(Self { sources: field("sources_sha256")?, compiler: field("compiler")?, linker: field("linker")? })
    }

    fn text(&self) -> String {
        let Self { sources, compiler, linker } = self;
        let value = serde_json::json!({ "sources_sha256": sources, "compiler": compiler, "linker": linker });
        format!("{value:#}\n")
    }
}

/// Rebuilds the object, or checks it.
///
/// # Errors
/// When it cannot be built; with `--check`, when it is not the one of its sources.
pub fn run(args: &EbpfArgs) -> Result<u8> {
    if args.check {
        check()?
    } else {
        rebuild()?
    }
    Ok(0)
}

fn rebuild() -> Result<()> {
    let root = workspace::root();
    let (object, compiler, linker) = build()?;
    // After the build, which may have brought the lock file up to date.
    let origin = Origin { sources: sources_hash(&root)?, compiler, linker };
    fs::write(root.join(OBJECT), &object).with_context(|| format!("cannot write `{OBJECT}`"))?;
    fs::write(root.join(ORIGIN), origin.text()).with_context(|| format!("cannot write `{ORIGIN}`"))?;
    eprintln!("xtask: wrote `{OBJECT}` ({} bytes) and `{ORIGIN}`", object.len());
    Ok(())
}

/// Checks the committed object: by the hash of its sources always, by a rebuild as far as the tools are the same.
///
/// # Errors
/// When it is not the one of its sources, or cannot be rebuilt.
pub fn check() -> Result<()> {
    let root = workspace::root();
    let origin = Origin::read(&root.join(ORIGIN))?;
    let sources = sources_hash(&root)?;
    if sources != origin.sources {
        bail!(
            "the eBPF sources have changed since `{OBJECT}` was built: run `cargo xtask ebpf` and commit what it writes"
        );
    }
    let committed = fs::read(root.join(OBJECT)).with_context(|| format!("cannot read `{OBJECT}`"))?;
    let (fresh, compiler, linker) = build()?;
    if sources_hash(&root)? != sources {
        bail!("`ebpf/Cargo.lock` is not up to date: run `cargo xtask ebpf` and commit what it writes");
    }
    if compiler == origin.compiler && linker == origin.linker {
        if fresh != committed {
            bail!(
                "`{OBJECT}` is not what its sources give with the same compiler and linker: run `cargo xtask ebpf`"
            );
        }
        eprintln!("xtask: `{OBJECT}` is, byte for byte, what its sources give");
        return Ok(());
    }
    let (want, have) = (outline(&fresh)?, outline(&committed)?);
    if want != have {
        let missing: Vec<_> = want.difference(&have).cloned().collect();
        let extra: Vec<_> = have.difference(&want).cloned().collect();
        bail!(
            "`{OBJECT}` differs from what its sources give: it lacks [{}] and has [{}] too many; run `cargo xtask ebpf`",
            missing.join(", "),
            extra.join(", ")
        );
    }
    eprintln!(
        "xtask: `{OBJECT}` has the programs, maps and globals of its sources ({}); its bytes were not compared, since it was \
         built with `{}` and `{}`, and here are `{compiler}` and `{linker}`",
        have.len(),
        origin.compiler,
        origin.linker
    );
    Ok(())
}

/// Builds the object from its sources; also says with what.
fn build() -> Result<(Vec<u8>, String, String)> {
    let toolchain = Toolchain::find()?;
    let (linker, linker_version) = toolchain::linker_with_version()?;
    let root = workspace::root();
    let dir = workspace::target().join("ebpf");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root.join("ebpf")).args(["build", "--release", "--quiet", "-Z", "build-std=core"]);
    command
        .args(["--target", TARGET, "--package", "gemscope-ebpf", "--bin", "gemscope", "--target-dir"])
        .arg(&dir);
    let flags = flags(&root, &toolchain).join("\u{1f}");
    command.env("RUSTC", &toolchain.rustc).env("RUSTC_BOOTSTRAP", "1").env("CARGO_ENCODED_RUSTFLAGS", flags);
    command.env("PATH", with_folder_of(&linker));
    for name in ["RUSTFLAGS", "RUSTUP_TOOLCHAIN", "RUSTC_WORKSPACE_WRAPPER", "CARGO_TARGET_DIR"] {
        command.env_remove(name);
    }
    command.env("RUSTC_WRAPPER", env::current_exe().context("cannot tell where this program is")?);
    command.env(toolchain::WRAPPER, "1");
    tool::shown(&mut command).context("the eBPF programs do not build")?;
    let file = dir.join(TARGET).join("release/gemscope");
    let raw = fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let object = without_debug(&raw).with_context(|| format!("cannot take apart `{}`", file.display()))?;
    for leak in [root.as_path(), &toolchain.sources, &real(&toolchain.sources)] {
        if let Some(path) = leak.to_str().filter(|path| holds(&object, path.as_bytes())) {
            bail!("the object holds a path of this machine, `{path}`: it would differ elsewhere");
        }
    }
    Ok((object, toolchain.compiler, linker_version))
}

/// The compiler's flags; the paths of this machine are replaced, so that the same sources give the same object anywhere.
fn flags(root: &Path, toolchain: &Toolchain) -> Vec<String> {
    let mut flags = vec!["-Cdebuginfo=2".to_owned(), "-Clink-arg=--btf".to_owned()];
    let mut remap =
        |from: &Path, to: &str| flags.push(format!("--remap-path-prefix={}={to}", from.display()));
    remap(root, "/gemscope");
    remap(&toolchain.sources, "/rust");
    remap(&real(&toolchain.sources), "/rust");
    if let Some(home) = toolchain::cargo_home() {
        let registry = home.join("registry/src");
        remap(&home, "/cargo");
        // One folder for each registry, with a hash of its address in the name. A later flag wins over an earlier one.
        for entry in fs::read_dir(registry).into_iter().flatten().flatten() {
            remap(&entry.path(), "/crates");
        }
    }
    flags
}

/// The path without symbolic links: the compiler uses both.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

fn with_folder_of(program: &Path) -> std::ffi::OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = program.parent().map(Path::to_path_buf).into_iter().chain(env::split_paths(&path));
    env::join_paths(folders).unwrap_or(path)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The object without DWARF, which only served to make BTF from.
fn without_debug(raw: &[u8]) -> Result<Vec<u8>> {
    let mut builder = Builder::read(raw)?;
    for section in &mut builder.sections {
        let name = section.name.to_vec();
        section.delete = name.starts_with(b".debug_") || name.starts_with(b".rel.debug_");
    }
    // The linker keeps the names of sections and symbols in one table; the writer wants two.
    for section in &mut builder.sections {
        if matches!(section.data, SectionData::SectionString) {
            section.data = SectionData::String;
        }
    }
    let names = builder.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = object::elf::SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = SectionData::SectionString;
    builder.delete_orphans();
    builder.set_section_sizes();
    let mut bytes = Vec::new();
    builder.write(&mut bytes)?;
    Ok(bytes)
}

/// What a loader sees of an object: its programs, maps and globals, by section and name (and size, where it is part of the contract).
fn outline(bytes: &[u8]) -> Result<BTreeSet<String>> {
    let file = object::File::parse(bytes).context("the object is not an ELF file")?;
    let mut parts = BTreeSet::new();
    for symbol in file.symbols().filter(object::ObjectSymbol::is_global) {
        let Some(section) = symbol.section_index().and_then(|index| file.section_by_index(index).ok()) else {
            continue;
        };
        let (place, name) = (section.name()?, symbol.name()?);
        match section.kind() {
            // Helpers of the compiler's own, such as memcpy, lie in .text.
            SectionKind::Text if place == ".text" => {}
            SectionKind::Text => {
                parts.insert(format!("program {place}/{name}"));
            }
            _ => {
                parts.insert(format!("{place}/{name} of {} bytes", symbol.size()));
            }
        }
    }
    Ok(parts)
}

/// The SHA256 of everything that the object is made from.
fn sources_hash(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(&root.join("ebpf"), &mut files)?;
    files.retain(|file| {
        file.extension().is_some_and(|end| end == "rs") || file.parent() == Some(&root.join("ebpf"))
    });
    files.retain(|file| {
        let name = file.file_name().unwrap_or_default();
        file.extension().is_some_and(|end| end == "rs") || name == "Cargo.toml" || name == "Cargo.lock"
    });
    collect(&root.join("common"), &mut files)?;
    let mut names: Vec<(String, PathBuf)> = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
        names.push((name, file));
    }
    names.sort();
    let mut hash = Sha256::new();
    for (name, file) in names {
        let content = fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
        hash.update(format!("{name}\0{}\0", content.len()));
        hash.update(content);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// All files below a folder, but what cargo builds.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot list `{}`", dir.display()))?;
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if entry.file_name() != "target" {
                collect(&entry.path(), files)?;
            }
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_sees_names_and_contents_but_not_what_is_built() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path();
        let put = |name: &str, text: &str| {
            let file = root.join(name);
            fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
            fs::write(file, text).expect("a file");
        };
        put("ebpf/Cargo.toml", "a");
        put("ebpf/src/main.rs", "b");
        put("common/src/lib.rs", "c");
        let first = sources_hash(root).expect("a hash");
        put("ebpf/gemscope.bpf.json", "{}");
        put("ebpf/target/x.rs", "d");
        assert_eq!(sources_hash(root).expect("a hash"), first);
        put("ebpf/src/main.rs", "bb");
        assert_ne!(sources_hash(root).expect("a hash"), first);
    }

    #[test]
    fn the_origin_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("o.json");
        let origin = Origin { sources: "ab".into(), compiler: "rustc \"1\"".into(), linker: "l 1".into() };
        fs::write(&file, origin.text()).expect("written");
        assert_eq!(Origin::read(&file).expect("read"), origin);
    }
}
