//! The archive this machine's apt is set up with, and files fetched from it.
//!
//! Nothing here knows a host: the base addresses come from `/etc/apt/sources.list` and `/etc/apt/sources.list.d`, or from
//! `GEMSCOPE_MIRROR`, and the fetching is apt's own, so that its proxies and credentials hold.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tool;

const APT: &str = "/etc/apt";
const HELPER: &str = "/usr/lib/apt/apt-helper";

/// Code names and roles by which a Debian suite is known from another archive's.
const DEBIAN: &[&str] = &[
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "experimental",
];

/// The base addresses of the Debian archive and of its security archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    main: String,
    security: String,
}

impl Mirror {
    /// Reads apt's configuration.
    ///
    /// # Errors
    /// When apt has no Debian archive configured.
    pub fn configured() -> Result<Self> {
        if let Some(base) = std::env::var("GEMSCOPE_MIRROR").ok().filter(|base| !base.is_empty()) {
            return Ok(Self::from_entries(&[(base, "stable".into())]).expect("a Debian suite was given"));
        }
        let mut entries = Vec::new();
        let mut files = vec![Path::new(APT).join("sources.list")];
        if let Ok(dir) = fs::read_dir(Path::new(APT).join("sources.list.d")) {
            let mut more: Vec<_> = dir.flatten().map(|entry| entry.path()).collect();
            more.sort();
            files.extend(more);
        }
        for file in files {
            let Ok(text) = fs::read_to_string(&file) else { continue };
            match file.extension().and_then(|end| end.to_str()) {
                Some("sources") => entries.extend(deb822(&text)),
                Some("list") => entries.extend(one_line(&text)),
                _ => {}
            }
        }
        Self::from_entries(&entries).context(
            "apt has no Debian archive configured in `/etc/apt`: the kernels come from it; set `GEMSCOPE_MIRROR` to the base \
             address of a Debian mirror",
        )
    }

    /// Chooses from (address, suite) pairs.
    fn from_entries(entries: &[(String, String)]) -> Option<Self> {
        let usable = |address: &str| {
            ["http://", "https://", "file:", "mirror+"].iter().any(|s| address.starts_with(s))
        };
        let debian = |suite: &str| {
            let name = suite.split(['-', '/']).next().unwrap_or(suite);
            DEBIAN.contains(&name)
        };
        let secure = |suite: &str| suite.ends_with("-security") || suite.ends_with("/updates");
        let find = |wanted: bool| {
            entries
                .iter()
                .find(|(address, suite)| usable(address) && debian(suite) && secure(suite) == wanted)
                .map(|(address, _)| address.trim_end_matches('/').to_owned())
        };
        let beside = |base: &str, from: &str, to: &str| match base.strip_suffix(from) {
            Some(head) => format!("{head}{to}"),
            None => base.to_owned(),
        };
        match (find(false), find(true)) {
            (Some(main), Some(security)) => Some(Self { main, security }),
            (Some(main), None) => {
                let security = beside(&main, "/debian", "/debian-security");
                Some(Self { main, security })
            }
            (None, Some(security)) => {
                let main = beside(&security, "/debian-security", "/debian");
                Some(Self { main, security })
            }
            (None, None) => None,
        }
    }

    /// The base address that carries a suite.
    pub fn base(&self, suite: &str) -> &str {
        if suite.ends_with("-security") { &self.security } else { &self.main }
    }
}

/// (address, suite) pairs of a deb822 `.sources` file.
fn deb822(text: &str) -> Vec<(String, String)> {
    let mut entries = Vec::new();
    for stanza in text.split("\n\n") {
        let field = |name: &str| -> Vec<String> {
            let mut words = Vec::new();
            let mut inside = false;
            for line in stanza.lines().filter(|line| !line.starts_with('#')) {
                let value = match line.split_once(':') {
                    Some((key, value)) if !line.starts_with([' ', '\t']) => {
                        inside = key.eq_ignore_ascii_case(name);
                        value
                    }
                    _ => line,
                };
                if inside {
                    words.extend(value.split_whitespace().map(str::to_owned));
                }
            }
            words
        };
        if !field("Types").iter().any(|kind| kind == "deb")
            || field("Enabled").iter().any(|word| word == "no")
        {
            continue;
        }
        let suites = field("Suites");
        for address in field("URIs") {
            entries.extend(suites.iter().map(|suite| (address.clone(), suite.clone())));
        }
    }
    entries
}

/// (address, suite) pairs of a one-line-a-source file.
fn one_line(text: &str) -> Vec<(String, String)> {
    let mut entries = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(rest) = line.strip_prefix("deb ").or_else(|| line.strip_prefix("deb\t")) else { continue };
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('[').and_then(|options| options.split_once(']')) {
            Some((_, rest)) => rest,
            None => rest,
        };
        let mut words = rest.split_whitespace();
        if let (Some(address), Some(suite)) = (words.next(), words.next()) {
            entries.push((address.to_owned(), suite.to_owned()));
        }
    }
    entries
}

/// Fetches one file, over what was there; checks its SHA256 when one is given.
///
/// # Errors
/// When apt's helper is missing, or the file cannot be had or is not the one expected.
pub fn fetch(address: &str, file: &Path, sha256: Option<&str>) -> Result<()> {
    if !Path::new(HELPER).exists() {
        bail!("`{HELPER}` is missing: stock kernels are fetched with apt, on Debian or a relative of it");
    }
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    let _ = fs::remove_file(part);
    let mut command = Command::new(HELPER);
    command.args(["-o", "APT::Sandbox::User=root", "download-file", address]).arg(part);
    if let Some(sum) = sha256 {
        command.arg(format!("SHA256:{sum}"));
    }
    tool::output(&mut command)?;
    fs::rename(part, file).with_context(|| format!("cannot keep `{}`", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn reads_both_formats() {
        let text = "Types: deb\n# http://comment/\nURIs: http://one/debian\nSuites: bookworm\n bookworm-updates\nComponents: main\n\n\
                    Types: deb-src\nURIs: http://two/debian\nSuites: sid\n\nEnabled: no\nTypes: deb\nURIs: http://three\nSuites: sid\n";
        let want = [("http://one/debian", "bookworm"), ("http://one/debian", "bookworm-updates")];
        assert_eq!(deb822(text), pairs(&want));
        let text = "# deb http://no/ x\ndeb [arch=amd64 signed-by=/a/b] http://one/debian/ trixie main # why\ndeb-src http://two sid main\n";
        assert_eq!(one_line(text), pairs(&[("http://one/debian/", "trixie")]));
    }

    #[test]
    fn chooses_debian_only_and_derives_the_security_archive() {
        let mirror = |list: &[(&str, &str)]| Mirror::from_entries(&pairs(list));
        assert_eq!(mirror(&[("https://vendor/apt", "cloud-sdk-bookworm"), ("cdrom:x", "trixie")]), None);
        let got = mirror(&[("https://vendor/apt", "nodistro"), ("http://m/debian/", "bookworm-updates")])
            .expect("one");
        assert_eq!(got.base("sid"), "http://m/debian");
        assert_eq!(got.base("bookworm-security"), "http://m/debian-security");
        let got = mirror(&[("http://s/x-sec", "bookworm-security"), ("http://m/debian", "bookworm")])
            .expect("both");
        assert_eq!((got.base("trixie"), got.base("trixie-security")), ("http://m/debian", "http://s/x-sec"));
    }
}
