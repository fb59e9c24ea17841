//! Values of arguments: what is accepted, and what to say when it is not.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use gemscope_common::{COMM_LEN, ProbeId, Profile};
use gemscope_model::Era;
use gemscope_policy::{Kind, Leniency, Scope};
use gemscope_probes::catalogue::Row;
use gemscope_report::escape;

/// Smallest and largest ring buffer, bytes.
const RING: std::ops::RangeInclusive<usize> = 4096..=1 << 30;

/// A file, where standard output does not do.
pub fn file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path.as_os_str() == "-" {
        true => Err("stdout does not do here: give a file; one of that name is `./-`"),
        false => Ok(path),
    })
}

/// A probe of the kernel, by name.
pub fn probe(text: &str) -> Result<ProbeId, String> {
    let found = ProbeId::ALL.iter().copied().find(|p| p.name() == text && Row::of(*p).is_some());
    found.ok_or_else(|| {
        let names = ProbeId::ALL.iter().filter(|p| Row::of(**p).is_some()).map(|p| p.name());
        format!("no probe has this name{}; `gemscope probes` lists them", nearest(text, names))
    })
}

/// A rule profile, by name.
pub fn profile(text: &str) -> Result<Profile, String> {
    Profile::from_name(text).ok_or_else(|| {
        let names: Vec<_> = Profile::ALL.iter().map(|p| p.name()).collect();
        format!("the profiles are {}", names.join(", "))
    })
}

/// The rules of a kernel: a profile with features added or taken away.
pub fn era(text: &str) -> Result<Era, String> {
    Era::parse(text).map_err(|word| {
        let profiles: Vec<_> = Profile::ALL.iter().map(|p| p.name()).collect();
        let changes: Vec<_> = Era::changes().collect();
        format!(
            "`{}` is not known; the profiles are {}; after one, +WORD adds and -WORD takes away: {}",
            escape::name(word.as_bytes()),
            profiles.join(", "),
            changes.join(", ")
        )
    })
}

/// One kernel's rules, or all profiles.
pub fn eras(text: &str) -> Result<Eras, String> {
    match text {
        "all" => Ok(Eras::All),
        text => era(text).map(Eras::One),
    }
}

/// What `--profile` of `explore` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eras {
    /// Every profile as it was.
    All,
    /// This one.
    One(Era),
}

/// A source of records that is no kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The scenario, by name or path.
    pub scenario: String,
    /// The rules.
    pub era: Era,
}

/// `model:SCENARIO[@PROFILE]`
pub fn source(text: &str) -> Result<Source, String> {
    let Some(rest) = text.strip_prefix("model:").filter(|rest| !rest.is_empty()) else {
        return Err("the only source is `model:SCENARIO[@PROFILE]`".to_owned());
    };
    let (scenario, era) = match rest.rsplit_once('@') {
        Some((scenario, name)) => (scenario, era(name)?),
        None => (rest, newest()),
    };
    Ok(Source { scenario: scenario.to_owned(), era })
}

/// The newest rules.
pub fn newest() -> Era {
    Era::of(Profile::ALL.last().copied().unwrap_or(Profile::V7_0))
}

/// Seconds, as a number with a fraction.
pub fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n > 0.0 && n <= 1e9 => Ok(n),
        _ => Err("give seconds, as 10 or 0.5".to_owned()),
    }
}

/// Whom a verdict is about.
pub fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text)
}

/// What to make of what is no finding.
pub fn leniency(text: &str) -> Result<Leniency, String> {
    Leniency::from_name(text).ok_or_else(|| "give `fail`, `pass` or `warn`".to_owned())
}

/// `KIND=N`; bytes with a unit.
pub fn limit(text: &str) -> Result<(Kind, u64), String> {
    let kinds = || Kind::ALL.iter().map(|kind| kind.name());
    let (name, amount) = text.split_once('=').ok_or("give KIND=N, as handles=12 or bytes=64M")?;
    let kind = Kind::from_name(name).ok_or_else(|| {
        let all: Vec<_> = kinds().collect();
        format!("there is no kind of this name{}; the kinds are {}", nearest(name, kinds()), all.join(", "))
    })?;
    let amount = match kind {
        Kind::Bytes => bytes(amount).map(|n| n as u64),
        _ => amount.parse().ok(),
    };
    amount.map(|n| (kind, n)).ok_or_else(|| format!("`{name}` takes a number, as {name}=12"))
}

/// A limit of growth: of one kind, or of each that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// Of this kind.
    Of(Kind, u64),
    /// Of handles, dma-bufs, attachments and framebuffers each.
    Each(u64),
}

impl Growth {
    /// The limits by kind.
    #[must_use]
    pub fn limits(self) -> Vec<(Kind, u64)> {
        const EACH: [Kind; 4] = [Kind::Handles, Kind::Dmabufs, Kind::Attachments, Kind::Framebuffers];
        match self {
            Self::Of(kind, n) => vec![(kind, n)],
            Self::Each(n) => EACH.map(|kind| (kind, n)).into(),
        }
    }
}

/// `N` or `KIND=N`
pub fn growth(text: &str) -> Result<Growth, String> {
    match text.parse() {
        Ok(n) => Ok(Growth::Each(n)),
        Err(_) => limit(text).map(|(kind, n)| Growth::Of(kind, n)),
    }
}

/// The name of a mark.
pub fn mark(text: &str) -> Result<String, String> {
    match text.trim() {
        name if name.is_empty() || name.len() > 32 || name.contains(char::is_control) => {
            Err("give a name of 1 to 32 bytes, without control characters".to_owned())
        }
        name => Ok(name.to_owned()),
    }
}

/// The name of a thread, which the kernel cuts.
pub fn comm(text: &str) -> Result<String, String> {
    match text.len() {
        1..COMM_LEN => Ok(text.to_owned()),
        _ => Err(format!("the kernel keeps 1 to {} bytes of a thread's name: give those", COMM_LEN - 1)),
    }
}

/// A size of the ring buffer: the next power of two.
pub fn ring_size(text: &str) -> Result<usize, String> {
    let wrong = || "give a size from 4K to 1G, as 512K or 64M".to_owned();
    let bytes = bytes(text).and_then(usize::checked_next_power_of_two).ok_or_else(wrong)?;
    if RING.contains(&bytes) { Ok(bytes) } else { Err(wrong()) }
}

/// How much a flight recorder keeps.
pub fn flight(text: &str) -> Result<usize, String> {
    /// Less is over before anybody has looked.
    const LEAST: usize = 64 << 10;
    bytes(text).filter(|n| *n >= LEAST).ok_or_else(|| "give a size from 64K, as 512K or 64M".to_owned())
}

/// A size of memory.
pub fn memory(text: &str) -> Result<usize, String> {
    bytes(text).filter(|n| *n > 0).ok_or_else(|| "give a size, as 512M or 8G".to_owned())
}

/// Bytes, with a unit.
fn bytes(text: &str) -> Option<usize> {
    gemscope_policy::amount(text).and_then(|n| usize::try_from(n).ok())
}

/// `: did you mean X?` for the candidate that is nearest, or nothing.
pub fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    match gemscope_policy::nearest(text, candidates) {
        Some(best) => format!(": did you mean `{}`?", escape::name(best.as_bytes())),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(ring_size("4096"), Ok(4096));
        assert_eq!(ring_size("512K"), Ok(512 << 10));
        assert_eq!(ring_size("3m"), Ok(4 << 20));
        assert_eq!(ring_size("64MiB"), Ok(64 << 20));
        for wrong in ["", "K", "1", "2G", "1T", "-1", "18446744073709551615", "99999999999999999999K"] {
            assert!(ring_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn scopes_and_limits() {
        assert_eq!(scope("machine"), Ok(Scope::Machine));
        assert_eq!(scope("pid:12"), Ok(Scope::Pid(12)));
        assert_eq!(scope("comm:a:b"), Ok(Scope::Comm("a:b".to_owned())));
        assert_eq!(scope("cgroup:/a"), Ok(Scope::Cgroup("/a".to_owned())));
        for wrong in ["", "pid:", "pid:x", "comm:", "cgroup:", "device:card0", "Machine"] {
            assert!(scope(wrong).is_err(), "{wrong}");
        }
        assert_eq!(limit("handles=0"), Ok((Kind::Handles, 0)));
        assert_eq!(limit("bytes=64M"), Ok((Kind::Bytes, 64 << 20)));
        assert!(limit("handle=1").unwrap_err().contains("did you mean `handles`"));
        for wrong in ["", "12", "handles", "handles=", "handles=-1", "handles=1K", "bytes=1T"] {
            assert!(limit(wrong).is_err(), "{wrong}");
        }
        assert_eq!(growth("2").unwrap().limits().len(), 4);
        assert_eq!(growth("objects=2").unwrap().limits(), [(Kind::Objects, 2)]);
        assert!(
            mark(" closed ").is_ok()
                && mark("").is_err()
                && mark("a\nb").is_err()
                && mark(&"x".repeat(33)).is_err()
        );
    }

    #[test]
    fn eras_and_sources() {
        assert_eq!(era("v6.16+change-handle").unwrap().name(), "v6.16+change-handle");
        let says = era("v6.16+nonsense").unwrap_err();
        for word in ["`nonsense`", "v3.5", "change-handle", "change-handle-two-stage"] {
            assert!(says.contains(word), "{says}");
        }
        assert_eq!(eras("all"), Ok(Eras::All));
        let plain = Source { scenario: "twins".to_owned(), era: newest() };
        assert_eq!(source("model:twins"), Ok(plain));
        assert_eq!(source("model:a@b/c@v3.9").unwrap().scenario, "a@b/c");
        assert!(source("kernel").is_err() && source("model:").is_err() && source("model:x@y").is_err());
        assert_eq!(memory("3M"), Ok(3 << 20));
        assert!(memory("0").is_err() && memory("1X").is_err());
    }

    #[test]
    fn names() {
        assert_eq!(probe("handle-create"), Ok(ProbeId::HandleCreate));
        assert!(probe("handle-crate").unwrap_err().contains("did you mean `handle-create`"));
        assert!(probe("settle").is_err());
        assert!(probe("\x1b[2J").is_err());
        assert_eq!(profile("v6.2"), Ok(Profile::V6_2));
        assert!(profile("6.2").unwrap_err().contains("v6.2"));
        assert!(comm("").is_err() && comm("sixteen-bytes-no").is_err() && comm("kworker").is_ok());
        assert_eq!(seconds("0.5"), Ok(0.5));
        assert!(seconds("0").is_err() && seconds("nan").is_err() && seconds("-1").is_err());
    }
}
