//! What one kernel offers: its symbols, types, offsets, profile and features, gathered from bytes.

use std::collections::{BTreeSet, HashSet};

use gemscope_common::{Features, Profile};

use crate::btf::{self, Btf};
use crate::catalogue::{self, Row};
use crate::compress;
use crate::detect::{self, Detected};
use crate::fallback::Evidence;
use crate::module::{self, Elf};
use crate::offsets::Offsets;
use crate::symbols::{KallsymsError, Symbols};

/// The bytes that facts are made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// `/proc/kallsyms`, read with the right to see addresses.
    pub kallsyms: &'a [u8],
    /// `/sys/kernel/btf/vmlinux`.
    pub vmlinux_btf: Option<&'a [u8]>,
    /// The other files of `/sys/kernel/btf`, with their names.
    pub module_btf: &'a [(&'a str, &'a [u8])],
    /// The file of drm.ko, compressed or not. Needed where the kernel has no BTF for modules, and for features that
    /// left no symbol.
    pub drm_ko: Option<&'a [u8]>,
    /// `/proc/version`.
    pub version: Option<&'a str>,
}

/// Why facts could not be gathered at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The symbols.
    #[error(transparent)]
    Kallsyms(#[from] KallsymsError),
}

/// What one kernel offers.
#[derive(Debug)]
pub struct KernelFacts {
    /// Its symbols.
    pub symbols: Symbols,
    /// Its types.
    pub btf: Option<Btf>,
    /// Where the fields lie.
    pub offsets: Offsets,
    /// Its rule era.
    pub profile: Profile,
    /// The features it has for sure.
    pub features: Features,
    /// Every feature, with what the answer rests on.
    pub detected: Vec<Detected>,
    /// Is DRM there: loaded as a module, or built in?
    pub drm: bool,
    /// Functions of the catalogue that are there and that the kernel does not let be probed.
    pub untraceable: BTreeSet<&'static str>,
    /// What could not be used and why, in words: damaged BTF, a drm.ko that cannot be read.
    pub problems: Vec<String>,
}

impl KernelFacts {
    /// Gathers the facts of the running kernel.
    ///
    /// # Errors
    /// [`Error`] when there are no symbols. Everything else degrades, see [`Self::problems`].
    pub fn new(input: Input<'_>) -> Result<Self, Error> {
        let Input { kallsyms, vmlinux_btf, module_btf, drm_ko, version } = input;
        let symbols = Symbols::from_kallsyms(kallsyms)?;
        let mut problems = Vec::new();
        let code = drm_ko.and_then(|bytes| match evidence(bytes) {
            Ok(code) => Some(code),
            Err(error) => {
                problems.push(format!("drm.ko: {error}"));
                None
            }
        });
        let btf = parse_btf(vmlinux_btf, module_btf, &mut problems);
        Ok(Self::from_parts(symbols, btf, code.as_ref(), version, problems))
    }

    /// Puts facts together from parts that are parsed already.
    #[must_use]
    pub fn from_parts(
        symbols: Symbols,
        btf: Option<Btf>,
        code: Option<&Evidence>,
        version: Option<&str>,
        problems: Vec<String>,
    ) -> Self {
        let drm = symbols.has("drm_gem_object_release");
        let input = detect::Input {
            symbols: &symbols,
            btf: btf.as_ref(),
            code,
            upstream: version.and_then(upstream_version),
            drm,
        };
        let detected = detect::features(input);
        Self {
            offsets: Offsets::resolve(btf.as_ref(), code),
            profile: detect::profile(&symbols, btf.as_ref()),
            features: detect::certain(&detected),
            detected,
            drm,
            untraceable: BTreeSet::new(),
            problems,
            symbols,
            btf,
        }
    }

    /// Functions of which it makes a difference before anything is attached whether they can be traced: a probe would sit on another
    /// one instead. Of all others the kernel says so itself.
    #[must_use]
    pub fn doubtful(&self) -> BTreeSet<&'static str> {
        let is_function = |name: &str| self.symbols.lookup(name).any(|s| s.is_function());
        let targets = catalogue::rows().flat_map(|row| row.targets);
        let several = targets.map(|target| {
            let there = target.symbols.iter().map(|s| s.name).filter(|name| is_function(name));
            there.collect::<Vec<_>>()
        });
        several.filter_map(|mut there| there.pop().map(|_| there)).flatten().collect()
    }

    /// The same facts, knowing which functions can be traced: the text of `available_filter_functions` in tracefs.
    ///
    /// The kernel refuses probes on functions that are not in it. A text without the core's functions is not believed.
    #[must_use]
    pub fn with_traceable(mut self, text: &[u8]) -> Self {
        let names: HashSet<&[u8]> = text
            .split(|&b| b == b'\n')
            .filter_map(|line| line.split(u8::is_ascii_whitespace).next())
            .collect();
        let listed = |name: &str| names.contains(name.as_bytes());
        if listed("dma_buf_put") {
            let catalogue = catalogue::rows().flat_map(Row::symbols).map(|s| s.name);
            self.untraceable = catalogue.filter(|name| self.symbols.has(name) && !listed(name)).collect();
        }
        self
    }
}

pub(crate) fn parse_btf(
    vmlinux: Option<&[u8]>,
    modules: &[(&str, &[u8])],
    problems: &mut Vec<String>,
) -> Option<Btf> {
    match Btf::parse(vmlinux?, modules) {
        Ok(btf) => {
            problems.extend(btf.skipped().iter().map(btf::Error::to_string));
            Some(btf)
        }
        Err(error) => {
            problems.push(error.to_string());
            None
        }
    }
}

fn evidence(bytes: &[u8]) -> Result<Evidence, String> {
    let unpacked = compress::unpack(bytes).map_err(|e| e.to_string())?;
    let elf = Elf::parse(&unpacked).map_err(|e: module::Error| e.to_string())?;
    Ok(Evidence::of(&elf))
}

/// The upstream version in `/proc/version`. Debian names its kernels by ABI (`6.1.0-56-amd64`) and tells the version
/// only behind `Debian`; others have it as the release.
#[must_use]
pub fn upstream_version(version: &str) -> Option<(u16, u16, u16)> {
    let words: Vec<_> = version.split_ascii_whitespace().collect();
    let debian = words.windows(2).find_map(|w| match w {
        ["Debian", version] => Some(*version),
        _ => None,
    });
    let release = words.windows(2).find_map(|w| match w {
        ["version", release] => Some(*release),
        _ => None,
    });
    let mut numbers = debian.or(release)?.split(|c: char| !c.is_ascii_digit()).map_while(|n| n.parse().ok());
    Some((numbers.next()?, numbers.next()?, numbers.next().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions() {
        let debian = "Linux version 6.1.0-56-amd64 (a@b) (gcc-12 (Debian 12.2.0-14) 12.2.0) #1 SMP Debian 6.1.192-2 (2026)";
        // The compiler's version also stands behind the word, in parentheses.
        assert_eq!(upstream_version(debian), Some((6, 1, 192)));
        assert_eq!(upstream_version("Linux version 6.12.117+deb13-amd64 (x)"), Some((6, 12, 117)));
        assert_eq!(upstream_version("Linux version 7.0-rc1 x"), Some((7, 0, 0)));
        assert_eq!(upstream_version("nonsense"), None);
    }
}
