//! The package index of a suite: fetched, verified, kept for a few hours, and searched.
//!
//! The chain of trust is apt's: the archive's keyring signs `InRelease`, which holds the SHA256 of `Packages.xz`, which holds the
//! SHA256 of each package.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::mirror::{self, Mirror};
use crate::scratch::Scratch;
use crate::{debian, tell, tool};

const INDEX: &str = "main/binary-amd64/Packages.xz";
/// How long an index is taken as it is before it is fetched again.
const FRESH: Duration = Duration::from_secs(6 * 3600);
const KEYRINGS: &[&str] = &[
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/etc/apt/trusted.gpg",
];

/// The keyrings of this machine that may hold the archive's keys.
pub fn keyrings() -> impl Iterator<Item = &'static Path> {
    KEYRINGS.iter().map(Path::new).filter(|ring| ring.is_file())
}

/// One package of an index: what is needed to fetch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its path below the archive's base.
    pub path: String,
    /// What the file's SHA256 must be.
    pub sha256: String,
    /// The suite it is in.
    pub suite: String,
    /// The names of the packages that it depends on; of alternatives the first.
    pub depends: Vec<String>,
}

/// The packages of a suite that matter here: kernels, their headers, and libraries; `None` when the archive does not have the suite.
///
/// # Errors
/// When an index can neither be had nor be found in the cache, or is not the one that the archive signed.
pub fn packages(mirror: &Mirror, suite: &str, cache: &Path) -> Result<Option<Vec<Package>>> {
    let dir = cache.join("index");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
    let kept = dir.join(format!("{suite}.{}", list_of_names()));
    if age(&kept).is_some_and(|age| age < FRESH) {
        return Ok(Some(parse(&fs::read_to_string(&kept)?, suite)));
    }
    match refresh(mirror, suite, &dir) {
        Ok(text) => {
            let part = kept.with_added_extension("part");
            fs::write(&part, &text).and_then(|()| fs::rename(&part, &kept))?;
            Ok(Some(parse(&text, suite)))
        }
        Err(error) if kept.exists() && !error.is::<Untrusted>() => {
            tell(&format!(
                "the index of `{suite}` cannot be refreshed ({error:#}); taking the one kept from before"
            ));
            Ok(Some(parse(&fs::read_to_string(&kept)?, suite)))
        }
        Err(error) if error.is::<Untrusted>() => Err(error),
        Err(error) => {
            tell(&format!("the archive has no `{suite}` today ({error:#})"));
            Ok(None)
        }
    }
}

/// An index whose signature or sum is wrong.
#[derive(Debug)]
struct Untrusted(String);

impl std::fmt::Display for Untrusted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Untrusted {}

fn age(file: &Path) -> Option<Duration> {
    let changed = file.metadata().ok()?.modified().ok()?;
    Some(SystemTime::now().duration_since(changed).unwrap_or_default())
}

/// Fetches and verifies an index, and cuts it down to what matters here.
fn refresh(mirror: &Mirror, suite: &str, dir: &Path) -> Result<String> {
    let base = mirror.base(suite);
    let release = dir.join(format!("{suite}.InRelease"));
    mirror::fetch(&format!("{base}/dists/{suite}/InRelease"), &release, None)?;
    let signed = signed_text(&release, suite)?;
    fs::remove_file(&release)?;
    let Some(want) = sum_in_release(&signed, INDEX) else {
        return Err(Untrusted(format!("the signed index of `{suite}` does not list `{INDEX}`")).into());
    };
    let packed = dir.join(format!("{suite}.xz"));
    mirror::fetch(&format!("{base}/dists/{suite}/{INDEX}"), &packed, None)?;
    let got = sha256(&packed)?;
    if got != want {
        let message = format!(
            "`{INDEX}` of `{suite}` has SHA256 `{got}`, but the signed index says `{want}`: try again later"
        );
        return Err(Untrusted(message).into());
    }
    let unpacked = tool::output(tool::command("xz")?.arg("-dc").arg(&packed))?.stdout;
    fs::remove_file(&packed)?;
    let text = String::from_utf8_lossy(&unpacked);
    let wanted = |stanza: &&str| {
        let name = stanza.strip_prefix("Package: ").unwrap_or_default();
        let name = name.lines().next().unwrap_or_default();
        PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || named().any(|wanted| wanted == name)
    };
    Ok(text.split("\n\n").filter(wanted).flat_map(|stanza| [stanza, "\n\n"]).collect())
}

const PREFIXES: &[&str] =
    &["linux-image-", "linux-binary-", "linux-modules-", "linux-base-", "linux-headers-", "linux-kbuild-"];

/// The libraries of the tools that build modules, for a machine whose own are too old for them.
pub const LIBRARIES: &[&str] = &["libc6", "libelf1t64", "libelf1", "zlib1g", "libzstd1"];

/// The packages that are wanted by their whole names.
fn named() -> impl Iterator<Item = &'static str> {
    LIBRARIES.iter().copied().chain(debian::packages())
}

/// A short name of what an index is cut down to: one that was kept for fewer packages is not taken for a whole one.
fn list_of_names() -> String {
    let all: Vec<&str> = PREFIXES.iter().copied().chain(named()).collect();
    hex(&Sha256::digest(all.join(" "))).get(..8).unwrap_or_default().to_owned()
}

/// The text that the archive's key has signed; a missing tool or keyring is told, a wrong signature is an error.
fn signed_text(release: &Path, suite: &str) -> Result<String> {
    let keyrings: Vec<&Path> = keyrings().collect();
    let whole =
        || fs::read_to_string(release).with_context(|| format!("cannot read `{}`", release.display()));
    let Some(gpgv) = tool::find("gpgv").filter(|_| !keyrings.is_empty()) else {
        tell(&format!(
            "the signature of `{suite}` is not verified: on Debian, run `apt-get install gpgv debian-archive-keyring`"
        ));
        return whole();
    };
    let signed = release.with_extension("signed");
    let _ = fs::remove_file(&signed);
    let mut command = Command::new(gpgv);
    for ring in keyrings {
        command.arg("--keyring").arg(ring);
    }
    command.args(["--status-fd", "1", "--output"]).arg(&signed).arg(release);
    let said = command.stdin(Stdio::null()).output().context("cannot run `gpgv`")?;
    // One of several signatures may be by a key that this machine does not have yet, so the exit code does not say enough.
    let status = String::from_utf8_lossy(&said.stdout);
    let has = |word: &str| status.lines().any(|line| line.split(' ').nth(1) == Some(word));
    if !has("VALIDSIG") || has("BADSIG") {
        let _ = fs::remove_file(&signed);
        if has("NO_PUBKEY") && !has("BADSIG") && std::env::var_os("GEMSCOPE_UNSIGNED").is_some() {
            tell(&format!("the signature of `{suite}` is not verified, as `GEMSCOPE_UNSIGNED` asks"));
            return whole();
        }
        let why =
            if has("NO_PUBKEY") { "is by a key that this machine does not have" } else { "is not good" };
        let message = format!(
            "the signature of `{suite}` {why}: run `apt-get install debian-archive-keyring` for the newest keys, or set \
             `GEMSCOPE_UNSIGNED=1` to go without"
        );
        return Err(Untrusted(message).into());
    }
    let text = fs::read_to_string(&signed).with_context(|| format!("cannot read `{}`", signed.display()))?;
    fs::remove_file(&signed)?;
    Ok(text)
}

/// The SHA256 that a release file has for one of its files.
fn sum_in_release(text: &str, file: &str) -> Option<String> {
    let mut inside = false;
    for line in text.lines() {
        if !line.starts_with(' ') {
            inside = line.trim_end() == "SHA256:";
        } else if inside {
            let mut words = line.split_whitespace();
            if let (Some(sum), Some(_), Some(name)) = (words.next(), words.next(), words.next())
                && name == file
            {
                return Some(sum.to_owned());
            }
        }
    }
    None
}

/// The packages of an index's text; a stanza without a path or a sum is not one that can be fetched.
fn parse(text: &str, suite: &str) -> Vec<Package> {
    text.split("\n\n")
        .filter_map(|stanza| {
            let fields: BTreeMap<&str, &str> = stanza
                .lines()
                .filter(|line| !line.starts_with(' '))
                .filter_map(|line| line.split_once(": "))
                .collect();
            let field = |name: &str| fields.get(name).map(|value| (*value).trim().to_owned());
            Some(Package {
                name: field("Package")?,
                version: field("Version")?,
                path: field("Filename")?,
                sha256: field("SHA256")?,
                suite: suite.to_owned(),
                depends: names(&field("Depends").unwrap_or_default()),
            })
        })
        .collect()
}

/// The names in a list of dependencies, without versions.
fn names(depends: &str) -> Vec<String> {
    let name = |one: &str| one.split(['(', '|', ':']).next().map(|name| name.trim().to_owned());
    depends.split(',').filter_map(name).filter(|name| !name.is_empty()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA256 of a file, in hexadecimal.
///
/// # Errors
/// When the file cannot be read.
pub fn sha256(file: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut open = fs::File::open(file).with_context(|| format!("cannot open `{}`", file.display()))?;
    std::io::copy(&mut open, &mut hash).with_context(|| format!("cannot read `{}`", file.display()))?;
    Ok(hex(&hash.finalize()))
}

/// Fetches a package and unpacks it into a folder.
///
/// # Errors
/// When it cannot be had, is not the one of the index, or cannot be unpacked.
pub fn unpack(mirror: &Mirror, package: &Package, into: &Path) -> Result<()> {
    let scratch = Scratch::new("deb")?;
    let file: PathBuf = scratch.path().join("package.deb");
    tell(&format!("fetching `{}` {} from `{}`", package.name, package.version, package.suite));
    mirror::fetch(
        &format!("{}/{}", mirror.base(&package.suite), package.path),
        &file,
        Some(&package.sha256),
    )?;
    let got = sha256(&file)?;
    if got != package.sha256 {
        bail!(
            "`{}` has SHA256 `{got}`, but the index says `{}`: try again later",
            package.name,
            package.sha256
        );
    }
    fs::create_dir_all(into)?;
    tool::output(tool::command("dpkg")?.arg("-x").arg(&file).arg(into))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_sum_in_the_right_section() {
        let text =
            "MD5Sum:\n aaaa 1 main/a\nSHA256:\n bbbb 1 main/ab\n cccc  22 main/a\nOther: x\n dddd 1 main/b\n";
        assert_eq!(sum_in_release(text, "main/a").as_deref(), Some("cccc"));
        assert_eq!(sum_in_release(text, "main/b"), None);
    }

    #[test]
    fn dependencies_are_names() {
        assert_eq!(names("a (= 1:2-3), b | c, d:any (>= 1)"), ["a", "b", "d"]);
        assert!(names("").is_empty());
    }

    #[test]
    fn parses_whole_stanzas_only() {
        let text = "Package: linux-image-1\nVersion: 1-1\nDescription: a\n Filename: no\nFilename: pool/a.deb\nSHA256: ab\n\n\
                    Package: linux-image-2\nVersion: 1\nFilename: pool/b.deb\n\n";
        let got = parse(text, "sid");
        assert_eq!(got.len(), 1);
        assert_eq!((got[0].name.as_str(), got[0].path.as_str()), ("linux-image-1", "pool/a.deb"));
    }
}
