//! Damaged input: real extracts with bytes turned over or cut off. Anything may come out but a panic.

mod fixture;

use fixture::{Fixture, LINES};
use gemscope_probes::btf::Btf;
use gemscope_probes::btf::minimise::{Wanted, minimise};
use gemscope_probes::facts::Input;
use gemscope_probes::fallback::Evidence;
use gemscope_probes::fields::Field;
use gemscope_probes::{KernelFacts, PlanOptions, explain, plan};
use proptest::prelude::*;
use proptest::sample::Index;

/// Bytes at places turned over, and the end cut off.
fn damage(bytes: &mut Vec<u8>, flips: &[(Index, u8)], cut: Option<Index>) {
    for (at, value) in flips {
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] ^= value;
        }
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len() + 1));
    }
}

fn flips() -> impl Strategy<Value = Vec<(Index, u8)>> {
    proptest::collection::vec((any::<Index>(), 1u8..), 1..30)
}

fn cut() -> impl Strategy<Value = Option<Index>> {
    proptest::option::weighted(0.2, any::<Index>())
}

fn use_facts(facts: &KernelFacts) {
    let plan = plan(facts, &PlanOptions { hot: true, ..PlanOptions::default() });
    let _ = (explain::table(Some(&plan)), explain::rules(&plan), explain::findings(&plan));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn types(line in 0..LINES.len(), base: bool, flips in flips(), cut in cut()) {
        let mut fixture = Fixture::load(LINES[line]);
        match fixture.modules.first_mut() {
            Some((_, module)) if !base => damage(module, &flips, cut),
            _ => damage(&mut fixture.vmlinux, &flips, cut),
        }
        let modules: Vec<_> = fixture.modules.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
        let input = Input { kallsyms: &fixture.kallsyms, vmlinux_btf: Some(&fixture.vmlinux), module_btf: &modules, ..Input::default() };
        if let Ok(facts) = KernelFacts::new(input) {
            use_facts(&facts);
        }
        if let Ok(btf) = Btf::parse(&fixture.vmlinux, &modules) {
            let member = |f: &Field| ("drm".to_owned(), f.type_name().to_owned(), f.path().to_owned());
            let wanted = Wanted { members: Field::ALL.iter().map(member).collect(), functions: vec![("drm".into(), "drm_gem_object_release".into())] };
            let small = minimise(&btf, &wanted);
            let _ = Btf::parse(&small.vmlinux, &[]);
        }
    }

    #[test]
    fn header_words(line in 0..LINES.len(), word in 0usize..6, value: u32) {
        let mut fixture = Fixture::load(LINES[line]);
        fixture.vmlinux[word * 4..word * 4 + 4].copy_from_slice(&value.to_le_bytes());
        let _ = Btf::parse(&fixture.vmlinux, &[]);
        if let Some((name, mut bytes)) = fixture.modules.pop() {
            bytes[word * 4..word * 4 + 4].copy_from_slice(&value.to_le_bytes());
            let base = Fixture::load(LINES[line]).vmlinux;
            let _ = Btf::parse(&base, &[(&name, &bytes)]);
        }
    }

    #[test]
    fn symbols(line in 0..LINES.len(), flips in flips(), cut in cut()) {
        let mut fixture = Fixture::load(LINES[line]);
        damage(&mut fixture.kallsyms, &flips, cut);
        let input = Input { kallsyms: &fixture.kallsyms, vmlinux_btf: Some(&fixture.vmlinux), drm_ko: Some(&fixture.vmlinux), ..Input::default() };
        if let Ok(facts) = KernelFacts::new(input) {
            use_facts(&facts);
        }
    }

    #[test]
    fn code(line in 0..LINES.len(), flips in flips()) {
        let mut text = Fixture::load(LINES[line]).code.to_text().into_bytes();
        for (at, value) in flips {
            let at = at.index(text.len());
            text[at] = b"0123456789abcdef \n"[usize::from(value) % 18];
        }
        let evidence = Evidence::from_text(&String::from_utf8_lossy(&text));
        for &field in Field::ALL {
            let _ = evidence.offset(field);
        }
    }
}

#[test]
fn types_of_another_kernel_do_not_fit() {
    let (old, new) = (Fixture::load("6.1"), Fixture::load("7.2"));
    let modules: Vec<_> = new.modules.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    let btf = Btf::parse(&old.vmlinux, &modules).unwrap();
    // Either it is refused, or its structs lead nowhere wrong: an offset is the true one or none.
    if let Ok(offset) = btf.field(Field::FilePrime) {
        assert_eq!(offset, 288);
    }
}
