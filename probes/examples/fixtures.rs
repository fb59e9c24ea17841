//! Makes the extracts in tests/fixtures/kernels from the files of a kernel, for whoever adds a line or moves one.
//!
//! `cargo run -p gemscope-probes --example fixtures -- KALLSYMS BTF_DIR DRM_KO VERSION_FILE OUT_DIR`
//!
//! `KALLSYMS` is a copy of `/proc/kallsyms` read as root, `BTF_DIR` of `/sys/kernel/btf`, `DRM_KO` the module's file and
//! `VERSION_FILE` a copy of `/proc/version` (or a file that holds only the release).
//!
//! `cargo run -p gemscope-probes --example fixtures -- VMLINUZ OUT_FILE` makes only a small BTF, of the dma-buf core's types.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::Path;

use gemscope_probes::btf::Btf;
use gemscope_probes::btf::minimise::{Wanted, minimise};
use gemscope_probes::catalogue::{self, ADDRESSES};
use gemscope_probes::compress;
use gemscope_probes::detect::{TELLING_MEMBERS, TELLING_SYMBOLS};
use gemscope_probes::fallback::Evidence;
use gemscope_probes::fields::{Field, Home};
use gemscope_probes::image;
use gemscope_probes::module::Elf;
use gemscope_probes::symbols::{Symbols, VMLINUX};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (kallsyms, btf, drm_ko, version, out) = match args.as_slice() {
        [image, out] => return types_of_image(&fs::read(image)?, Path::new(out)),
        [kallsyms, btf, drm_ko, version, out] => (kallsyms, btf, drm_ko, version, out),
        _ => {
            return Err(
                "usage: fixtures KALLSYMS BTF_DIR DRM_KO VERSION_FILE OUT_DIR, or VMLINUZ OUT_FILE".into()
            );
        }
    };
    let out = Path::new(out);
    fs::create_dir_all(out)?;
    let symbols = Symbols::from_kallsyms(&fs::read(kallsyms)?)?;
    fs::write(out.join("kallsyms"), small_kallsyms(&symbols))?;
    small_btf(Path::new(btf), &symbols, out)?;
    let ko = fs::read(drm_ko)?;
    let ko = compress::unpack(&ko)?;
    fs::write(out.join("drm.code"), Evidence::of(&Elf::parse(&ko)?).to_text())?;
    fs::copy(version, out.join("version"))?;
    Ok(())
}

/// The symbols that the catalogue and the detection ask for, at made-up addresses.
fn small_kallsyms(symbols: &Symbols) -> String {
    let catalogue = catalogue::rows().flat_map(catalogue::Row::symbols).map(|s| s.name);
    let wanted: BTreeSet<&str> = catalogue
        .chain(TELLING_SYMBOLS.iter().copied())
        .chain(ADDRESSES.iter().map(|a| a.symbol))
        .chain(["drm_gem_object_release", "drm_gem_shmem_prime_import_sg_table"])
        .collect();
    let mut kept = BTreeMap::new();
    for name in wanted {
        for symbol in symbols.lookup(name).chain(symbols.clones(name)) {
            let place =
                if symbol.module == VMLINUX { String::new() } else { format!("\t[{}]", symbol.module) };
            kept.insert((place, symbol.name.to_owned()), symbol.kind);
        }
    }
    let mut text = String::new();
    for (i, ((place, name), kind)) in kept.into_iter().enumerate() {
        let base: u64 = if place.is_empty() { 0xffff_ffff_8100_0000 } else { 0xffff_ffff_c000_0000 };
        text.push_str(&format!("{:016x} {kind} {name}{place}\n", base + 0x100 * (i as u64 + 1)));
    }
    text
}

/// Every member that the fields and the detection ask for, with its module and struct.
fn members() -> Vec<(String, String, String)> {
    let fields = Field::ALL.iter().flat_map(|field| {
        let module = if field.home() == Home::Drm { "drm" } else { VMLINUX };
        field.places().map(move |(ty, path)| (module, ty, path))
    });
    let all = fields.chain(TELLING_MEMBERS.iter().copied());
    all.map(|(module, ty, path)| (module.to_owned(), ty.to_owned(), path.to_owned())).collect()
}

fn types_of_image(image: &[u8], out: &Path) -> Result<(), Box<dyn Error>> {
    let vmlinux = image::vmlinux(image)?;
    let elf = Elf::parse(&vmlinux)?;
    let btf = Btf::parse(elf.btf().ok_or("the kernel has no BTF")?, &[])?;
    let mut wanted = Wanted { members: members(), ..Wanted::default() };
    wanted.members.retain(|(_, ty, _)| ty.starts_with("dma_"));
    fs::write(out, minimise(&btf, &wanted).vmlinux)?;
    Ok(())
}

fn small_btf(dir: &Path, symbols: &Symbols, out: &Path) -> Result<(), Box<dyn Error>> {
    let mut modules = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != VMLINUX {
            modules.push((name, fs::read(entry.path())?));
        }
    }
    modules.sort();
    let slices: Vec<(&str, &[u8])> = modules.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    let btf = Btf::parse(&fs::read(dir.join(VMLINUX))?, &slices)?;
    let mut wanted = Wanted { members: members(), ..Wanted::default() };
    for name in catalogue::rows().flat_map(catalogue::Row::symbols).map(|s| s.name) {
        for symbol in symbols.lookup(name) {
            wanted.functions.push((symbol.module.to_owned(), name.to_owned()));
        }
    }
    let small = minimise(&btf, &wanted);
    let to = out.join("btf");
    fs::create_dir_all(&to)?;
    fs::write(to.join(VMLINUX), &small.vmlinux)?;
    for (name, bytes) in &small.modules {
        fs::write(to.join(name), bytes)?;
    }
    Ok(())
}
