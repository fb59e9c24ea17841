//! The committed extracts of five kernels, for tests.

use std::fs;
use std::path::Path;

use gemscope_probes::KernelFacts;
use gemscope_probes::btf::Btf;
use gemscope_probes::fallback::Evidence;
use gemscope_probes::symbols::Symbols;

/// Their names, oldest first.
pub const KERNELS: [&str; 5] = ["5.10", "6.1", "6.12", "6.18", "7.2"];

/// The facts of one.
pub fn facts(kernel: &str) -> KernelFacts {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/kernels").join(kernel);
    let read = |name: &str| fs::read(dir.join(name)).unwrap_or_else(|e| panic!("{kernel}/{name}: {e}"));
    let text = |name: &str| String::from_utf8(read(name)).unwrap();
    let mut modules: Vec<(String, Vec<u8>)> = fs::read_dir(dir.join("btf"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "vmlinux")
        .map(|name| (name.clone(), read(&format!("btf/{name}"))))
        .collect();
    modules.sort();
    let modules: Vec<_> = modules.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let btf = Btf::parse(&read("btf/vmlinux"), &modules).unwrap();
    let symbols = Symbols::from_kallsyms(&read("kallsyms")).unwrap();
    let (code, version) = (Evidence::from_text(&text("drm.code")), text("version"));
    KernelFacts::from_parts(symbols, Some(btf), Some(&code), Some(&version), Vec::new())
}
