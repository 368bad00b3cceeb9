//! Many seeds, as many at a time as there are cores.

use std::{
    num::NonZeroUsize,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::{
    run::{Failure, Trace, run},
    wills,
};

/// Runs every seed of a range, and stops taking new ones after the first failure. Returns what failed, lowest seed first.
pub fn run_seeds(seeds: Range<u64>, steps: usize) -> Vec<Failure> {
    each(seeds, |seed| run(seed, steps))
}

/// The same of histories of wills.
pub fn run_seeds_of_wills(seeds: Range<u64>) -> Vec<Failure> {
    each(seeds, wills::run)
}

fn each(seeds: Range<u64>, run: impl Fn(u64) -> Result<Trace, Box<Failure>> + Sync) -> Vec<Failure> {
    let (next, failed) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let lock = || failed.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZeroUsize::get) {
            scope.spawn(|| {
                while lock().is_empty() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        return;
                    }
                    if let Err(failure) = run(seed) {
                        lock().push(*failure);
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort_by_key(|failure| failure.seed);
    failed
}
