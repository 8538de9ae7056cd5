//! What is done against copies of a secret that are left in memory.
//!
//! Values that own a secret wipe it on drop. That does not reach what a computation leaves on the stack: arguments passed
//! by value, spilled registers, locals of libraries that do not wipe theirs. [`scrub_stack`] overwrites that part of the
//! stack, once the computation has returned. It does not reach the registers of the processor either, which a core dump holds
//! beside the memory, and which the kernel writes onto the stack with each signal: after a key file was opened, half of the
//! seed stayed in a vector register that nothing used until the process ended.

use std::hint::black_box;

use entity_crypto::sealing::SealingKey;
use entity_crypto::signing::SigningKey;

/// Overwrites [`SCRUBBED_LEN`] bytes of the stack below the caller, where the calls it made kept their locals.
#[inline(never)]
#[expect(clippy::large_stack_arrays, reason = "the stack is what is overwritten")]
pub fn scrub_stack() {
    let mut scrubbed = [0_u8; SCRUBBED_LEN];
    // Claiming to look at it keeps the compiler from dropping the writes.
    black_box(&mut scrubbed);
}

/// Overwrites the registers by doing with nothing secret what is otherwise done with secrets: the same code of the same
/// libraries uses the same registers.
#[inline(never)]
pub fn scrub_registers() {
    let seed = [0; 32];
    let key = SealingKey::new([0; 32]);
    let sealed = black_box(key.seal(&[0; 12], b"", &seed));
    black_box(SigningKey::from_seed_at(&seed).sign(&sealed));
    // Last: it uses the registers that little else does.
    drop(black_box(key.open(&[0; 12], b"", &sealed)));
}

/// Runs `secretive` in a frame of its own and overwrites what it left in registers and on the stack.
#[inline(never)]
pub fn scrubbing<T>(secretive: impl FnOnce() -> T) -> T {
    let outcome = apart(secretive);
    // The registers first: what they hold may be saved on the stack meanwhile.
    scrub_registers();
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
