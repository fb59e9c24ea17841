//! Values of arguments: what is accepted, and what to say when it is not.

use gemscope_common::{COMM_LEN, ProbeId, Profile};
use gemscope_model::Era;
use gemscope_probes::catalogue::Row;
use gemscope_report::escape;

/// Smallest and largest ring buffer, bytes.
const RING: std::ops::RangeInclusive<usize> = 4096..=1 << 30;

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
