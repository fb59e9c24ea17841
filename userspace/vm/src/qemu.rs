//! One boot of a guest: started, watched, and read out.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::kernels::Kernel;
use crate::modules::Device;
use crate::scratch::Scratch;
use crate::{accel, tell, tool};

/// The program that is a machine.
pub const PROGRAM: &str = "qemu-system-x86_64";
/// How much the guest may leave in `/out`; the disk is sparse.
const OUT_BYTES: u64 = 2 << 30;

/// How long a guest may take until its command begins. It takes a tenth of this; but an emulated cpu now and then never gets
/// its first timer interrupt, and the kernel waits for it for good.
const BOOT: Duration = Duration::from_secs(60);
/// The same on this machine's own cpus, where it takes a few seconds.
const FAST_BOOT: Duration = Duration::from_secs(20);
/// How often a guest is started before it counts as one that does not boot.
const BOOTS: u32 = 3;
/// How long the last of these may take.
const LAST_BOOT: Duration = Duration::from_secs(300);

/// What QEMU says when this machine's own cpus cannot go on; it waits then, for somebody to look into it.
const KVM_FAILED: &str = "KVM internal error";
/// The name that a guest mounts the host's file system by.
pub const SHARE: &str = "host";

/// A guest to boot.
pub struct Guest<'a> {
    /// The kernel.
    pub kernel: &'a Kernel,
    /// The root file system.
    pub initramfs: Vec<u8>,
    /// Devices with hardware get it.
    pub devices: &'a [&'a Device],
    /// How long it may take in all.
    pub timeout: Duration,
    /// Memory, in MiB.
    pub memory: u32,
    /// Where the files of `/out` go.
    pub out: Option<&'a Path>,
    /// Further words of the kernel's command line.
    pub append: &'a str,
    /// How its cpus run.
    pub cpus: Cpus,
    /// Offer it this machine's files, to read, by the name of [`SHARE`].
    pub share: bool,
    /// Asked from time to time: is it to end now?
    pub stop: Option<&'a dyn Fn() -> bool>,
}

/// How a guest's cpus run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cpus {
    /// Emulated: the same on every machine.
    Emulated,
    /// On this machine's own where that works, else emulated.
    Own,
    /// One, emulated, and the clock goes on by [`NS_PER_INSTRUCTION`] with each of its instructions: what something costs
    /// does not depend on what else this machine does. Slower than the others.
    Counted,
}

/// Of [`Cpus::Counted`].
pub const NS_PER_INSTRUCTION: u64 = 1 << COUNTED_SHIFT;
const COUNTED_SHIFT: u32 = 1;

/// What came of a command in a guest.
#[derive(Debug)]
pub struct Outcome {
    /// The command's exit code.
    pub code: i32,
    /// Lines of the kernel's log that tell of a fault in it.
    pub complaints: Vec<String>,
    /// From the start of QEMU to its end.
    pub took: Duration,
}

/// QEMU itself ended by a signal: that says nothing about what ran in the guest.
#[derive(Debug)]
pub struct Crashed(String);

impl std::fmt::Display for Crashed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Crashed {}

/// Where the command's output goes as it comes.
pub struct Sinks<'a> {
    /// Its standard output.
    pub out: &'a mut (dyn Write + Send),
    /// Its standard error.
    pub err: &'a mut (dyn Write + Send),
}

/// Of every guest. Taking probes off waits for all cpus, probe by probe: expedited, that is half the time of a run.
const APPEND: &str = "console=ttyS0 panic=-1 quiet mitigations=off rcupdate.rcu_expedited=1";

impl Guest<'_> {
    /// Boots, runs the command, and returns its exit code; output goes to the sinks as it comes.
    ///
    /// # Errors
    /// When QEMU cannot be run, or the guest does not come to the command's end; the error names the kept console log.
    pub fn run(&self, mut sinks: Sinks<'_>) -> Result<Outcome> {
        let name = &self.kernel.version;
        if self.cpus == Cpus::Own
            && std::env::var_os(accel::CHOSEN).is_none()
            && let Some(outcome) = self.boot_fast(&mut sinks)?
        {
            return Ok(outcome);
        }
        let accelerator = self.accelerator()?;
        // Nothing can be late for a clock that goes with the cpu: it is only slow.
        let boots = if self.cpus == Cpus::Counted { 1 } else { BOOTS };
        for _ in 1..boots {
            if let Some(outcome) = self.boot(&mut sinks, &accelerator, BOOT, false)? {
                return Ok(outcome);
            }
            tell(&format!(
                "the guest of `{name}` did not come up, or not in {} s: once more",
                BOOT.as_secs()
            ));
        }
        let outcome = self.boot(&mut sinks, &accelerator, self.timeout.min(LAST_BOOT), true)?;
        outcome.with_context(|| format!("the guest of `{name}` was not up in time"))
    }

    /// The same on this machine's own cpus; `None` where that is not possible.
    fn boot_fast(&self, sinks: &mut Sinks<'_>) -> Result<Option<Outcome>> {
        if !accel::kvm_is_usable() {
            tell("`/dev/kvm` is missing or closed to this user: the guest is emulated, which is slower");
            return Ok(None);
        }
        let outcome = self.boot(sinks, accel::KVM, FAST_BOOT, false)?;
        if outcome.is_none() {
            let name = &self.kernel.version;
            tell(&format!(
                "the guest of `{name}` does not come up with `/dev/kvm`: it is emulated, which is slower"
            ));
        }
        Ok(outcome)
    }

    /// The same; `None` when the command has not begun after `patience`, and so has done nothing.
    fn boot(
        &self,
        sinks: &mut Sinks<'_>,
        accelerator: &str,
        patience: Duration,
        last: bool,
    ) -> Result<Option<Outcome>> {
        let scratch = Scratch::new("vm")?;
        let dir = scratch.path();
        let console = dir.join("console");
        let mut command = self.command(dir, accelerator)?;
        command.arg("-append").arg(format!("{APPEND} {}", self.append));
        command.arg("-chardev").arg(file_device("con", &console)).args(["-serial", "chardev:con"]);
        command.args(["-monitor", "none", "-device", "virtio-serial-pci"]);
        let ports = ["stdout", "stderr", "events"].map(|name| dir.join(name));
        for (number, path) in ports.iter().enumerate() {
            let id = format!("port{}", number + 1);
            command.arg("-chardev").arg(file_device(&id, path));
            command.args(["-device", &format!("virtserialport,chardev={id},nr={}", number + 1)]);
        }
        let disk = dir.join("out.tar");
        File::create(&disk)?.set_len(OUT_BYTES)?;
        command.arg("-drive").arg(joined("format=raw,if=virtio,file=", &disk));

        let begin = Instant::now();
        let mut child = start(&mut command, dir)?;
        let [out, err, events] = &ports;
        let mut out = Tail::new(out, &mut *sinks.out);
        let mut err = Tail::new(err, &mut *sinks.err);
        let end = loop {
            let ended = child.try_wait().context("cannot wait for QEMU")?;
            out.drain()?;
            err.drain()?;
            if ended.is_some() || begin.elapsed() > self.timeout {
                break ended;
            }
            if self.stop.is_some_and(|stop| stop()) {
                stop(&mut child);
                bail!("the guest of `{}` was stopped by a signal: nothing was judged", self.kernel.version);
            }
            let failed = gave_up(accelerator, dir);
            if !has_begun(events) && (begin.elapsed() > patience || failed) {
                stop(&mut child);
                return Ok(None);
            }
            if failed {
                stop(&mut child);
                bail!(
                    "`/dev/kvm` failed while the command ran in the guest of `{}`: set `{}=tcg` to emulate it",
                    self.kernel.version,
                    accel::CHOSEN
                );
            }
            thread::sleep(Duration::from_millis(20));
        };
        if end.is_none() {
            stop(&mut child);
            out.drain()?;
            err.drain()?;
        }
        let took = begin.elapsed();
        // A busy machine emulates timers so late that a kernel may take them for broken, and panic; and QEMU itself now and then
        // fails an assertion of its own while devices come up.
        let crashed = end.is_some_and(|status| status.signal().is_some());
        let died = end.is_some_and(|status| status.success() || crashed || accelerator == accel::KVM);
        if died && !last && !has_begun(events) {
            return Ok(None);
        }
        let events = fs::read_to_string(events).unwrap_or_default();
        match self.judge(end, &events, took) {
            Ok(outcome) => {
                if let Some(out) = self.out {
                    bring_out(&disk, out)?;
                }
                Ok(Some(outcome))
            }
            Err(why) => {
                let said = fs::read_to_string(dir.join("qemu")).unwrap_or_default();
                let said =
                    said.lines().next_back().map(|line| format!("; QEMU said: {line}")).unwrap_or_default();
                let text = format!("{why}{said}; {}", keep(&console, &self.kernel.version));
                Err(if crashed { Crashed(text).into() } else { anyhow::Error::msg(text) })
            }
        }
    }

    /// Boots into a shell on this terminal.
    ///
    /// # Errors
    /// When QEMU cannot be run.
    pub fn shell(&self) -> Result<()> {
        let scratch = Scratch::new("vm")?;
        let accelerator = self.accelerator()?;
        let mut command = self.command(scratch.path(), &accelerator)?;
        command.arg("-append").arg(format!("{APPEND} {}", self.append));
        command.args([
            "-chardev",
            "stdio,id=con,mux=on,signal=off",
            "-serial",
            "chardev:con",
            "-mon",
            "chardev=con",
        ]);
        let status = command.status().with_context(|| format!("cannot run `{PROGRAM}`"))?;
        if !status.success() {
            bail!("QEMU failed ({status})");
        }
        Ok(())
    }

    /// What emulates the cpus, or what was chosen by hand in its place.
    fn accelerator(&self) -> Result<String> {
        if self.cpus == Cpus::Counted {
            return Ok(accel::ONE_AT_A_TIME.to_owned());
        }
        std::env::var(accel::CHOSEN).or_else(|_| Ok(accel::emulator(accel::version()?).to_owned()))
    }

    /// The part of the command line that every boot has.
    fn command(&self, dir: &Path, accelerator: &str) -> Result<Command> {
        let initramfs = dir.join("initramfs");
        fs::write(&initramfs, &self.initramfs)
            .with_context(|| format!("cannot write `{}`", initramfs.display()))?;
        let mut command = tool::command(PROGRAM)?;
        command.args([
            "-M",
            "q35",
            "-accel",
            accelerator,
            "-cpu",
            cpu(accelerator),
            "-smp",
            if self.cpus == Cpus::Counted { "1" } else { "2" },
            "-m",
            &self.memory.to_string(),
        ]);
        command.args(["-nodefaults", "-display", "none", "-vga", "none", "-no-reboot", "-no-user-config"]);
        command.arg("-kernel").arg(self.kernel.vmlinuz()).arg("-initrd").arg(&initramfs);
        if self.cpus == Cpus::Counted {
            command.arg("-icount").arg(format!("shift={COUNTED_SHIFT},sleep=off"));
        }
        for hardware in self.devices.iter().filter_map(|device| device.hardware) {
            command.args(["-device", hardware]);
        }
        if self.share {
            let files = format!("local,id={SHARE},path=/,security_model=none,readonly=on,multidevs=remap");
            let device = format!("virtio-9p-pci,fsdev={SHARE},mount_tag={SHARE}");
            command.args(["-fsdev", &files, "-device", &device]);
        }
        Ok(command)
    }

    /// The exit code, or why there is none.
    fn judge(&self, end: Option<ExitStatus>, events: &str, took: Duration) -> Result<Outcome, String> {
        let all = |word: &str| -> Vec<&str> {
            events.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).collect()
        };
        if let Some(why) = all("failed").first() {
            return Err(format!("in the guest of `{}`, {why}", self.kernel.version));
        }
        if let Some(code) = all("exit").last().and_then(|code| code.parse().ok()) {
            let complaints = all("complaint").into_iter().map(str::to_owned).collect();
            return Ok(Outcome { code, complaints, took });
        }
        let where_to =
            if all("ready").is_empty() { "before the command began" } else { "while the command ran" };
        let name = &self.kernel.version;
        Err(match end {
            None => format!(
                "the guest of `{name}` did not finish in {} s and was stopped {where_to} (more time: `--timeout`)",
                self.timeout.as_secs()
            ),
            Some(status) if status.success() => {
                format!("the guest of `{name}` went down {where_to}: a kernel panic?")
            }
            Some(status) => format!("QEMU failed ({status}) {where_to} in the guest of `{name}`"),
        })
    }
}

/// The guest's cpu.
fn cpu(accelerator: &str) -> &'static str {
    if accelerator == accel::KVM {
        // Where this machine is a guest itself, setting up what it knows of its flaws can fail.
        "host,-arch-capabilities"
    } else {
        // QEMU's translation of CMPXCHG16B now and then loads the flags with garbage, and the guest dies of a double
        // fault in kmalloc; without it the kernel takes another way.
        "max,-cx16"
    }
}

/// Has the guest said anything? Then its command begins.
fn has_begun(events: &Path) -> bool {
    fs::metadata(events).is_ok_and(|meta| meta.len() > 0)
}

/// Has QEMU said that this machine's own cpus cannot go on?
fn gave_up(accelerator: &str, dir: &Path) -> bool {
    accelerator == accel::KVM
        && fs::read_to_string(dir.join("qemu")).is_ok_and(|said| said.contains(KVM_FAILED))
}

/// Can the QEMU of this machine offer a guest this machine's files?
///
/// # Errors
/// When it is not installed or does not run.
pub fn can_share() -> Result<bool> {
    let said = tool::output(tool::command(PROGRAM)?.args(["-device", "help"]))?;
    Ok(String::from_utf8_lossy(&said.stdout).contains("\"virtio-9p-pci\""))
}

fn joined(head: &str, path: &Path) -> OsString {
    let mut word = OsString::from(head);
    word.push(path);
    word
}

fn file_device(id: &str, path: &Path) -> OsString {
    joined(&format!("file,id={id},path="), path)
}

/// Starts QEMU so that it does not outlive this process.
fn start(command: &mut Command, dir: &Path) -> Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(dir.join("qemu"))?);
    // SAFETY: prctl is safe to call between fork and exec, and takes no pointers here.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    command.spawn().with_context(|| format!("cannot run `{PROGRAM}`"))
}

/// Ends QEMU at once. It may have ended in between, and then there is nothing to kill.
fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Keeps the console's log, and says where it is and how it ends.
fn keep(console: &Path, version: &str) -> String {
    let kept = std::env::temp_dir().join(format!("gemscope-console-{version}-{}.log", std::process::id()));
    if let Err(error) = fs::copy(console, &kept) {
        return format!("the console's log could not be kept: {error}");
    }
    let text = fs::read(&kept).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut last: Vec<&str> = text.lines().rev().filter(|line| !line.trim().is_empty()).take(8).collect();
    last.reverse();
    format!("its console's log is in `{}`, and ends:\n  {}", kept.display(), last.join("\n  "))
}

/// Unpacks what the guest left in `/out`.
fn bring_out(disk: &Path, out: &Path) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("cannot make the folder `{}`", out.display()))?;
    tool::output(tool::command("tar")?.arg("--no-same-owner").arg("-xf").arg(disk).arg("-C").arg(out))?;
    Ok(())
}

/// A file that grows, copied to a sink as it does.
struct Tail<'a> {
    path: PathBuf,
    at: u64,
    sink: &'a mut (dyn Write + Send),
}

impl<'a> Tail<'a> {
    fn new(path: &Path, sink: &'a mut (dyn Write + Send)) -> Self {
        Self { path: path.to_path_buf(), at: 0, sink }
    }

    fn drain(&mut self) -> Result<()> {
        let Ok(mut file) = File::open(&self.path) else { return Ok(()) };
        file.seek(SeekFrom::Start(self.at))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        if !bytes.is_empty() {
            self.at += bytes.len() as u64;
            self.sink
                .write_all(&bytes)
                .and_then(|()| self.sink.flush())
                .context("cannot pass on the guest's output")?;
        }
        Ok(())
    }
}
