//! The machine's clock and randomness, played: the same for every run of a seed.
//!
//! The executable's own `clock_gettime` and `getrandom` stand before the C library's, so that all that asks for the time or
//! for chance gets what the simulation says: the standard library (and with it the order of hash maps), tokio, `uuid`,
//! `rand`. Nothing in the services knows of it. Until [`switch_on`] both pass the question on.
#![allow(unsafe_code, reason = "this is where the C library is stood in for")]

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// When a simulation begins: 2026-06-01 09:00:00 UTC, in seconds since 1970.
const BEGINS: u64 = 1_780_304_400;
/// What monotonic clocks show then. It lies far ahead of what the system's show, so that nothing that really waits until
/// such a moment, as the database driver's thread may, is woken by it.
const MONOTONIC: u64 = 1_000_000_000;
const SECOND: u64 = 1_000_000_000;

static ON: AtomicBool = AtomicBool::new(false);
static NANOS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// What this thread's randomness is drawn from; the others get the system's.
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Stops the clocks, and seeds what is random to this thread. Call it first of all on a fresh thread.
pub(crate) fn switch_on(seed: u64) {
    SEED.set(Some(seed));
    ON.store(true, Ordering::SeqCst);
}

/// How long the simulation has lasted by its own clock.
pub(crate) fn elapsed() -> Duration {
    Duration::from_nanos(NANOS.load(Ordering::SeqCst))
}

/// Lets time pass.
pub(crate) fn advance(by: Duration) {
    NANOS.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(SECOND), Ordering::SeqCst);
}

/// Mixes a state to a number that looks random (`SplitMix64`, Steele, Lea and Flood 2014).
pub(crate) fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Stands before the C library's function of this name, whose contract it keeps.
///
/// # Safety
///
/// `time` points to a `timespec` that may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> libc::c_int {
    if !ON.load(Ordering::Relaxed) {
        // SAFETY: the system call takes just these two, and the caller vouches for the pointer.
        let answer = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
        return i32::try_from(answer).unwrap_or(-1);
    }
    let since = match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => BEGINS,
        _ => MONOTONIC,
    };
    let nanos = NANOS.load(Ordering::SeqCst);
    let (seconds, rest) = (since + nanos / SECOND, nanos % SECOND);
    // SAFETY: the caller vouches for the pointer.
    unsafe {
        (*time).tv_sec = seconds.cast_signed();
        (*time).tv_nsec = rest.cast_signed();
    }
    0
}

/// Stands before the C library's function of this name, whose contract it keeps.
///
/// # Safety
///
/// `buffer` points to `length` bytes that may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(
    buffer: *mut libc::c_void,
    length: libc::size_t,
    flags: libc::c_uint,
) -> libc::ssize_t {
    let Some(mut state) = SEED.get() else {
        // SAFETY: the system call takes just these three, and the caller vouches for the pointer.
        let answer = unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) };
        return isize::try_from(answer).unwrap_or(-1);
    };
    // SAFETY: the caller vouches for the pointer and the length.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    for chunk in bytes.chunks_mut(8) {
        let drawn = mix(&mut state).to_le_bytes();
        chunk.copy_from_slice(&drawn[..chunk.len()]);
    }
    SEED.set(Some(state));
    length.cast_signed()
}

#[cfg(test)]
mod tests {
    use std::collections::hash_map::RandomState;
    use std::hash::BuildHasher;
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    use super::*;

    /// One test, since the clock is everybody's.
    #[test]
    fn whoever_asks_for_time_or_chance_gets_what_the_simulation_says() {
        let draw = |seed| {
            let thread = std::thread::spawn(move || {
                switch_on(seed);
                RandomState::new().hash_one("order")
            });
            thread.join().expect("it draws")
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let (began, instant) = (elapsed(), Instant::now());
        advance(Duration::from_secs(3600));
        assert_eq!(instant.elapsed(), Duration::from_secs(3600));
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        assert_eq!(unix, Duration::from_secs(BEGINS + 3600) + began);
    }
}
