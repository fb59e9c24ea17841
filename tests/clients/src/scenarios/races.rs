//! Two threads that use one handle number at the same moment, to meet the kernel in the middle of a call.
//!
//! The threads work in rounds and in step, so that each round has one create or one move, and the close beside it. Every
//! close aims at the moment that the last rounds showed to be the right one: a little earlier when it was late, a little later
//! when it was early.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use super::parts::{close_buffer, close_device, close_prime_fd, make_buffer, open_device, share};
use super::storms::join;
use crate::drm::{DrmFile, Handle};
use crate::options::Options;
use crate::outcome::{Failed, Outcome, Stop, holds};
use crate::sys::process::{end_on_term, term_came};

/// The number of the only handle of a file: the lowest one.
const FIRST: Handle = Handle(1);

/// The number that a handle moves to: one that is never given out by itself here.
const MOVED: Handle = Handle(500);

/// So many moves that gave a handle twice are enough: the kernel writes a warning for each of them.
const ENOUGH: u64 = 8;

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

/// Where the threads meet. Waiting is spinning: a sleeping thread would come too late for anything.
#[derive(Default)]
struct Meeting {
    /// The round that has begun; rounds count from 1.
    begun: AtomicU64,
    /// The round in which someone has closed the handle.
    closed: AtomicU64,
    /// How often a closing thread has come to the end of a round.
    ended: AtomicU64,
    /// No further round comes.
    over: AtomicBool,
}

impl Meeting {
    /// Waits for the next round; false when there is none.
    fn next(&self, round: u64) -> bool {
        wait_until(|| self.begun.load(Ordering::Acquire) >= round || self.over.load(Ordering::Acquire));
        !self.over.load(Ordering::Acquire)
    }

    fn begin(&self, round: u64) {
        self.begun.store(round, Ordering::Release);
    }

    fn end_part(&self) {
        self.ended.fetch_add(1, Ordering::AcqRel);
    }

    /// Waits until so many parts of rounds have ended, or someone has given up.
    fn wait_for_ends(&self, ends: u64) {
        wait_until(|| self.ended.load(Ordering::Acquire) >= ends || self.over.load(Ordering::Acquire));
    }

    /// Sends everybody home.
    fn end(&self) {
        self.over.store(true, Ordering::Release);
    }
}

/// Spins, and gives the cpu away now and then: there may be fewer cpus than threads.
fn wait_until(holds: impl Fn() -> bool) {
    let mut spins = 0u32;
    while !holds() {
        spins = spins.wrapping_add(1);
        if spins.is_multiple_of(4096) {
            thread::yield_now();
        }
        std::hint::spin_loop();
    }
}

/// The pause between the beginning of a round and a close.
#[derive(Default)]
struct Aim {
    spins: u32,
}

impl Aim {
    /// The longest pause: some milliseconds, in case that the other thread was interrupted when it was last measured.
    const MOST: u32 = 1 << 20;

    fn pause(&self) {
        for _ in 0..self.spins {
            std::hint::spin_loop();
        }
    }

    fn was_early(&mut self) {
        self.spins = (self.spins + self.spins / 32 + 8).min(Self::MOST);
    }

    fn was_late(&mut self) {
        self.spins = self.spins.saturating_sub(self.spins / 32 + 8);
    }
}

/// One thread creates, another closes the number that the new handle is going to have, at the moment it is given out.
///
/// Kernels before 6.16 (and before 6.1.146 and 6.12.39) give the number out while the create still works on the handle. The
/// creating thread never closes: in each round the handle is closed once, by a thread that guessed its number.
#[inline(never)]
pub fn race_publication(options: &Options) -> Outcome {
    let until = Until::asked(options)?;
    let file = open_device(options)?;
    let guessers = options.threads.unwrap_or(1).max(1);
    let meeting = Meeting::default();
    let (rounds, refused) = thread::scope(|scope| {
        let guessing: Vec<_> =
            (0..guessers).map(|_| scope.spawn(|| meet(&meeting, || close_guessed(file, &meeting)))).collect();
        let created = create_in_rounds(file, &meeting, &until, guessers);
        meeting.end();
        let refused: Vec<_> = guessing.into_iter().map(join).collect();
        Ok::<_, Stop>((created?, refused.into_iter().sum::<Outcome<u64>>()?))
    })?;
    close_device(file)?;
    println!(
        "{rounds} created, each closed by a guess of its number; {refused} guesses came before it was given out"
    );
    Ok(())
}

/// Runs a thread's work, and sends the other ones home when it fails.
fn meet<T>(meeting: &Meeting, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let outcome = work();
    if outcome.is_err() {
        meeting.end();
    }
    outcome
}

#[inline(never)]
fn create_in_rounds(file: DrmFile, meeting: &Meeting, until: &Until, guessers: u64) -> Outcome<u64> {
    let mut round = 0;
    while !until.is_over(round) {
        round += 1;
        meeting.begin(round);
        let buffer = make_buffer(file)?;
        holds(buffer == FIRST, || format!("the only handle of the file is {buffer}, not {FIRST}"))?;
        meeting.wait_for_ends(round * guessers);
        if meeting.over.load(Ordering::Acquire) {
            break;
        }
    }
    Ok(round)
}

/// Closes the number as often as it takes in each round; gives how often that was too early.
#[inline(never)]
fn close_guessed(file: DrmFile, meeting: &Meeting) -> Outcome<u64> {
    let (mut aim, mut refused) = (Aim::default(), 0);
    let mut round = 1;
    while meeting.next(round) {
        aim.pause();
        let mut early = 0;
        while meeting.closed.load(Ordering::Acquire) < round && !meeting.over.load(Ordering::Acquire) {
            if close_if_open(file, FIRST)? {
                meeting.closed.store(round, Ordering::Release);
            } else {
                early += 1;
            }
        }
        if early > 0 {
            aim.was_early()
        } else {
            aim.was_late()
        }
        refused += early;
        meeting.end_part();
        round += 1;
    }
    Ok(refused)
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
        let race = Race { file, keeper, meeting: &meeting, closer: close_beside(scope, file, &meeting) };
        race.run(&until)
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

/// The thread that closes the old number, once a round. It tells what came of it through the meeting.
fn close_beside<'scope>(
    scope: &'scope Scope<'scope, '_>,
    file: DrmFile,
    meeting: &'scope Meeting,
) -> thread::ScopedJoinHandle<'scope, Outcome> {
    scope.spawn(move || meet(meeting, || close_old_in_rounds(file, meeting)))
}

#[inline(never)]
fn close_old_in_rounds(file: DrmFile, meeting: &Meeting) -> Outcome {
    let mut aim = Aim::default();
    let mut round = 1;
    while meeting.next(round) {
        aim.pause();
        // Too late when the handle had moved. Whether a close that succeeded was early only the mover knows: the aim goes back
        // and forth between both.
        if close_if_open(file, FIRST)? {
            meeting.closed.store(round, Ordering::Release);
            aim.was_early();
        } else {
            aim.was_late();
        }
        meeting.end_part();
        round += 1;
    }
    Ok(())
}

/// The moving side of [`race_change_handle`].
struct Race<'scope> {
    file: DrmFile,
    keeper: DrmFile,
    meeting: &'scope Meeting,
    closer: thread::ScopedJoinHandle<'scope, Outcome>,
}

impl Race<'_> {
    /// Gives the rounds, and how many of them closed one handle twice.
    fn run(self, until: &Until) -> Outcome<(u64, u64)> {
        let (mut round, mut twice) = (0, 0);
        let mut moves = || {
            while twice < ENOUGH && !until.is_over(round) && !self.meeting.over.load(Ordering::Acquire) {
                round += 1;
                twice += u64::from(self.move_beside_close(round)?);
            }
            Ok(())
        };
        let moved: Outcome = moves();
        self.meeting.end();
        join(self.closer)?;
        moved.map(|()| (round, twice))
    }

    /// One round; true when both numbers could be closed.
    #[inline(never)]
    fn move_beside_close(&self, round: u64) -> Outcome<bool> {
        let buffer = make_buffer(self.file)?;
        holds(buffer == FIRST, || format!("the only handle of the file is {buffer}, not {FIRST}"))?;
        let name = self.file.flink(buffer)?;
        let kept = [self.keeper.open_name(name)?, self.keeper.open_name(name)?];
        let prime = share(self.file, buffer)?;

        self.meeting.begin(round);
        let moved = match self.file.change_handle(buffer, MOVED) {
            Ok(()) => true,
            // The close came first.
            Err(Failed { errno: libc::ENOENT, .. }) => false,
            Err(failed) => return Err(failed.into()),
        };
        self.meeting.wait_for_ends(round);
        let closed = self.meeting.closed.load(Ordering::Acquire) == round;
        holds(moved || closed, || "the handle was neither moved nor closed".to_owned())?;
        if moved {
            close_buffer(self.file, MOVED)?;
        }

        for handle in kept {
            close_buffer(self.keeper, handle)?;
        }
        close_prime_fd(prime)?;
        Ok(moved && closed)
    }
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
        let mut aim = Aim::default();
        for _ in 0..200 {
            if aim.spins < 1000 { aim.was_early() } else { aim.was_late() }
        }
        assert!((900..1100).contains(&aim.spins), "{}", aim.spins);
        for _ in 0..2000 {
            aim.was_early();
        }
        assert_eq!(aim.spins, Aim::MOST);
        for _ in 0..2000 {
            aim.was_late();
        }
        assert_eq!(aim.spins, 0);
    }

    #[test]
    fn rounds_are_met_by_both() {
        let meeting = Meeting::default();
        let met = thread::scope(|scope| {
            let other = scope.spawn(|| {
                let mut round = 1;
                while meeting.next(round) {
                    meeting.end_part();
                    round += 1;
                }
                round - 1
            });
            for round in 1..=100 {
                meeting.begin(round);
                meeting.wait_for_ends(round);
            }
            meeting.end();
            other.join()
        });
        assert_eq!(met.expect("it ends"), 100);
    }
}
