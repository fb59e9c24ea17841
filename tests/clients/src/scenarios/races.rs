//! Two threads that use one handle number at the same moment, to meet the kernel in the middle of a call.
//!
//! Nothing here is certain to happen at one try; it happens within a second or two.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::parts::{close_buffer, close_device, close_prime_fd, make_buffer, open_device, share};
use super::storms::join;
use crate::drm::{DrmFile, Handle};
use crate::options::Options;
use crate::outcome::{Failed, Outcome, Stop, holds};
use crate::sys::process::{end_on_term, stay_on_cpu, term_came};

/// The number of the only handle of a file: the lowest one.
const FIRST: Handle = Handle(1);

/// The number that a handle moves to: one that is never given out by itself here.
const MOVED: Handle = Handle(500);

/// So many vain tries follow each other without a pause.
const PATIENCE: u32 = 8;

/// So many moves that gave a handle twice are enough: the kernel writes a warning for each of them.
const ENOUGH: u64 = 4;

/// When to end: after so many rounds, after so many seconds, or on SIGTERM, whichever comes first.
struct Until {
    rounds: u64,
    time: Instant,
}

impl Until {
    fn asked(options: &Options) -> Outcome<Self> {
        end_on_term()?;
        let time = Instant::now() + Duration::from_secs(options.seconds.unwrap_or(2));
        Ok(Self { rounds: options.rounds.unwrap_or(u64::MAX), time })
    }

    fn is_over(&self, round: u64) -> bool {
        round >= self.rounds || term_came() || Instant::now() >= self.time
    }
}

/// A thread that waits looks so many times before it sleeps: where cpus are those of a virtual machine, one that only waits takes
/// the time away from the one that is waited for.
const LOOKS: u32 = 20_000;

/// How long it sleeps then.
const NAP: Duration = Duration::from_micros(20);

/// Where two threads meet, round by round: one moves a handle, one closes it.
#[derive(Default)]
struct Meeting {
    /// The closing thread is awake and looks for a round.
    awake: AtomicBool,
    /// The round that has begun; rounds count from 1.
    begun: AtomicU64,
    /// The last round in which the closing thread found the handle open.
    closed: AtomicU64,
    /// The last round that the closing thread has come to the end of.
    ended: AtomicU64,
    /// No further round comes.
    over: AtomicBool,
    aim: Aim,
}

impl Meeting {
    /// Waits until something holds, or no further round comes.
    fn wait(&self, holds: impl Fn() -> bool) {
        let enough = || holds() || self.is_over();
        while !look_for(enough) {
            thread::sleep(NAP);
        }
    }

    /// Waits for a round to begin; false when none comes any more.
    fn wait_for(&self, round: u64) -> bool {
        let begun = || self.begun.load(Ordering::Acquire) >= round || self.is_over();
        loop {
            self.awake.store(true, Ordering::Release);
            let came = look_for(begun);
            self.awake.store(false, Ordering::Release);
            if came {
                return !self.is_over();
            }
            thread::sleep(NAP);
        }
    }

    /// Begins a round as soon as the closing thread is awake: asleep, it would come too late.
    fn begin(&self, round: u64) {
        self.wait(|| self.awake.load(Ordering::Acquire));
        self.begun.store(round, Ordering::Release);
    }

    /// The closing thread has come to the end of a round.
    fn end(&self, round: u64) {
        self.ended.store(round, Ordering::Release);
    }

    fn wait_for_end(&self, round: u64) {
        self.wait(|| self.ended.load(Ordering::Acquire) >= round);
    }

    fn is_closed(&self, round: u64) -> bool {
        self.closed.load(Ordering::Acquire) >= round
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

/// Looks whether something holds, again and again for a while.
fn look_for(holds: impl Fn() -> bool) -> bool {
    (0..LOOKS).any(|_| {
        std::hint::spin_loop();
        holds()
    })
}

/// By how much one thread has to wait for the other after the beginning of a round, so that both meet: the closing thread when it
/// is more than nothing, the other one when it is less. Each round shows whether that was too much or too little.
#[derive(Default)]
struct Aim {
    spins: AtomicI32,
}

impl Aim {
    /// The longest pause: not much longer than a call takes. What is further away was an interrupted thread, and is not aimed at.
    const MOST: i32 = 10_000;

    /// The closing thread's pause.
    fn pause_before_close(&self) {
        pause(self.spins.load(Ordering::Relaxed));
    }

    /// The pause of the thread that is to be met.
    fn pause_before_call(&self) {
        pause(-self.spins.load(Ordering::Relaxed));
    }

    fn was_early(&self) {
        let spins = self.spins.load(Ordering::Relaxed);
        self.spins.store((spins + spins.abs() / 32 + 8).min(Self::MOST), Ordering::Relaxed);
    }

    fn was_late(&self) {
        let spins = self.spins.load(Ordering::Relaxed);
        self.spins.store((spins - spins.abs() / 32 - 8).max(-Self::MOST), Ordering::Relaxed);
    }
}

fn pause(spins: i32) {
    for _ in 0..spins {
        std::hint::spin_loop();
    }
}

/// What the threads of [`race_publication`] know of the handle with the first number.
#[derive(Default)]
struct Prey {
    /// A create is under way: the number may be given out at any moment.
    creating: AtomicBool,
    /// How often it was given out, as the creating thread has seen.
    given: AtomicU64,
    /// How often a guess has closed it.
    closed: AtomicU64,
    /// It is enough.
    over: AtomicBool,
}

impl Prey {
    /// A guess has a chance.
    fn is_near(&self) -> bool {
        let open = self.given.load(Ordering::Acquire) > self.closed.load(Ordering::Acquire);
        open || self.creating.load(Ordering::Acquire)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

/// One thread creates, others close the number that the new handle is going to have, as soon as it is given out.
///
/// Kernels before 6.16 (and before 6.1.146 and 6.12.39) give the number out while the create still works on the handle. Nobody
/// waits for anybody: where cpus are those of a virtual machine, the best moment is when one of them stands still in the middle of
/// a create. The creating thread closes only what got another number because nobody had closed the last one yet.
#[inline(never)]
pub fn race_publication(options: &Options) -> Outcome {
    let until = Until::asked(options)?;
    let file = open_device(options)?;
    let prey = Prey::default();
    let created = thread::scope(|scope| {
        let prey = &prey;
        let guessing: Vec<_> = (1..=options.threads.unwrap_or(1).max(1))
            .map(|cpu| scope.spawn(move || on_cpu(cpu, &prey.over, || close_guessed(file, prey))))
            .collect();
        let created = on_cpu(0, &prey.over, || create_and_leave(file, prey, &until));
        prey.over.store(true, Ordering::Release);
        guessing.into_iter().map(join).fold(Ok(()), Result::and)?;
        created
    })?;
    let left = close_if_open(file, FIRST)?;
    close_device(file)?;
    let guessed = prey.closed.into_inner();
    println!("{created} created, {guessed} of them closed by a guess, {} left", u64::from(left));
    Ok(())
}

/// Runs a thread's work on a cpu of its own, where there are enough of them, and ends the other ones' when it fails.
fn on_cpu<T>(cpu: u64, over: &AtomicBool, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let outcome = stay_on_cpu(cpu as usize).map_err(Stop::from).and_then(|()| work());
    if outcome.is_err() {
        over.store(true, Ordering::Release);
    }
    outcome
}

#[inline(never)]
fn create_and_leave(file: DrmFile, prey: &Prey, until: &Until) -> Outcome<u64> {
    let (mut created, mut unseen) = (0, 0);
    while !until.is_over(created) && !prey.is_over() {
        prey.creating.store(true, Ordering::Release);
        let buffer = make_buffer(file);
        created += 1;
        match buffer? {
            FIRST => {
                prey.given.fetch_add(1, Ordering::AcqRel);
                prey.creating.store(false, Ordering::Release);
                unseen = 0;
            }
            // The guessing threads are late.
            other => {
                prey.creating.store(false, Ordering::Release);
                close_buffer(file, other)?;
                unseen += 1;
                rest(unseen);
            }
        }
    }
    Ok(created)
}

#[inline(never)]
fn close_guessed(file: DrmFile, prey: &Prey) -> Outcome {
    let mut early = 0;
    while !prey.is_over() {
        if !look_for(|| prey.is_near()) {
            thread::sleep(NAP);
        } else if close_if_open(file, FIRST)? {
            prey.closed.fetch_add(1, Ordering::AcqRel);
            early = 0;
        } else {
            early += 1;
            rest(early);
        }
    }
    Ok(())
}

/// Sleeps after many vain tries in a row, and the longer the more there were: the other thread needs the cpu.
fn rest(vain: u32) {
    if let Some(more) = vain.checked_sub(PATIENCE) {
        thread::sleep(NAP * (1 << more.min(6)));
    }
}

/// One thread moves a handle to another number, another closes the old number meanwhile, and then the new one.
///
/// A kernel that can move handles and does not keep closes away from both numbers lets both closes succeed, though one handle
/// was counted. The object must survive that: two handles in another file keep its count above nothing during the race, and a
/// prime fd keeps the object itself, to the end of the round.
#[inline(never)]
pub fn race_change_handle(options: &Options) -> Outcome {
    let until = Until::asked(options)?;
    let (file, keeper) = (open_device(options)?, open_device(options)?);
    if !can_move_handles(file)? {
        close_device(keeper)?;
        close_device(file)?;
        return Err(Stop::Skip("this kernel does not move handles".to_owned()));
    }
    let meeting = Meeting::default();
    let done = thread::scope(|scope| {
        let closer = scope.spawn(|| on_cpu(1, &meeting.over, || close_old_in_rounds(file, &meeting)));
        let moved = on_cpu(0, &meeting.over, || move_in_rounds(file, keeper, &meeting, &until));
        meeting.over.store(true, Ordering::Release);
        join(closer)?;
        moved
    });
    close_device(keeper)?;
    close_device(file)?;
    let (rounds, twice) = done?;
    println!("{rounds} moved, {twice} of them closed under both numbers");
    Ok(())
}

/// Whether the ioctl is there. Kernels without it answer as to a wrong argument.
fn can_move_handles(file: DrmFile) -> Outcome<bool> {
    let buffer = make_buffer(file)?;
    let (can, now) = match file.change_handle(buffer, MOVED) {
        Ok(()) => (true, MOVED),
        Err(Failed { errno: libc::EINVAL, .. }) => (false, buffer),
        Err(failed) => return Err(failed.into()),
    };
    close_buffer(file, now)?;
    Ok(can)
}

#[inline(never)]
fn close_old_in_rounds(file: DrmFile, meeting: &Meeting) -> Outcome {
    let mut round = 1;
    while meeting.wait_for(round) {
        meeting.aim.pause_before_close();
        // Too late when the handle had moved. Whether a close that succeeded was early only the mover knows: the aim goes back
        // and forth between both.
        if close_if_open(file, FIRST)? {
            meeting.closed.store(round, Ordering::Release);
            meeting.aim.was_early();
        } else {
            meeting.aim.was_late();
        }
        meeting.end(round);
        round += 1;
    }
    Ok(())
}

/// The moving thread: gives the rounds, and how many of them closed one handle twice.
#[inline(never)]
fn move_in_rounds(file: DrmFile, keeper: DrmFile, meeting: &Meeting, until: &Until) -> Outcome<(u64, u64)> {
    let (mut round, mut twice) = (0, 0);
    while twice < ENOUGH && !until.is_over(round) && !meeting.is_over() {
        round += 1;
        twice += u64::from(move_beside_close(file, keeper, meeting, round)?);
    }
    Ok((round, twice))
}

/// One round; true when both numbers could be closed.
#[inline(never)]
fn move_beside_close(file: DrmFile, keeper: DrmFile, meeting: &Meeting, round: u64) -> Outcome<bool> {
    let buffer = make_buffer(file)?;
    holds(buffer == FIRST, || format!("the only handle of the file is {buffer}, not {FIRST}"))?;
    let name = file.flink(buffer)?;
    let kept = [keeper.open_name(name)?, keeper.open_name(name)?];
    let prime = share(file, buffer)?;

    meeting.begin(round);
    meeting.aim.pause_before_call();
    let moved = match file.change_handle(buffer, MOVED) {
        Ok(()) => true,
        // The close came first.
        Err(Failed { errno: libc::ENOENT, .. }) => false,
        Err(failed) => return Err(failed.into()),
    };
    meeting.wait_for_end(round);
    let closed = meeting.is_closed(round);
    holds(moved || closed, || "the handle was neither moved nor closed".to_owned())?;
    if moved {
        close_buffer(file, MOVED)?;
    }

    for handle in kept {
        close_buffer(keeper, handle)?;
    }
    close_prime_fd(prime)?;
    Ok(moved && closed)
}

/// One thread creates and closes, another closes numbers that it guesses, as fast as both can.
#[inline(never)]
pub fn race_create_against_close(options: &Options) -> Outcome {
    let file = open_device(options)?;
    let stop = AtomicBool::new(false);
    let (created, stolen) = thread::scope(|scope| {
        let creator = scope.spawn(|| create_until(file, &stop));
        let guesser = scope.spawn(|| close_guessed_until(file, &stop));
        thread::sleep(Duration::from_secs(options.seconds.unwrap_or(2)));
        stop.store(true, Ordering::Relaxed);
        Ok::<_, Stop>((join(creator)?, join(guesser)?))
    })?;
    // The last created buffer may still be open; nobody knows whether its close or the guess came first.
    for guess in GUESSES {
        close_if_open(file, Handle(guess))?;
    }
    close_device(file)?;
    println!("{created} created, {stolen} of them closed by the guessing thread");
    Ok(())
}

/// The numbers that a file with at most one open handle gives out, and some that it never does.
const GUESSES: std::ops::RangeInclusive<u32> = 1..=3;

#[inline(never)]
fn create_until(file: DrmFile, stop: &AtomicBool) -> Outcome<u64> {
    let mut created = 0;
    while !stop.load(Ordering::Relaxed) {
        let buffer = make_buffer(file)?;
        close_if_open(file, buffer)?;
        created += 1;
    }
    Ok(created)
}

#[inline(never)]
fn close_guessed_until(file: DrmFile, stop: &AtomicBool) -> Outcome<u64> {
    let mut stolen = 0;
    while !stop.load(Ordering::Relaxed) {
        for guess in GUESSES {
            stolen += u64::from(close_if_open(file, Handle(guess))?);
        }
    }
    Ok(stolen)
}

/// Closes a handle that someone else may have closed; true when it was open.
#[inline(never)]
fn close_if_open(file: DrmFile, handle: Handle) -> Outcome<bool> {
    match file.gem_close(handle) {
        Ok(()) => Ok(true),
        Err(Failed { errno: libc::EINVAL, .. }) => Ok(false),
        Err(failed) => Err(failed.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aim_settles_around_the_mark() {
        for mark in [-1000, 1000] {
            let aim = Aim::default();
            let spins = || aim.spins.load(Ordering::Relaxed);
            for _ in 0..200 {
                if spins() < mark { aim.was_early() } else { aim.was_late() }
            }
            assert!((spins() - mark).abs() < 100, "{}", spins());
        }
        let aim = Aim::default();
        for (step, end) in [(Aim::was_early as fn(&Aim), Aim::MOST), (Aim::was_late, -Aim::MOST)] {
            for _ in 0..2000 {
                step(&aim);
            }
            assert_eq!(aim.spins.load(Ordering::Relaxed), end);
        }
    }

    #[test]
    fn both_threads_see_every_round() {
        let meeting = Meeting::default();
        let met = thread::scope(|scope| {
            let other = scope.spawn(|| {
                let mut round = 1;
                while meeting.wait_for(round) {
                    meeting.end(round);
                    round += 1;
                }
                round - 1
            });
            for round in 1..=100 {
                meeting.begin(round);
                meeting.wait_for_end(round);
            }
            meeting.over.store(true, Ordering::Release);
            other.join()
        });
        assert_eq!(met.expect("it ends"), 100);
    }
}
