//! Stock kernels: the five lines that are tested, the newest image of each in the archive, and the unpacked tree.

use std::cmp::Ordering;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::index::{self, Package};
use crate::mirror::Mirror;
use crate::{cache, tell, tool};

/// A line of kernels: what it is called, how its versions begin, and the suites that carry it.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The name `--kernel` takes.
    pub name: &'static str,
    /// What a version of the line begins with; the newest line has none, and takes what is above all others.
    prefix: Option<&'static str>,
    /// Where to look; a later group only when the earlier ones have nothing.
    suites: &'static [&'static [&'static str]],
}

/// The lines, oldest first.
pub const LINES: &[Line] = &[
    Line { name: "5.10", prefix: Some("5.10."), suites: &[&["bullseye", "bullseye-security"]] },
    Line { name: "6.1", prefix: Some("6.1."), suites: &[&["bookworm-security", "bookworm"]] },
    Line {
        name: "6.12",
        prefix: Some("6.12."),
        suites: &[&["trixie-security", "trixie"], &["bookworm-security"]],
    },
    Line { name: "6.18", prefix: Some("6.18."), suites: &[&["trixie-backports"]] },
    Line { name: "newest", prefix: None, suites: &[&["sid", "trixie-backports"]] },
];

/// The version above which a kernel belongs to the newest line.
const ABOVE: &str = "6.19";

/// An unpacked kernel.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// The line's name.
    pub line: String,
    /// What `uname -r` will say.
    pub version: String,
    /// The tree: `vmlinuz`, `config` where the package has one, and `lib/modules/VERSION`.
    pub root: PathBuf,
}

impl Kernel {
    /// The compressed kernel image.
    pub fn vmlinuz(&self) -> PathBuf {
        self.root.join("vmlinuz")
    }

    /// The folder of its modules.
    pub fn modules(&self) -> PathBuf {
        self.root.join("lib/modules").join(&self.version)
    }
}

/// The archive does not have the kernel (any more): a reason to skip it, not to fail.
#[derive(Debug)]
pub struct Gone {
    /// What was asked for.
    pub wanted: String,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no kernel for `{}` is on the mirror", self.wanted)
    }
}

impl std::error::Error for Gone {}

/// The names that `--kernel` stands for, `all` taken apart, each checked.
///
/// # Errors
/// When a name is neither a line nor a kernel package's name.
pub fn expand(asked: &[String]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for name in asked {
        if name == "all" {
            names.extend(LINES.iter().map(|line| line.name.to_owned()));
        } else if line(name).is_some() || version_of(name).is_some() {
            names.push(name.clone());
        } else {
            let lines: Vec<_> = LINES.iter().map(|line| line.name).collect();
            bail!(
                "unknown kernel `{name}`: give one of {}, `all`, or a package such as `linux-image-6.1.0-56-amd64`",
                lines.join(", ")
            );
        }
    }
    names.dedup();
    Ok(names)
}

/// The line or package that a name stands for, checked; for who wants one kernel and may have an image of it as well.
///
/// # Errors
/// When it is neither.
pub fn named(name: &str) -> Result<&str> {
    if line(name).is_some() || version_of(name).is_some() {
        return Ok(name);
    }
    let lines: Vec<_> = LINES.iter().map(|line| line.name).collect();
    bail!(
        "unknown kernel `{name}`: give one of {}, a package such as `linux-image-6.1.0-56-amd64`, or the file of a kernel image \
         such as `/boot/vmlinuz-6.1.0-56-amd64`",
        lines.join(", ")
    )
}

/// The line of that name.
pub fn line(name: &str) -> Option<&'static Line> {
    LINES.iter().find(|line| line.name == name)
}

/// The line that a kernel's version belongs to.
pub fn line_of(version: &str) -> Option<&'static Line> {
    LINES.iter().find(|line| line.holds(version))
}

impl Line {
    fn holds(&self, version: &str) -> bool {
        let newer = match self.prefix {
            Some(prefix) => version.starts_with(prefix),
            None => compare(version, ABOVE) == Ordering::Greater,
        };
        // Kernels with PREEMPT_RT run when they are asked for by name.
        newer && !version.split('-').any(|word| word == "rt")
    }
}

/// The version in the name of an image package for amd64 that has DRM.
fn version_of(package: &str) -> Option<&str> {
    let rest = package.strip_prefix("linux-image-")?;
    let rest = rest.strip_suffix("-unsigned").unwrap_or(rest);
    let number = rest.strip_suffix("-amd64")?;
    let plain = number.chars().all(|c| c.is_ascii_alphanumeric() || ".+-".contains(c))
        && number.split('.').count() >= 3
        && number.starts_with(|c: char| c.is_ascii_digit())
        && !number.split('-').any(|word| word == "cloud");
    plain.then_some(rest)
}

/// Orders versions by their numbers, from left to right.
fn compare(a: &str, b: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
    };
    numbers(a).cmp(&numbers(b))
}

/// The packages that make up one kernel, in the order to unpack them.
fn choose(packages: &[Package], wanted: impl Fn(&str) -> bool) -> Option<(String, Vec<Package>)> {
    let named = |name: &str| packages.iter().find(|package| package.name == name).cloned();
    let mut best: Option<(String, Vec<Package>)> = None;
    for package in packages {
        let Some(version) = version_of(&package.name).filter(|version| wanted(version)) else { continue };
        // The signed image of a version is preferred to the unsigned one, which has the same content.
        if package.name.ends_with("-unsigned") && named(&format!("linux-image-{version}")).is_some() {
            continue;
        }
        let part = |kind: &str| named(&format!("linux-{kind}-{version}"));
        let parts = match (part("binary"), part("modules")) {
            (Some(binary), Some(modules)) => {
                [Some(binary), Some(modules), part("base")].into_iter().flatten().collect()
            }
            // Half of a split kernel is left in the suite: not one that can boot.
            (Some(_), None) | (None, Some(_)) => continue,
            (None, None) => vec![package.clone()],
        };
        if best.as_ref().is_none_or(|(other, _)| compare(version, other) == Ordering::Greater) {
            best = Some((version.to_owned(), parts));
        }
    }
    best
}

/// The kernel of a line or of a package name, fetched and unpacked where it is not in the cache yet.
///
/// # Errors
/// [`Gone`] when the archive does not have it; anything else is a failure.
pub fn get(name: &str) -> Result<Kernel> {
    let cache = cache::folder()?;
    let store = cache.join("kernels");
    fs::create_dir_all(&store).with_context(|| format!("cannot make `{}`", store.display()))?;
    let _lock = cache::lock(&cache, "kernels")?;
    let asked = version_of(name);
    let of_line = line(name).or_else(|| asked.and_then(line_of));
    let line_name = of_line.map_or(name, |line| line.name);
    if let Some(version) = asked
        && let Some(kernel) = kept(&store, line_name, version)
    {
        return Ok(kernel);
    }
    let groups: Vec<&[&str]> = match of_line {
        Some(line) => line.suites.to_vec(),
        None => LINES.iter().flat_map(|line| line.suites.iter().copied()).collect(),
    };
    let wanted = |version: &str| match asked {
        Some(asked) => version == asked,
        None => of_line.is_some_and(|line| line.holds(version)),
    };
    let mut chosen = None;
    let mut reached = false;
    match Mirror::configured() {
        Ok(mirror) => {
            for group in groups {
                let mut packages = Vec::new();
                for suite in group {
                    if let Some(list) = index::packages(&mirror, suite, &cache)? {
                        reached = true;
                        packages.extend(list);
                    }
                }
                if let Some((version, parts)) = choose(&packages, wanted) {
                    chosen = Some((mirror, version, parts));
                    break;
                }
            }
        }
        Err(error) => tell(&format!("{error:#}")),
    }
    let Some((mirror, version, parts)) = chosen else {
        if let Some(kernel) = newest_kept(&store, line_name, wanted) {
            tell(&format!("`{name}` is not on the mirror today; taking `{}` from the cache", kernel.version));
            return Ok(kernel);
        }
        if !reached {
            tell(&format!("none of the suites of `{name}` could be read"));
        }
        return Err(Gone { wanted: name.to_owned() }.into());
    };
    match kept(&store, line_name, &version) {
        Some(kernel) => Ok(kernel),
        None => unpack(&mirror, &store, line_name, &version, &parts),
    }
}

/// The packages of all suites that carry a line.
///
/// # Errors
/// When an index cannot be had.
pub fn packages(mirror: &Mirror, line_name: &str, cache: &Path) -> Result<Vec<Package>> {
    let mut packages = Vec::new();
    for suite in line(line_name).iter().flat_map(|line| line.suites.iter().copied().flatten()) {
        packages.extend(index::packages(mirror, suite, cache)?.unwrap_or_default());
    }
    Ok(packages)
}

/// A kernel that is unpacked already.
fn kept(store: &Path, line: &str, version: &str) -> Option<Kernel> {
    let root = store.join(version);
    root.join("complete").is_file().then(|| Kernel {
        line: line.to_owned(),
        version: version.to_owned(),
        root,
    })
}

fn newest_kept(store: &Path, line: &str, wanted: impl Fn(&str) -> bool) -> Option<Kernel> {
    let names = fs::read_dir(store).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let newest = names
        .filter(|name| wanted(name) && kept(store, line, name).is_some())
        .max_by(|a, b| compare(a, b))?;
    kept(store, line, &newest)
}

/// Unpacks a kernel's packages and keeps what a boot needs, laid out the same for every line.
fn unpack(mirror: &Mirror, store: &Path, line: &str, version: &str, parts: &[Package]) -> Result<Kernel> {
    let root = store.join(version);
    let raw = store.join(format!("{version}.raw"));
    for dir in [&root, &raw] {
        if dir.exists() {
            fs::remove_dir_all(dir).with_context(|| format!("cannot clear `{}`", dir.display()))?;
        }
    }
    for part in parts {
        index::unpack(mirror, part, &raw)?;
    }
    fs::create_dir_all(root.join("lib/modules"))?;
    let places = [format!("lib/modules/{version}"), format!("usr/lib/modules/{version}")];
    let Some(modules) = places.iter().map(|place| raw.join(place)).find(|dir| dir.join("kernel").is_dir())
    else {
        bail!("`linux-image-{version}` has no modules where they were looked for: `{}`", places.join("`, `"));
    };
    let images = [raw.join(format!("boot/vmlinuz-{version}")), modules.join("vmlinuz")];
    let Some(image) = images.iter().find(|file| file.is_file()) else {
        bail!("`linux-image-{version}` has no kernel image where it was looked for");
    };
    fs::rename(image, root.join("vmlinuz"))?;
    let configs = [raw.join(format!("boot/config-{version}")), modules.join("config")];
    if let Some(config) = configs.iter().find(|file| file.is_file()) {
        fs::rename(config, root.join("config"))?;
    }
    let kernel = Kernel { line: line.to_owned(), version: version.to_owned(), root };
    fs::rename(&modules, kernel.modules())?;
    fs::remove_dir_all(&raw)?;
    if !kernel.modules().join("modules.dep").is_file() {
        tool::output(tool::command("depmod")?.arg("-b").arg(&kernel.root).arg(version))?;
    }
    fs::write(kernel.root.join("complete"), b"")?;
    Ok(kernel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str) -> Package {
        let [version, path, sha256, suite] = ["1", "p", "s", "sid"].map(str::to_owned);
        Package { name: name.to_owned(), version, path, sha256, suite, depends: Vec::new() }
    }

    fn chosen(names: &[&str], line_name: &str) -> Option<Vec<String>> {
        let packages: Vec<_> = names.iter().map(|name| package(name)).collect();
        let line = line(line_name).expect("a line");
        choose(&packages, |version| line.holds(version))
            .map(|(_, parts)| parts.into_iter().map(|part| part.name).collect())
    }

    #[test]
    fn takes_the_newest_plain_image() {
        let names = [
            "linux-image-6.1.0-9-amd64",
            "linux-image-6.1.0-56-amd64-unsigned",
            "linux-image-6.1.0-56-amd64",
            "linux-image-6.1.0-57-cloud-amd64",
            "linux-image-6.1.0-58-rt-amd64",
            "linux-image-6.1.0-59-amd64-dbg",
            "linux-image-6.12.1+deb12-amd64",
            "linux-image-6.12-amd64",
        ];
        assert_eq!(chosen(&names, "6.1"), Some(vec!["linux-image-6.1.0-56-amd64".to_owned()]));
        assert_eq!(chosen(&names, "6.12"), Some(vec!["linux-image-6.12.1+deb12-amd64".to_owned()]));
        assert_eq!(chosen(&names, "6.18"), None);
        assert_eq!(version_of("linux-image-6.1.0-58-rt-amd64"), Some("6.1.0-58-rt-amd64"));
        assert_eq!(version_of("linux-image-6.1.0-57-cloud-amd64"), None);
        assert_eq!(
            chosen(&["linux-image-5.10.0-32-amd64-unsigned"], "5.10"),
            Some(vec!["linux-image-5.10.0-32-amd64-unsigned".to_owned()])
        );
    }

    #[test]
    fn half_a_split_kernel_is_passed_over() {
        let names = [
            "linux-image-7.2.12+deb13-amd64",
            "linux-binary-7.2.12+deb13-amd64",
            "linux-modules-7.2.12+deb13-amd64",
            "linux-base-7.2.12+deb13-amd64",
            "linux-image-7.3.4+deb13-amd64",
            "linux-modules-7.3.4+deb13-amd64",
            "linux-image-6.18.15+deb13-amd64",
        ];
        let got = chosen(&names, "newest").expect("one is whole");
        assert_eq!(got, [names[1], names[2], names[3]]);
    }

    #[test]
    fn versions_are_ordered_by_number() {
        let up =
            ["5.10.0-9", "5.10.0-32", "6.12.99+deb13", "6.12.115+deb13", "6.12.115+deb13.1", "7.2.1+deb14"];
        assert!(up.windows(2).all(|pair| compare(pair[0], pair[1]) == Ordering::Less));
    }

    #[test]
    fn names_are_checked() {
        let asked = |name: &str| expand(&[name.to_owned()]);
        assert_eq!(asked("all").expect("known").len(), 5);
        assert!(asked("6.1").is_ok() && asked("linux-image-6.18.9+deb13-amd64").is_ok());
        for bad in
            ["6.2", "linux-image-amd64", "linux-image-6.1.0-1-cloud-amd64", "linux-image-../x.y.z-amd64", ""]
        {
            assert!(asked(bad).is_err(), "{bad}");
        }
    }
}
