//! Whole kernels as distributions ship them, where they are at hand: `GEMSCOPE_KERNELS` names a folder, or the cache of
//! `cargo xtask vm` has them. Elsewhere there is nothing to test here, and it says so.

use std::fs;
use std::path::{Path, PathBuf};

use gemscope_probes::btf::Btf;
use gemscope_probes::btf::minimise::{Wanted, minimise};
use gemscope_probes::fields::{Field, Home};
use gemscope_probes::{PlanOptions, explain, image, plan};

/// Unpacked kernels: folders with a vmlinuz somewhere below.
fn kernels() -> Vec<PathBuf> {
    let cache = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/gemscope/kernels"));
    let Some(dir) = std::env::var_os("GEMSCOPE_KERNELS").map(PathBuf::from).or_else(cache) else {
        return Vec::new();
    };
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut dirs: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_dir()).collect();
    dirs.sort();
    dirs
}

/// The vmlinuz and the wanted modules below a folder.
fn walk(dir: &Path, vmlinuz: &mut Option<PathBuf>, modules: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            walk(&path, vmlinuz, modules);
        } else if name.starts_with("vmlinuz") {
            *vmlinuz = Some(path);
        } else if image::module_name(&name).is_some_and(|n| image::wants_module(&n)) {
            modules.push(path);
        }
    }
}

/// What is left of a kernel's types when only the fields are kept leads to the same places.
fn check_minimised(btf: &Btf) {
    let mut wanted = Wanted::default();
    for field in Field::ALL {
        let module = if field.home() == Home::Drm { "drm" } else { "vmlinux" };
        wanted
            .members
            .extend(field.places().map(|(ty, path)| (module.to_owned(), ty.to_owned(), path.to_owned())));
    }
    let small = minimise(btf, &wanted);
    let modules: Vec<_> = small.modules.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    assert!(small.vmlinux.len() < 30_000 && modules.iter().all(|(_, b)| b.len() < 30_000));
    let small = Btf::parse(&small.vmlinux, &modules).unwrap();
    for &field in Field::ALL {
        assert_eq!(small.field(field), btf.field(field), "{field:?}");
    }
}

#[test]
fn kernels_that_do_not_run_answer_like_running_ones() {
    let mut tested = 0;
    for dir in kernels() {
        let (mut vmlinuz, mut modules) = (None, Vec::new());
        walk(&dir, &mut vmlinuz, &mut modules);
        let Some(vmlinuz) = vmlinuz else { continue };
        let files = modules.iter().map(|p| (p.file_name().unwrap().to_string_lossy(), fs::read(p).unwrap()));
        let facts = image::facts(&fs::read(&vmlinuz).unwrap(), files).unwrap();
        let name = dir.display();
        assert_eq!(facts.problems, Vec::<String>::new(), "{name}");
        assert!(facts.symbols.len() > 50_000 && facts.drm, "{name}: {} symbols", facts.symbols.len());
        let plan = plan(&facts, &PlanOptions { hot: true, ..PlanOptions::default() });
        let blind: Vec<_> = plan.probes.iter().filter_map(|p| Some((p.blinds(), p.degradation()?))).collect();
        assert_eq!(blind, [], "{name}:\n{}", explain::table(Some(&plan)));
        if let Some(btf) = &facts.btf {
            check_minimised(btf);
        }
        tested += 1;
    }
    eprintln!("{tested} whole kernels were at hand");
}
