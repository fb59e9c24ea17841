//! Kprobe events in tracefs: made, looked up, counted, removed.
//!
//! An event outlives the process that made it, so each carries its maker's pid in the group name; see
//! [`crate::remover`] for what removes them when gemscope is killed.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// How every group of ours begins; the maker's pid follows.
const PREFIX: &str = "gemscope_";

/// How many calls of one function may be under way before a return is missed. The kernel's own default is twice the
/// cpus or less, and calls that sleep on a contended mutex are the ones a race detector must not miss.
const MAX_ACTIVE: u32 = 512;

/// What an event sits on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A function's entry.
    Entry,
    /// A function's return.
    Return,
}

/// The kprobe events of this process.
#[derive(Debug)]
pub struct Events {
    root: PathBuf,
    group: String,
    /// Open since before privileges were given up; appending, because truncating it removes every event of the machine.
    control: File,
    profile: Option<File>,
    made: Vec<String>,
}

/// How often an event was hit and missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// The probe fired.
    pub hits: u64,
    /// The kernel could not let it fire.
    pub missed: u64,
}

impl Events {
    /// Opens the files and removes what dead processes left behind.
    ///
    /// # Errors
    /// tracefs has no `kprobe_events` that may be written.
    pub fn open(root: &Path, group: &str) -> io::Result<Self> {
        let control = OpenOptions::new().append(true).open(root.join("kprobe_events"))?;
        let profile = File::open(root.join("kprobe_profile")).ok();
        let events =
            Self { root: root.to_owned(), group: group.to_owned(), control, profile, made: Vec::new() };
        events.remove_stale();
        Ok(events)
    }

    /// The group that this process's events are in.
    #[must_use]
    pub fn own_group() -> String {
        format!("{PREFIX}{}", std::process::id())
    }

    /// Makes an event on a function, given by its symbol or its address, and gives its id.
    ///
    /// # Errors
    /// The kernel's refusal: no such symbol, or one that may not be probed.
    pub fn make(&mut self, name: &str, place: Place, function: &str) -> io::Result<u64> {
        let group = &self.group;
        let line = match place {
            Place::Entry => format!("p:{group}/{name} {function}\n"),
            Place::Return => format!("r{MAX_ACTIVE}:{group}/{name} {function}\n"),
        };
        // One write, one command: a file descriptor takes it whole or not at all.
        self.control.write_all(line.as_bytes())?;
        self.made.push(name.to_owned());
        let path = self.root.join("events").join(group).join(name).join("id");
        fs::read_to_string(path)?.trim().parse().map_err(|_| io::Error::other("the event's id is no number"))
    }

    /// Removes an event that was made and could not be used.
    pub fn unmake(&mut self, name: &str) {
        self.made.retain(|made| made != name);
        let _ = remove(&mut self.control, &self.group, name);
    }

    /// Hits and misses by event name.
    pub fn hits(&mut self) -> BTreeMap<String, Hits> {
        let mut text = String::new();
        let Some(profile) = &mut self.profile else { return BTreeMap::new() };
        // The counts are made up at each read from the start.
        if profile.seek(SeekFrom::Start(0)).is_err() || profile.read_to_string(&mut text).is_err() {
            return BTreeMap::new();
        }
        let mut all = parse_profile(&text);
        all.retain(|name, _| self.made.contains(name));
        all
    }

    /// Removes every event. The programs must have been detached before.
    pub fn remove_all(&mut self) {
        for name in std::mem::take(&mut self.made) {
            if let Err(error) = remove(&mut self.control, &self.group, &name) {
                tracing::debug!("the event `{}/{name}` could not be removed: {error}", self.group);
            }
        }
    }

    fn remove_stale(&self) {
        let Ok(mut control) = self.control.try_clone() else { return };
        for (group, name) in listed(&self.root) {
            if maker(&group).is_some_and(|pid| !alive(pid)) {
                let _ = remove(&mut control, &group, &name);
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.remove_all();
    }
}

/// Removes a whole group, whoever made it.
///
/// # Errors
/// The control file could not be opened.
pub fn remove_group(root: &Path, group: &str) -> io::Result<()> {
    let mut control = OpenOptions::new().append(true).open(root.join("kprobe_events"))?;
    for (_, name) in listed(root).into_iter().filter(|(g, _)| g == group) {
        // The kernel takes the programs away when the last fd is closed, which may lag behind the process's end.
        for _ in 0..50 {
            if remove(&mut control, group, &name).is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    Ok(())
}

/// Is this the name of a group of ours?
#[must_use]
pub fn is_ours(group: &str) -> bool {
    maker(group).is_some()
}

fn remove(control: &mut File, group: &str, name: &str) -> io::Result<()> {
    control.write_all(format!("-:{group}/{name}\n").as_bytes())
}

/// Every event in tracefs that is in a group of ours: group and name.
fn listed(root: &Path) -> Vec<(String, String)> {
    fs::read_to_string(root.join("kprobe_events")).map(|text| parse_list(&text)).unwrap_or_default()
}

fn parse_list(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (group, rest) = rest.split_once('/')?;
            let name = rest.split_whitespace().next()?;
            is_ours(group).then(|| (group.to_owned(), name.to_owned()))
        })
        .collect()
}

fn parse_profile(text: &str) -> BTreeMap<String, Hits> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?.to_owned();
            let hits = words.next()?.parse().ok()?;
            let missed = words.next()?.parse().ok()?;
            Some((name, Hits { hits, missed }))
        })
        .collect()
}

/// The pid in a group's name.
fn maker(group: &str) -> Option<u32> {
    group.strip_prefix(PREFIX)?.parse().ok()
}

fn alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_groups_of_ours_are_listed() {
        let text = "p:gemscope_12/handle_create_e drm:drm_gem_handle_create_tail\n\
                    r512:gemscope_12/handle_create_r drm:drm_gem_handle_create_tail\n\
                    p:kprobes/myprobe do_sys_open\np:gemscope_x/y z\n\n";
        let names: Vec<_> = parse_list(text).into_iter().map(|(g, n)| format!("{g}/{n}")).collect();
        assert_eq!(names, ["gemscope_12/handle_create_e", "gemscope_12/handle_create_r"]);
        assert_eq!(maker("gemscope_4194304"), Some(4_194_304));
        assert_eq!(maker("gemscope_"), None);
    }

    #[test]
    fn the_profile_is_read_by_columns() {
        let text =
            "  handle_create_e                                      12               0\n  b_r 3 4\nnoise\n";
        let hits = parse_profile(text);
        assert_eq!(hits["handle_create_e"], Hits { hits: 12, missed: 0 });
        assert_eq!(hits["b_r"], Hits { hits: 3, missed: 4 });
        assert_eq!(hits.len(), 2);
    }
}
