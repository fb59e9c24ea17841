//! What is read in place is what another reader unpacks.

use btf_rs::{BtfType as _, Type as Other};
use proptest::prelude::*;

use super::*;

/// The types of one kernel: of itself, and of modules with their names.
struct Fixture {
    line: &'static str,
    vmlinux: &'static [u8],
    modules: &'static [(&'static str, &'static [u8])],
}

macro_rules! fixture {
    ($line:literal $(, $module:literal)*) => {
        Fixture {
            line: $line,
            vmlinux: include_bytes!(concat!("../../../tests/fixtures/kernels/", $line, "/btf/vmlinux")),
            modules: &[$((
                $module,
                include_bytes!(concat!("../../../tests/fixtures/kernels/", $line, "/btf/", $module)) as &[u8],
            )),*],
        }
    };
}

const FIXTURES: &[Fixture] = &[
    fixture!("5.10"),
    fixture!("6.1", "drm", "drm_shmem_helper", "drm_vram_helper", "virtio_gpu"),
    fixture!("6.12", "drm", "drm_shmem_helper", "drm_vram_helper", "virtio_gpu"),
    fixture!("6.18", "drm", "drm_shmem_helper", "virtio_gpu"),
    fixture!("7.2", "drm", "drm_shmem_helper", "virtio_gpu"),
];

/// The kernel itself, of the line that is in the middle.
fn vmlinux() -> Vec<u8> {
    FIXTURES[2].vmlinux.to_vec()
}

/// Names, sizes, members and parameters of every type by its number, and every type by its name.
#[track_caller]
fn same(types: &Types, other: &btf_rs::Btf, last: u32) {
    assert!(types.get(last + 1).is_none() && other.resolve_type_by_id(last + 1).is_err());
    for id in 0..=last {
        let (ty, theirs) = (types.get(id).unwrap(), other.resolve_type_by_id(id).unwrap());
        let name = theirs.as_btf_type().filter(|t| t.get_name_offset().is_some());
        let name = name.map_or(String::new(), |t| other.resolve_name(t).unwrap());
        assert_eq!(types.string(ty.name), Some(name.as_str()), "{id}");
        match &theirs {
            Other::Void => assert_eq!(ty.kind, kind::VOID),
            Other::Int(int) => assert_eq!((ty.kind, ty.size_or_type as usize), (kind::INT, int.size())),
            Other::Enum(e) => assert_eq!((ty.kind, ty.size_or_type as usize), (kind::ENUM, e.size())),
            Other::Struct(record) | Other::Union(record) => {
                assert!(ty.is_record(), "{id}");
                let mine =
                    ty.members().map(|m| (types.string(m.name).unwrap().to_owned(), m.of, m.bits, m.width));
                let theirs = record.members.iter().map(|m| {
                    let of = m.get_type_id().unwrap();
                    (other.resolve_name(m).unwrap(), of, m.bit_offset(), m.bitfield_size().unwrap_or(0))
                });
                assert_eq!(mine.collect::<Vec<_>>(), theirs.collect::<Vec<_>>(), "{id}");
            }
            Other::FuncProto(proto) => {
                assert_eq!((ty.kind, ty.size_or_type), (kind::FUNC_PROTO, proto.return_type_id()));
                let theirs = proto.parameters.iter().map(|p| p.get_type_id().unwrap());
                assert_eq!(ty.parameters().collect::<Vec<_>>(), theirs.collect::<Vec<_>>(), "{id}");
            }
            others => {
                let to = others.as_btf_type().and_then(|t| t.get_type_id());
                assert!(to.is_none_or(|to| to == ty.size_or_type || ty.kind == kind::ARRAY), "{id}");
            }
        }
        if !name.is_empty() {
            let found: Vec<_> = types.named(&name).map(|t| (t.kind, t.name, t.size_or_type)).collect();
            let ids = other.resolve_ids_by_name(&name).unwrap();
            let want: Vec<_> = ids.iter().map(|id| types.get(*id).unwrap()).collect();
            assert_eq!(
                found,
                want.iter().map(|t| (t.kind, t.name, t.size_or_type)).collect::<Vec<_>>(),
                "{name}"
            );
        }
    }
    assert_eq!(types.named("there is none of this name").count(), 0);
}

#[test]
fn types_are_what_another_reader_unpacks() {
    for &Fixture { line, vmlinux, modules } in FIXTURES {
        let (types, other) =
            (Types::parse(vmlinux, None).unwrap(), btf_rs::Btf::from_bytes(vmlinux).unwrap());
        let last = other.base().type_id_range().1;
        assert!(last > 100, "{line}: {last} types");
        same(&types, &other, last);
        for (name, bytes) in modules {
            let split = Types::parse(bytes, Some(&types)).unwrap();
            let other = btf_rs::Btf::from_split_bytes(bytes, &other).unwrap();
            let last = other.split().unwrap().type_id_range().1;
            assert!(last > other.base().type_id_range().1, "{line}: {name}");
            same(&split, &other, last);
        }
    }
}

#[test]
fn what_is_damaged_is_said() {
    let vmlinux = vmlinux();
    let why = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = vmlinux.clone();
        change(&mut bytes);
        Types::parse(&bytes, None).err().unwrap_or_default()
    };
    assert_eq!(why(&|_| ()), "");
    assert_eq!(why(&|b| b.truncate(20)), "cut short");
    assert_eq!(why(&|b| b.truncate(b.len() - 1)), "cut short");
    assert_eq!(why(&|b| b[0] = 0), "it does not begin with the magic number of little-endian BTF");
    assert_eq!(why(&|b| b[2] = 9), "its version is `9` and its flags are `0`, not 1 and 0");
    assert_eq!(why(&|b| b[24 + 7] = 0x1f), "a type is cut short or of no known kind");
    assert_eq!(why(&|b| b[12] -= 1), "a type is cut short or of no known kind");
    assert_eq!(why(&|b| b[24..28].fill(0xff)), "a type's name is not among the strings");
    let strings = 24 + u32::from_le_bytes(*vmlinux[16..].first_chunk().unwrap()) as usize;
    assert_eq!(why(&|b| b[strings] = b'a'), "the strings do not begin with the empty one");
}

proptest! {
    #[test]
    fn damage_makes_no_panic(at in 0usize..4000, value: u8, cut in 0usize..8000) {
        let mut vmlinux = vmlinux();
        if let Some(byte) = vmlinux.get_mut(at) {
            *byte = value;
        }
        vmlinux.truncate(vmlinux.len().saturating_sub(cut.saturating_sub(4000)));
        if let Ok(btf) = Btf::parse(&vmlinux, &[]) {
            let _ = (btf.offset("vmlinux", "dma_buf", "file"), btf.prototypes("vmlinux", "dma_buf_put"));
        }
    }
}
