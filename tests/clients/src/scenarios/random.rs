//! Children that do everything at once and are killed at a random moment.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::parts::{close_buffer, close_prime_fd, device, make_buffer, share};
use super::storms::{exchange_buffer, open_by_name};
use crate::drm::{BYTES, Device, DrmFile};
use crate::options::Options;
use crate::outcome::{EXIT_DONE, Outcome, Stop};
use crate::sys::memory::Mapping;
use crate::sys::process::{Ended, fork_child, kill, wait};

/// Numbers that look random and come again with the same seed (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

/// A child lives at most so many microseconds.
const LONGEST: u64 = 60_000;

/// One child after the other, each killed after a random time in the middle of whatever it does then.
#[inline(never)]
pub fn killed_at_random(options: &Options) -> Outcome {
    let device = device(options)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = options.seed.unwrap_or(now.as_nanos() as u64);
    let rounds = options.rounds.unwrap_or(12);
    // First, so that a run that goes wrong can be repeated.
    println!("seed {seed}");
    let mut numbers = Numbers(seed);
    for round in 0..rounds {
        let (delay, seed) = (numbers.below(LONGEST), numbers.next());
        let child = fork_child(|| work_for_ever(&device, seed))?;
        thread::sleep(Duration::from_micros(delay));
        kill(child)?;
        match wait(child)? {
            Ended::Signal(libc::SIGKILL) | Ended::Exit(EXIT_DONE) => {}
            other => return Err(Stop::Unexpected(format!("child {round} ended with {other:?}"))),
        }
    }
    println!("{rounds} children killed");
    Ok(())
}

/// Two threads on two files, until the process ends.
fn work_for_ever(device: &Device, seed: u64) -> Outcome {
    let files = [device.open()?, device.open()?];
    thread::scope(|scope| {
        for thread in 0..2 {
            let mut numbers = Numbers(seed ^ thread);
            scope.spawn(move || -> Outcome {
                loop {
                    do_something(files[thread as usize], files[1 - thread as usize], &mut numbers)?;
                }
            });
        }
    });
    Err(Stop::Unexpected("the work ended by itself".to_owned()))
}

#[inline(never)]
fn do_something(own: DrmFile, other: DrmFile, numbers: &mut Numbers) -> Outcome {
    match numbers.below(4) {
        0 => exchange_buffer(own, other, numbers.next()),
        1 => open_by_name(own, other, numbers.next()),
        2 => map_and_use(own),
        _ => {
            let buffer = make_buffer(own)?;
            let prime = share(own, buffer)?;
            let copies = [prime.dup()?, prime.dup_from(50)?];
            close_buffer(own, buffer)?;
            copies.into_iter().chain([prime]).try_for_each(close_prime_fd)
        }
    }
}

#[inline(never)]
fn map_and_use(file: DrmFile) -> Outcome {
    let buffer = make_buffer(file)?;
    let prime = share(file, buffer)?;
    let mappings = [Mapping::new(file.fd, file.map_offset(buffer)?, BYTES)?, Mapping::new(prime, 0, BYTES)?];
    close_prime_fd(prime)?;
    close_buffer(file, buffer)?;
    for mapping in mappings {
        mapping.touch(1);
        mapping.unmap()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_again_with_the_seed_and_spread() {
        let some =
            |seed| (0..64).map(|_| 0).scan(Numbers(seed), |n, _: u64| Some(n.below(4))).collect::<Vec<_>>();
        assert_eq!(some(7), some(7));
        assert_ne!(some(7), some(8));
        assert!((0..4).all(|n| some(7).contains(&n)));
    }
}
