//! The driver of `tests/driver`: built for the very kernel that a guest boots, out of tree, against that kernel's headers.
//!
//! The headers are the packages that a distribution has for this, from the same archive as the kernel. What is in them is
//! made to stand by itself in the cache: nothing is installed on the machine but `make` and `gcc`.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use gemscope_vm::index::{self, Package};
use gemscope_vm::kernels::{self, Kernel};
use gemscope_vm::mirror::Mirror;
use gemscope_vm::modules::Module;
use gemscope_vm::scratch::Scratch;
use gemscope_vm::{cache, tool};
use sha2::{Digest, Sha256};

use crate::workspace;

/// The module's name, and the folder of its sources below the root of the checkout.
const NAME: &str = "gemfault";
const SOURCES: &str = "tests/driver";

/// The compiler as the kernel's makefiles call it. They name options of the compiler that built the kernel; this machine's may
/// be older, and knows what this one does by another name.
const COMPILER: &str = "#!/bin/sh
for word; do
    shift
    case $word in -fmin-function-alignment=*) word=-falign-functions=${word#*=} ;; esac
    set -- \"$@\" \"$word\"
done
exec gcc \"$@\"
";

/// Tools of the headers that a build runs, below `usr/lib/linux-kbuild-*`, and the program behind each where it is one that
/// only looks for the right one.
const TOOLS: &[(&str, &str)] = &[
    ("scripts/basic/fixdep", "scripts/basic/fixdep"),
    ("scripts/mod/modpost", "scripts/mod/modpost.real-lsb-64"),
    ("tools/objtool/objtool", "tools/objtool/objtool.real-x86"),
];

/// The archive has no headers for this kernel (any more): a reason to go without the driver, not to fail.
#[derive(Debug)]
pub struct NoHeaders {
    /// The kernel's version.
    pub version: String,
}

impl fmt::Display for NoHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the mirror has no headers for the kernel `{}`, so `{NAME}` cannot be built for it",
            self.version
        )
    }
}

impl std::error::Error for NoHeaders {}

/// The module for a kernel, built where it has not been built yet.
///
/// # Errors
/// [`NoHeaders`] when the archive has none for it; anything else is a failure.
pub fn module(kernel: &Kernel) -> Result<Module> {
    let cache = cache::folder()?;
    let store = cache.join("drivers");
    fs::create_dir_all(&store).with_context(|| format!("cannot make `{}`", store.display()))?;
    let _lock = cache::lock(&cache, "drivers")?;
    let sources = sources()?;
    let built = store.join(format!("{}-{}.ko", kernel.version, key(kernel, &sources)?));
    if !built.is_file() {
        let headers = Headers::get(kernel, &cache)?;
        build(&headers, &sources, &built)?;
    }
    let content = fs::read(&built).with_context(|| format!("cannot read `{}`", built.display()))?;
    Ok(Module { name: format!("{NAME}.ko"), parameters: String::new(), content })
}

/// The sources, by name.
fn sources() -> Result<Vec<(String, Vec<u8>)>> {
    let dir = workspace::root().join(SOURCES);
    let entries = fs::read_dir(&dir).with_context(|| format!("cannot read `{}`", dir.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name == "Kbuild" || name.ends_with(".c") || name.ends_with(".h") {
            files.push((name, fs::read(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

/// What a built module depends on, as a short name.
fn key(kernel: &Kernel, sources: &[(String, Vec<u8>)]) -> Result<String> {
    let compiler = tool::output(tool::command("gcc")?.arg("--version"))?.stdout;
    let mut hash = Sha256::new();
    for (name, content) in sources {
        hash.update(format!("{name} {}\n", content.len()));
        hash.update(content);
    }
    hash.update(&kernel.version);
    hash.update(COMPILER);
    hash.update(compiler);
    Ok(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// Builds the module in a folder of its own, and keeps it.
fn build(headers: &Headers, sources: &[(String, Vec<u8>)], keep: &Path) -> Result<()> {
    let scratch = Scratch::new("driver")?;
    let dir = scratch.path();
    for (name, content) in sources {
        fs::write(dir.join(name), content)?;
    }
    let mut make = tool::command("make")?;
    make.arg("-s").arg("-C").arg(headers.build());
    make.arg(format!("M={}", dir.display()));
    make.arg(format!("CC={}", headers.compiler().display()));
    // BTF of a module needs the whole kernel's, and the module has nothing to tell that the kernel's does not.
    make.args(["CONFIG_DEBUG_INFO_BTF_MODULES=", "KCFLAGS=-Werror", "modules"]);
    make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    eprintln!("xtask: building `{NAME}` for `{}`", headers.version);
    tool::output(&mut make)
        .with_context(|| format!("`{NAME}` does not build for the kernel `{}`", headers.version))?;
    let made = dir.join(format!("{NAME}.ko"));
    tool::output(tool::command("strip")?.arg("--strip-debug").arg(&made))?;
    let part = keep.with_extension("part");
    fs::copy(&made, &part).with_context(|| format!("cannot keep `{}`", keep.display()))?;
    fs::rename(&part, keep)?;
    Ok(())
}

/// The unpacked headers of one kernel.
struct Headers {
    version: String,
    root: PathBuf,
}

impl Headers {
    /// Where `make` is to begin.
    fn build(&self) -> PathBuf {
        self.root.join("usr/src").join(format!("linux-headers-{}", self.version))
    }

    fn compiler(&self) -> PathBuf {
        self.root.join("cc")
    }

    /// The headers, fetched and unpacked where they are not in the cache yet.
    fn get(kernel: &Kernel, cache: &Path) -> Result<Self> {
        let root = cache.join("headers").join(&kernel.version);
        let headers = Self { version: kernel.version.clone(), root };
        if headers.root.join("complete").is_file() {
            return Ok(headers);
        }
        let mirror = Mirror::configured()?;
        let packages = kernels::packages(&mirror, &kernel.line, cache)?;
        let Some(chosen) = choose(&packages, &kernel.version) else {
            return Err(NoHeaders { version: kernel.version.clone() }.into());
        };
        if headers.root.exists() {
            fs::remove_dir_all(&headers.root)
                .with_context(|| format!("cannot clear `{}`", headers.root.display()))?;
        }
        for package in &chosen {
            index::unpack(&mirror, package, &headers.root)?;
        }
        headers.settle()?;
        headers.make_tools_run(&mirror, &chosen, cache)?;
        fs::write(headers.root.join("complete"), b"")?;
        Ok(headers)
    }

    /// Makes the tree one that needs nothing outside of it: its makefile names the place where it would be installed.
    fn settle(&self) -> Result<()> {
        let file = self.build().join("Makefile");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let here = format!("{}/usr/src/", self.root.display());
        fs::write(&file, text.replace("/usr/src/", &here))?;
        script(&self.compiler(), COMPILER)
    }

    /// Has the tools run with the libraries that they were made for, where this machine's are too old.
    fn make_tools_run(&self, mirror: &Mirror, chosen: &[Package], cache: &Path) -> Result<()> {
        let kbuild = self.kbuild()?;
        let behind: Vec<_> = TOOLS
            .iter()
            .map(|(tool, program)| (kbuild.join(tool), kbuild.join(program)))
            .map(|(tool, program)| if program.is_file() { (tool, program) } else { (tool.clone(), tool) })
            .collect();
        if behind.iter().all(|(_, program)| finds_its_libraries(program)) {
            return Ok(());
        }
        let suite = chosen.first().map(|package| package.suite.as_str()).unwrap_or_default();
        // The libraries are in the release itself.
        let release = suite.split('-').next().unwrap_or(suite);
        let packages = index::packages(mirror, release, cache)?.unwrap_or_default();
        let root = self.root.join("libraries");
        for name in index::LIBRARIES {
            if let Some(package) = packages.iter().find(|package| package.name == *name) {
                index::unpack(mirror, package, &root)?;
            }
        }
        let places = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(|place| root.join(place));
        let Some(loader) =
            places.iter().map(|place| place.join("ld-linux-x86-64.so.2")).find(|file| file.is_file())
        else {
            bail!(
                "the tools of the headers of `{}` need newer libraries, and `{release}` has none",
                self.version
            );
        };
        let path = places.map(|place| place.display().to_string()).join(":");
        for (tool, program) in behind {
            let real = if program == tool { tool.with_extension("real") } else { program.clone() };
            if program == tool {
                fs::rename(&tool, &real)?;
            } else {
                fs::remove_file(&tool)?;
            }
            let words = [&loader, &real].map(|file| tool::quoted(file.as_os_str()));
            let [loader, real] = words;
            script(&tool, &format!("#!/bin/sh\nexec {loader} --library-path '{path}' {real} \"$@\"\n"))?;
        }
        Ok(())
    }

    /// The folder of the tools.
    fn kbuild(&self) -> Result<PathBuf> {
        let link = self.build().join("scripts");
        let scripts =
            fs::canonicalize(&link).with_context(|| format!("`{}` leads nowhere", link.display()))?;
        Ok(scripts.parent().map(Path::to_path_buf).unwrap_or(scripts))
    }
}

/// Can the program be started? What it says without arguments does not matter.
fn finds_its_libraries(program: &Path) -> bool {
    let said = Command::new(program).stdin(Stdio::null()).output();
    said.is_ok_and(|said| {
        let errors = String::from_utf8_lossy(&said.stderr);
        !errors.contains("GLIBC_") && !errors.contains("error while loading shared libraries")
    })
}

fn script(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write `{}`", file.display()))?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The packages of a kernel's headers: its own, those common to its flavours, and the tools, all of one version of the source.
fn choose(packages: &[Package], version: &str) -> Option<Vec<Package>> {
    let own = packages.iter().find(|package| package.name == format!("linux-headers-{version}"))?;
    let mut chosen = vec![own.clone()];
    for prefix in ["linux-headers-", "linux-kbuild-"] {
        let name = own.depends.iter().find(|name| name.starts_with(prefix))?;
        let part = packages.iter().find(|package| package.name == *name && package.version == own.version)?;
        chosen.push(part.clone());
    }
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, depends: &[&str]) -> Package {
        let [path, sha256, suite] = ["p", "s", "sid"].map(str::to_owned);
        let depends = depends.iter().map(|name| (*name).to_owned()).collect();
        Package { name: name.to_owned(), version: version.to_owned(), path, sha256, suite, depends }
    }

    #[test]
    fn all_headers_are_of_one_version() {
        let own = package(
            "linux-headers-6.1.0-56-amd64",
            "6.1.192-2",
            &["linux-headers-6.1.0-56-common", "linux-image-6.1.0-56-amd64", "linux-kbuild-6.1", "gcc-12"],
        );
        let common = package("linux-headers-6.1.0-56-common", "6.1.192-2", &[]);
        let [old, new] = ["6.1.176-1", "6.1.192-2"].map(|version| package("linux-kbuild-6.1", version, &[]));
        let chosen = |packages: &[&Package]| {
            let packages: Vec<_> = packages.iter().map(|package| (*package).clone()).collect();
            choose(&packages, "6.1.0-56-amd64")
        };
        assert_eq!(
            chosen(&[&old, &new, &common, &own]),
            Some(vec![own.clone(), common.clone(), new.clone()])
        );
        assert_eq!(chosen(&[&old, &common, &own]), None);
        assert_eq!(chosen(&[&new, &common]), None);
    }

    #[test]
    fn the_compiler_is_given_what_it_knows() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("cc");
        script(&file, &COMPILER.replace("exec gcc", "exec printf '%s|'")).expect("written");
        let said = tool::output(Command::new(&file).args(["-a b", "-fmin-function-alignment=16", "$c"]));
        assert_eq!(said.expect("it runs").stdout, b"-a b|-falign-functions=16|$c|");
    }

    #[test]
    fn the_sources_are_there() {
        let names: Vec<_> = sources().expect("they are").into_iter().map(|(name, _)| name).collect();
        assert!(
            names.iter().any(|name| name == "Kbuild") && names.iter().any(|name| name == "main.c"),
            "{names:?}"
        );
    }
}
