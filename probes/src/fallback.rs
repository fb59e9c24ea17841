//! Offsets and facts from the code of drm.ko, for kernels that have no BTF for modules.
//!
//! Nothing is guessed and no version is looked at: an offset counts when well-known functions use it in the way that
//! only that field is used. `drm_gem_private_object_init` stores its first argument into the object: that is `dev`.
//! `drm_gem_object_handle_put_unlocked` gives `dma_buf_put` something it read from the object: that is `dma_buf`.
//! Where two functions show the same field they have to agree; a field that none shows stays unknown.

mod trace;

use trace::{Event, Path, Root, Value};

use crate::btf::WhyNot;
use crate::fields::Field;
use crate::module::{Code, Elf};

/// The functions whose code is followed.
const FOLLOWED: &[&str] = &[
    "drm_gem_private_object_init",
    "drm_gem_object_handle_put_unlocked",
    "drm_gem_object_release_handle",
    "drm_prime_gem_destroy",
    "drm_prime_destroy_file_private",
    "drm_file_alloc",
    "drm_open",
    "drm_open_helper",
    "drm_minor_alloc",
    "drm_version",
    "drm_framebuffer_init",
    "drm_framebuffer_print_info",
    "__drm_mode_object_add",
];

/// The functions of which only the names they refer to are of interest.
const NAMED: &[&str] =
    &["drm_gem_handle_create_tail", "drm_gem_handle_delete", "drm_prime_remove_buf_handle"];

/// The table of DRM's ioctls.
const IOCTLS: &str = "drm_ioctls";

/// What the code of drm.ko shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    functions: Vec<(String, Code)>,
}

/// One way to see a field: the function, and what it picks out of what the function does.
type Sight = (&'static str, fn(&[Event]) -> Vec<i64>);

impl Evidence {
    /// Takes what is needed from drm.ko (or from a vmlinux with DRM and its symbols).
    #[must_use]
    pub fn of(elf: &Elf<'_>) -> Self {
        let code = |name: &&str| Some(((*name).to_owned(), elf.code(name)?));
        let names = |name: &&str| Some(((*name).to_owned(), Code { bytes: Vec::new(), ..elf.code(name)? }));
        let table = elf.data(IOCTLS).map(|table| {
            let gem =
                table.names.into_iter().filter(|(_, n)| n.starts_with("drm_gem_") || n == "drm_invalid_op");
            (IOCTLS.to_owned(), Code { bytes: Vec::new(), names: gem.collect() })
        });
        let functions = FOLLOWED.iter().filter_map(code).chain(NAMED.iter().filter_map(names)).chain(table);
        Self { functions: functions.collect() }
    }

    /// Is there nothing to see: a module without its functions?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Does the function (or table) refer to `name`? `None` when it is not at hand.
    #[must_use]
    pub fn refers_to(&self, function: &str, name: &str) -> Option<bool> {
        Some(self.code(function)?.refers_to(name))
    }

    fn code(&self, function: &str) -> Option<&Code> {
        self.functions.iter().find(|(n, _)| n == function).map(|(_, code)| code)
    }

    fn events(&self, function: &str) -> Vec<Event> {
        self.code(function).map(trace::follow).unwrap_or_default()
    }

    /// The field's offset and a function that shows it.
    ///
    /// # Errors
    /// [`WhyNot::Unconfirmed`] when no function shows it, or two disagree.
    pub fn offset(&self, field: Field) -> Result<(u32, &'static str), WhyNot> {
        let unconfirmed = |why: String| Err(WhyNot::Unconfirmed(why));
        let mut found: Option<(u32, &'static str)> = None;
        let sights = sights(field);
        for &(function, see) in sights {
            for offset in see(&self.events(function)) {
                let Ok(offset) = u32::try_from(offset) else { continue };
                match found {
                    Some((other, first)) if other != offset => {
                        return unconfirmed(format!(
                            "`{first}` shows `{other}`, `{function}` shows `{offset}`"
                        ));
                    }
                    Some(_) => {}
                    None => found = Some((offset, function)),
                }
            }
        }
        let base = match field {
            // The id is the first part of a mode object, and that a part of the framebuffer.
            Field::FbId => {
                self.mode_object().ok_or_else(|| WhyNot::Unconfirmed("no function shows it".to_owned()))?
            }
            _ => 0,
        };
        match found.and_then(|(at, function)| Some((at.checked_add(base)?, function))) {
            Some(found) => Ok(found),
            None if sights.is_empty() => unconfirmed("no way to see it".to_owned()),
            None => unconfirmed("no function shows it".to_owned()),
        }
    }

    /// Where the id lies in a mode object: `__drm_mode_object_add` stores there what `idr_alloc` gave it.
    fn mode_object(&self) -> Option<u32> {
        let events = self.events("__drm_mode_object_add");
        let mut stores = stored(&events, 1, 4, |v| is_result(v, "idr_alloc")).into_iter();
        u32::try_from(stores.next()?).ok()
    }

    /// The evidence as text, for fixtures: per function its name, its code in hexadecimal, and the names in it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        for (name, code) in &self.functions {
            out.push_str(&format!("function {name}\n"));
            for line in code.bytes.chunks(40) {
                let hex: String = line.iter().map(|b| format!("{b:02x}")).collect();
                out.push_str(&format!("code {hex}\n"));
            }
            for (at, name) in &code.names {
                out.push_str(&format!("name {at} {name}\n"));
            }
        }
        out
    }

    /// Reads what [`Self::to_text`] wrote; lines that it would not write are passed over.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let mut functions: Vec<(String, Code)> = Vec::new();
        for line in text.lines() {
            let mut words = line.split(' ');
            match (words.next(), words.next(), functions.last_mut()) {
                (Some("function"), Some(name), _) => functions.push((name.to_owned(), Code::default())),
                (Some("code"), Some(hex), Some((_, code))) => {
                    let pairs = hex.as_bytes().chunks(2);
                    let bytes = pairs.map_while(|p| u8::from_str_radix(str::from_utf8(p).ok()?, 16).ok());
                    code.bytes.extend(bytes);
                }
                (Some("name"), Some(at), Some((_, code))) => {
                    if let (Ok(at), Some(name)) = (at.parse(), words.next()) {
                        code.names.push((at, name.to_owned()));
                    }
                }
                _ => {}
            }
        }
        Self { functions }
    }
}

/// Offset of `path` when it is a plain offset from an argument.
fn from_arg(path: &Path, n: usize) -> Option<i64> {
    (path.root == Root::Arg(n) && path.loads.is_empty() && !path.indexed).then_some(path.add)
}

/// Offset of `path` when it is a plain offset from what some call returned.
fn from_result(path: &Path) -> Option<i64> {
    (matches!(path.root, Root::Result(_)) && path.loads.is_empty() && !path.indexed).then_some(path.add)
}

/// Offset at which a value was read from an argument.
fn read_from(value: &Value, n: usize) -> Option<i64> {
    match value {
        Value::Path(Path { root: Root::Arg(a), loads, add: 0, .. }) if *a == n => match loads.as_slice() {
            [at] => Some(*at),
            _ => None,
        },
        _ => None,
    }
}

fn is_result(value: &Value, of: &str) -> bool {
    matches!(value, Value::Path(Path { root: Root::Result(name), loads, add: 0, .. }) if name == of && loads.is_empty())
}

/// Offsets in argument `n` at which something of this size that `which` accepts is stored.
fn stored(events: &[Event], n: usize, bytes: usize, which: impl Fn(&Value) -> bool) -> Vec<i64> {
    let store = |e: &Event| match e {
        Event::Store { at, size, value } if *size == bytes && which(value) => from_arg(at, n),
        _ => None,
    };
    events.iter().filter_map(store).collect()
}

/// The same in what a call returned.
fn stored_in_result(events: &[Event], bytes: usize, which: impl Fn(&Value) -> bool) -> Vec<i64> {
    let store = |e: &Event| match e {
        Event::Store { at, size, value } if *size == bytes && which(value) => from_result(at),
        _ => None,
    };
    events.iter().filter_map(store).collect()
}

/// What `pick` makes of the arguments of each call to a function of this name; the empty name is every call.
fn passed(events: &[Event], name: &str, pick: impl Fn(&[Value; 6]) -> Option<i64>) -> Vec<i64> {
    let call = |e: &Event| match e {
        Event::Call { target, args } if name.is_empty() || target == name => pick(args),
        _ => None,
    };
    events.iter().filter_map(call).collect()
}

/// Offset of an address that is a part of argument `n`.
fn part_of(value: &Value, n: usize) -> Option<i64> {
    match value {
        Value::Path(path) => from_arg(path, n),
        _ => None,
    }
}

/// `count` of the object, by the way it is counted.
fn counted(events: &[Event], atomically: bool) -> Vec<i64> {
    let count = |e: &Event| match e {
        Event::Count { at, size: 4, atomic } if *atomic == atomically => from_arg(at, 0),
        _ => None,
    };
    events.iter().filter_map(count).collect()
}

/// Where `struct drm_version`, which user space shares, has the pointer to the driver's name.
const VERSION_NAME: i64 = 24;

/// The two loads that lead from a device to its driver's name, as `drm_version` passes it on.
fn driver_name(events: &[Event], which: usize) -> Vec<i64> {
    passed(events, "", |args| {
        let [to, _, text, ..] = args;
        read_from(to, 1).filter(|at| *at == VERSION_NAME)?;
        match text {
            Value::Path(Path { root: Root::Arg(0), loads, add: 0, .. }) if loads.len() == 2 => {
                loads.get(which).copied()
            }
            _ => None,
        }
    })
}

/// The ways to see a field. `drm_gem_private_object_init(dev, obj, size)`, `..._handle_put_unlocked(obj)`,
/// `..._release_handle(id, obj, file)`, `drm_file_alloc(minor)`, `drm_open(inode, filp)`, `drm_minor_alloc(dev, type)`,
/// `drm_framebuffer_init(dev, fb, funcs)`, `drm_framebuffer_print_info(p, indent, fb)`.
fn sights(field: Field) -> &'static [Sight] {
    const INIT: &str = "drm_gem_private_object_init";
    const PUT: &str = "drm_gem_object_handle_put_unlocked";
    match field {
        Field::GemDev => &[(INIT, |e| stored(e, 1, 8, |v| v.is_arg(0)))],
        Field::GemSize => &[(INIT, |e| stored(e, 1, 8, |v| v.is_arg(2)))],
        Field::GemRefcount => {
            &[(PUT, |e| counted(e, true)), (INIT, |e| stored(e, 1, 4, |v| *v == Value::Const(1)))]
        }
        Field::GemHandleCount => {
            &[(PUT, |e| counted(e, false)), (INIT, |e| stored(e, 1, 4, |v| *v == Value::Const(0)))]
        }
        Field::GemDmaBuf => &[(PUT, |e| passed(e, "dma_buf_put", |a| read_from(&a[0], 0)))],
        Field::GemName => &[(PUT, |e| passed(e, "idr_remove", |a| read_from(&a[1], 0)))],
        Field::GemImportAttach => {
            &[("drm_prime_gem_destroy", |e| passed(e, "dma_buf_detach", |a| read_from(&a[1], 0)))]
        }
        Field::FilePrime => &[
            ("drm_gem_object_release_handle", |e| {
                passed(e, "drm_prime_remove_buf_handle", |a| part_of(&a[0], 2))
            }),
            ("drm_file_alloc", |e| {
                passed(e, "drm_prime_init_file_private", |a| match &a[0] {
                    Value::Path(path) => from_result(path),
                    _ => None,
                })
            }),
        ],
        Field::PrimeDmabufs => &[("drm_prime_destroy_file_private", |e| {
            let read = |e: &Event| match e {
                Event::Load { at, size: 8 } | Event::Compare { at, size: 8, .. } => from_arg(at, 0),
                _ => None,
            };
            e.iter().filter_map(read).collect()
        })],
        Field::FileMinor => &[("drm_file_alloc", |e| stored_in_result(e, 8, |v| v.is_arg(0)))],
        Field::FileFilp => &[("drm_open", |e| opened(e, 1)), ("drm_open_helper", |e| opened(e, 0))],
        Field::MinorDev => &[("drm_minor_alloc", |e| stored_in_result(e, 8, |v| v.is_arg(0)))],
        Field::MinorType => &[("drm_minor_alloc", |e| stored_in_result(e, 4, |v| v.is_arg(1)))],
        Field::MinorIndex => {
            &[("drm_minor_alloc", |e| stored_in_result(e, 4, |v| is_result(v, "idr_alloc")))]
        }
        Field::DeviceDriver => &[("drm_version", |e| driver_name(e, 0))],
        Field::DriverName => &[("drm_version", |e| driver_name(e, 1))],
        Field::FbDev => &[("drm_framebuffer_init", |e| {
            let compared = |e: &Event| match e {
                Event::Compare { at, size: 8, with } if with.is_arg(0) => from_arg(at, 1),
                _ => None,
            };
            e.iter().filter_map(compared).collect()
        })],
        Field::FbId => {
            &[("drm_framebuffer_init", |e| passed(e, "__drm_mode_object_add", |a| part_of(&a[1], 1)))]
        }
        Field::FbObj => &[("drm_framebuffer_print_info", |e| {
            passed(e, "drm_gem_print_info", |a| match &a[2] {
                Value::Path(Path { root: Root::Arg(2), loads, indexed: true, .. }) => {
                    match loads.as_slice() {
                        [at] => Some(*at),
                        _ => None,
                    }
                }
                _ => None,
            })
        })],
        _ => &[],
    }
}

/// Where `drm_open` keeps the file it was called with, argument `n`, in what `drm_file_alloc` gave it.
fn opened(events: &[Event], n: usize) -> Vec<i64> {
    let kept = |e: &Event| match e {
        Event::Store { at, size: 8, value }
            if value.is_arg(n) && at.root == Root::Result("drm_file_alloc".to_owned()) =>
        {
            from_result(at)
        }
        _ => None,
    };
    events.iter().filter_map(kept).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sees_nothing_in_nothing() {
        for &field in Field::ALL {
            assert!(matches!(Evidence::default().offset(field), Err(WhyNot::Unconfirmed(_))));
        }
    }

    #[test]
    fn functions_that_disagree_are_not_believed() {
        // mov [rsi+8], rdi; mov [rsi+16], rdi; ret
        let bytes = vec![0x48, 0x89, 0x7e, 0x08, 0x48, 0x89, 0x7e, 0x10, 0xc3];
        let code = Code { bytes, names: Vec::new() };
        let evidence = Evidence { functions: vec![("drm_gem_private_object_init".to_owned(), code)] };
        let why = evidence.offset(Field::GemDev).unwrap_err().to_string();
        assert!(why.contains("shows `8`") && why.contains("shows `16`"), "{why}");
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0u64..300) {
            let code = Code { bytes, names: vec![(at, "dma_buf_put".to_owned())] };
            let functions = FOLLOWED.iter().map(|n| ((*n).to_owned(), code.clone())).collect();
            let evidence = Evidence { functions };
            for &field in Field::ALL {
                let _ = evidence.offset(field);
            }
            prop_assert_eq!(&Evidence::from_text(&evidence.to_text()), &evidence);
        }

        #[test]
        fn reads_any_text(text in "((function|code|name) ?[0-9a-z]{0,5} ?[a-z]{0,3}\n?){0,12}") {
            let _ = Evidence::from_text(&text);
        }
    }
}
