//! What is done against copies of a secret that are left in memory.
//!
//! Values that own a secret wipe it on drop. That does not reach what a computation leaves on the stack: arguments passed
//! by value, spilled registers, locals of libraries that do not wipe theirs. [`scrub_stack`] overwrites that part of the
//! stack, once the computation has returned.

use std::hint::black_box;

/// Overwrites [`SCRUBBED_LEN`] bytes of the stack below the caller, where the calls it made kept their locals.
#[inline(never)]
#[expect(clippy::large_stack_arrays, reason = "the stack is what is overwritten")]
pub fn scrub_stack() {
    let mut scrubbed = [0_u8; SCRUBBED_LEN];
    // Claiming to look at it keeps the compiler from dropping the writes.
    black_box(&mut scrubbed);
}

/// Runs `secretive` in a frame of its own and overwrites what it left on the stack.
#[inline(never)]
pub fn scrubbing<T>(secretive: impl FnOnce() -> T) -> T {
    let outcome = apart(secretive);
    scrub_stack();
    outcome
}

#[inline(never)]
fn apart<T>(secretive: impl FnOnce() -> T) -> T {
    secretive()
}

/// Bytes of stack that are overwritten: more than Argon2, an Ed25519 signature and the reading of a key file use together,
/// and far less than the smallest stack of a thread.
pub const SCRUBBED_LEN: usize = 128 * 1024;
