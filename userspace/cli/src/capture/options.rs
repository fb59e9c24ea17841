//! From the options as typed to those of a session.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use gemscope_live::{Device, Filter, Options};
use gemscope_probes::catalogue;
use gemscope_report::escape;

use crate::args::CaptureArgs;

/// The session's options, and the filters as the report shall tell them.
///
/// # Errors
/// A cgroup, a device or a process that does not exist.
pub fn resolve(args: &CaptureArgs, verbose: u8) -> anyhow::Result<(Options, Vec<String>)> {
    let CaptureArgs { pid, tree, comm, cgroup, device, ring_size, hot, deny, no_stacks, stall_reader } = args;
    let mut told: Vec<String> = Vec::new();
    for pid in pid {
        if !Path::new("/proc").join(pid.to_string()).exists() {
            bail!("no process has the pid `{pid}`: nothing of it could be seen");
        }
        told.push(format!("--pid={pid}"));
    }
    if *tree {
        told.push("--tree".to_owned());
    }
    for (name, value) in [("comm", comm), ("cgroup", cgroup), ("device", device)] {
        told.extend(value.iter().map(|v| format!("--{name}={v}")));
    }
    let filter = Filter {
        tgids: pid.clone(),
        tree: *tree,
        comm: comm.clone(),
        cgroup: cgroup.as_deref().map(cgroup_id).transpose()?,
        device: device.as_deref().map(self::device).transpose()?,
    };
    // The session takes hot probes all together: those not asked for are denied one by one.
    let mut deny = deny.clone();
    if !hot.is_empty() {
        deny.extend(catalogue::rows().filter(|r| r.hot && !hot.contains(&r.id)).map(|r| r.id));
    }
    let defaults = Options::default();
    let options = Options {
        hot: !hot.is_empty(),
        deny,
        filter,
        ring_bytes: ring_size.unwrap_or(defaults.ring_bytes),
        stacks: !no_stacks,
        kernel_log: verbose >= 2,
        stall_reader: stall_reader.map(Duration::from_millis),
        ..defaults
    };
    Ok((options, told))
}

/// The id of a cgroup: the inode number of its directory.
fn cgroup_id(text: &str) -> anyhow::Result<u64> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let path = cgroup_folder(text);
    let meta = fs::metadata(&path).with_context(|| {
        format!("no cgroup `{}` (version 2): `systemd-cgls` lists them", escape::long(text.as_bytes()))
    })?;
    Ok(meta.ino())
}

/// The folder of a cgroup, given as a path below the mount or with it.
pub fn cgroup_folder(text: &str) -> PathBuf {
    let below = text.strip_prefix("/sys/fs/cgroup").unwrap_or(text).trim_start_matches('/');
    Path::new("/sys/fs/cgroup").join(below)
}

/// A device by its node or its driver.
fn device(text: &str) -> anyhow::Result<Device> {
    let node = text.strip_prefix("/dev/dri/").unwrap_or(text);
    let numbered = |prefix: &str| node.strip_prefix(prefix).and_then(|n| n.parse::<u32>().ok());
    if let Some(minor) = numbered("card").or_else(|| numbered("renderD")) {
        return Ok(Device { minors: vec![minor], driver: None });
    }
    if text.contains('/') || text.is_empty() {
        let shown = escape::long(text.as_bytes());
        bail!(
            "`{shown}` is no DRM device: give a node as card0 or /dev/dri/renderD128, or a driver's name as vgem"
        );
    }
    Ok(Device { minors: Vec::new(), driver: Some(text.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices() {
        let minors = |text| device(text).unwrap().minors;
        assert_eq!(minors("card0"), [0]);
        assert_eq!(minors("/dev/dri/renderD128"), [128]);
        assert_eq!(device("virtio_gpu").unwrap().driver.as_deref(), Some("virtio_gpu"));
        assert!(device("/dev/null").is_err() && device("").is_err());
    }

    #[test]
    fn only_the_hot_probes_asked_for() {
        let hot: Vec<_> = catalogue::rows().filter(|r| r.hot).map(|r| r.id).collect();
        let args = CaptureArgs { hot: vec![hot[0]], ..CaptureArgs::default() };
        let (options, told) = resolve(&args, 0).unwrap();
        assert!(options.hot && !options.deny.contains(&hot[0]));
        assert!(hot[1..].iter().all(|p| options.deny.contains(p)));
        assert!(told.is_empty());
        let args = CaptureArgs { pid: vec![u32::MAX], ..CaptureArgs::default() };
        assert!(resolve(&args, 0).unwrap_err().to_string().contains("no process"));
    }
}
