//! What a program needs to run elsewhere: itself, the interpreter of a script, the dynamic loader, and every shared library.
//!
//! Found as the dynamic loader would find them, by what is written in the files: nothing is run for it. What a program loads by
//! itself later (plugins, the modules of Python) is not known to anybody before.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind};

use crate::tool;

/// Where the dynamic loader looks last.
const USUAL: &[&str] =
    &["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
const CONFIGURATION: &str = "/etc/ld.so.conf";
/// No script's first line is longer.
const FIRST_LINE: u64 = 512;
/// Scripts that interpret scripts that interpret scripts.
const DEEPEST: u32 = 8;

/// The program that a word names, as a shell in this folder would find it.
///
/// # Errors
/// When there is none.
pub fn program(word: &OsStr, folder: &Path) -> Result<PathBuf> {
    let shown = word.to_string_lossy();
    let found = if word.as_bytes().contains(&b'/') {
        Some(folder.join(word)).filter(|path| tool::is_program(path))
    } else {
        tool::on_path(&shown)
    };
    found.with_context(|| format!("cannot run `{shown}`: no such program"))
}

/// All files that a program needs, by the paths by which it will ask for them.
///
/// # Errors
/// When one cannot be read, or a library is not found.
pub fn closure(program: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    add(program, &mut found, DEEPEST)?;
    Ok(found)
}

fn add(program: &Path, found: &mut BTreeSet<PathBuf>, deep: u32) -> Result<()> {
    if deep == 0 {
        bail!("`{}` is a script of a script of a script, and so on", program.display());
    }
    if !found.insert(program.to_path_buf()) {
        return Ok(());
    }
    if let Some(words) = interpreter(program)? {
        // `#!/usr/bin/env python3`: what counts is the second word.
        let mut words = words.iter();
        if let Some(first) = words.next() {
            add(Path::new(first), found, deep - 1)?;
            let is_env = Path::new(first).file_name().is_some_and(|name| name == "env");
            let second = words.find(|word| !word.as_bytes().starts_with(b"-"));
            if let Some(second) = second.filter(|_| is_env) {
                add(&self::program(second, Path::new("/"))?, found, deep - 1)?;
            }
        }
        return Ok(());
    }
    let mut open = vec![(program.to_path_buf(), Vec::new())];
    while let Some((file, from_above)) = open.pop() {
        let needs = Needs::of(&file)?;
        if let Some(loader) = &needs.loader {
            found.insert(loader.clone());
        }
        // Without a path of its own, a library is looked for where those that need it look.
        let mut path = needs.path.clone();
        path.extend(from_above);
        for name in &needs.libraries {
            let library = find(name, &path).with_context(|| {
                format!(
                    "`{}` needs the library `{}`, which is not found: set `LD_LIBRARY_PATH`",
                    file.display(),
                    name.to_string_lossy()
                )
            })?;
            if found.insert(library.clone()) {
                open.push((library, path.clone()));
            }
        }
    }
    Ok(())
}

/// The words after `#!`, if the file is a script.
fn interpreter(file: &Path) -> Result<Option<Vec<OsString>>> {
    let mut line = Vec::new();
    let open = File::open(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    open.take(FIRST_LINE).read_to_end(&mut line)?;
    let Some(line) = line.strip_prefix(b"#!") else { return Ok(None) };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let words = line.split(|byte| b" \t\r".contains(byte)).filter(|word| !word.is_empty());
    Ok(Some(words.map(|word| OsStr::from_bytes(word).to_owned()).collect()))
}

/// What is written in an ELF file about others.
#[derive(Debug, Default)]
struct Needs {
    loader: Option<PathBuf>,
    libraries: Vec<OsString>,
    path: Vec<PathBuf>,
}

impl Needs {
    fn of(file: &Path) -> Result<Self> {
        let shown = file.display();
        let data = fs::read(file).with_context(|| format!("cannot read `{shown}`"))?;
        if FileKind::parse(&*data).ok() != Some(FileKind::Elf64) {
            bail!("`{shown}` is no program for 64 bits");
        }
        Self::parse(&data, file).with_context(|| format!("`{shown}` is damaged"))
    }

    fn parse(data: &[u8], file: &Path) -> object::read::Result<Self> {
        let header = FileHeader64::<Endianness>::parse(data)?;
        let endian = header.endian()?;
        let mut needs = Self::default();
        for segment in header.program_headers(endian, data)? {
            if let Some(loader) = segment.interpreter(endian, data)? {
                needs.loader = Some(PathBuf::from(OsStr::from_bytes(loader)));
            }
        }
        let table = header.sections(endian, data)?.dynamic_table(endian, data)?;
        for entry in &table {
            if entry.tag == elf::DT_NEEDED {
                needs.libraries.push(OsStr::from_bytes(table.string(entry)?).to_owned());
            } else if [elf::DT_RPATH, elf::DT_RUNPATH].contains(&entry.tag) {
                needs.path.extend(search_path(table.string(entry)?, file));
            }
        }
        Ok(needs)
    }
}

/// The folders of a search path; `$ORIGIN` is that of the file itself.
fn search_path(text: &[u8], file: &Path) -> Vec<PathBuf> {
    let origin = file.canonicalize().unwrap_or_else(|_| file.to_path_buf());
    let origin = origin.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
    let text = String::from_utf8_lossy(text);
    let text = text.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin);
    text.split(':').filter(|dir| !dir.is_empty()).map(PathBuf::from).collect()
}

/// A library, where the dynamic loader would look for it.
fn find(name: &OsStr, path: &[PathBuf]) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(name)).filter(|file| file.is_file());
    }
    let by_environment = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let places = path
        .iter()
        .cloned()
        .chain(std::env::split_paths(&by_environment).filter(|dir| !dir.as_os_str().is_empty()))
        .chain(configured(Path::new(CONFIGURATION), DEEPEST))
        .chain(USUAL.iter().map(PathBuf::from));
    places.map(|dir| dir.join(name)).find(|file| is_library(file))
}

/// Is it a shared library of this machine's kind? Those for 32 bits have the same names.
fn is_library(file: &Path) -> bool {
    const CLASS: usize = 4;
    const MACHINE: usize = 18;
    let mut head = [0; 20];
    let read = File::open(file).and_then(|mut open| open.read_exact(&mut head));
    let machine = [head[MACHINE], head[MACHINE + 1]];
    read.is_ok()
        && head.starts_with(&elf::ELFMAG)
        && head[CLASS] == elf::ELFCLASS64
        && u16::from_le_bytes(machine) == elf::EM_X86_64
}

/// The folders of the loader's configuration, with the files that it includes.
fn configured(file: &Path, deep: u32) -> Vec<PathBuf> {
    let Ok(text) = fs::read_to_string(file) else { return Vec::new() };
    let mut folders = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(pattern) = line.strip_prefix("include ") {
            // What is included is `/etc/ld.so.conf.d/*.conf` everywhere.
            let folder = Path::new(pattern.trim()).parent().unwrap_or(Path::new("/"));
            let mut files: Vec<_> =
                fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
            files.sort();
            let files = files.iter().filter(|file| file.extension().is_some_and(|end| end == "conf"));
            if deep > 0 {
                folders.extend(files.flat_map(|file| configured(file, deep - 1)));
            }
        } else if line.starts_with('/') {
            folders.push(PathBuf::from(line));
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> tempfile::NamedTempFile {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), text).expect("written");
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o755)).expect("made a program");
        file
    }

    fn names(found: &BTreeSet<PathBuf>) -> Vec<String> {
        found.iter().map(|file| file.file_name().unwrap_or_default().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_program_comes_with_loader_and_libraries() {
        let this = std::env::current_exe().expect("this test");
        let names = names(&closure(&this).expect("found"));
        assert!(names.iter().any(|name| name.starts_with("ld-linux")), "{names:?}");
        assert!(names.iter().any(|name| name == "libc.so.6"), "{names:?}");
    }

    #[test]
    fn a_script_comes_with_what_interprets_it() {
        let file = script("#!/bin/sh -e\n");
        let found = closure(file.path()).expect("found");
        assert!(found.contains(file.path()) && found.contains(Path::new("/bin/sh")), "{found:?}");
        let file = script("#! /usr/bin/env -S cat -n\n");
        let names = names(&closure(file.path()).expect("found"));
        assert!(
            names.iter().any(|name| name == "env") && names.iter().any(|name| name == "cat"),
            "{names:?}"
        );
    }

    #[test]
    fn what_is_no_program_is_told() {
        let says = |text: &str| closure(script(text).path()).expect_err("no program").to_string();
        assert!(says("hello").contains("is no program for 64 bits"));
        assert!(says("\x7fELF\x02\x01\x01 and no more").contains("is damaged"));
        assert!(says("#!/no/such/shell\n").contains("/no/such/shell"));
        assert!(program(OsStr::new("no-such-program-here"), Path::new("/")).is_err());
        assert!(program(OsStr::new("bin/sh"), Path::new("/")).is_ok());
    }

    #[test]
    fn search_paths_begin_at_the_file() {
        let path = search_path(b"$ORIGIN/../lib:/opt/x::", Path::new("/no/bin/program"));
        assert_eq!(path, [Path::new("/no/bin/../lib"), Path::new("/opt/x")]);
    }
}
