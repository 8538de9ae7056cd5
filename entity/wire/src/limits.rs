//! Every bound of the wire, by name. What exceeds one of these is refused, never truncated.

/// Longest message in protocol 1.1 and in the `hardened` profile of 1.0: 1 MiB, in bytes.
///
/// Source: `docs/protocol/1.1.md#order-of-checks`, `docs/protocol/1.0.md#profile-hardened`.
pub const MESSAGE_LEN_MAX: usize = 1024 * 1024;

/// Deepest nesting in protocol 1.1 and in the `hardened` profile of 1.0.
///
/// The outermost array or object has depth 1; a scalar has depth 0.
///
/// Source: `docs/protocol/1.1.md#order-of-checks`, `docs/protocol/1.0.md#profile-hardened`.
pub const DEPTH_MAX: usize = 32;

/// Longest message in the `compat` profile of 1.0: 64 MiB, in bytes.
///
/// The earlier peer has no bound; this one keeps memory finite.
///
/// Source: `docs/protocol/1.0.md#profile-compat`.
pub const COMPAT_MESSAGE_LEN_MAX: usize = 64 * 1024 * 1024;

/// Deepest nesting in the `compat` profile of 1.0.
///
/// The parser and every walk over a parsed value use a stack frame a level, so this also bounds the stack.
///
/// Source: `docs/protocol/1.0.md#profile-compat`.
pub const COMPAT_DEPTH_MAX: usize = 200;

/// Most values in one JSON text: each item of an array, each value of an object, and the text itself.
///
/// A value takes up to 32 times the memory of its text (`0,` is 2 bytes, a [`crate::json::Value`] 32, and a growing
/// list is twice there for a moment). Bytes alone would let 64 MiB of the profile `compat` become 2 GiB. A text of
/// [`MESSAGE_LEN_MAX`] cannot have so many values: there a limit of bytes is enough.
pub const VALUES_MAX: usize = 1024 * 1024;

/// Most digits in one integer: 4,300, where the earlier peer's own conversion stops.
pub const INTEGER_DIGITS_MAX: usize = 4_300;

/// Longest `msg_type`, in bytes. Guessed: no documented kind exceeds 20.
pub const KIND_LEN_MAX: usize = 64;

/// Longest `sender_id`, `recipient_id` and `session_id` of protocol 1.0, in bytes.
///
/// 1.0 leaves them free text; they are echoed in error texts and used as keys of tables, so they are bounded.
pub const LEGACY_ID_LEN_MAX: usize = 256;

/// Longest `nonce` of protocol 1.0, in bytes: it is opaque there, and remembered for 300 s.
pub const LEGACY_NONCE_LEN_MAX: usize = 128;

/// Most entries in a list of versions, capabilities or message types inside a payload.
pub const LIST_LEN_MAX: usize = 64;

/// Longest entry of such a list, in bytes.
pub const LIST_ENTRY_LEN_MAX: usize = 128;

/// Longest address in a handshake, in bytes.
pub const ADDRESS_LEN_MAX: usize = 512;

/// Longest free text in a payload that is kept: a reason or an error message, in bytes.
pub const TEXT_LEN_MAX: usize = 1_024;

/// Longest description of a task, in bytes: text for people and programs, beside which `input` is for data.
///
/// Source: `docs/protocol/1.1.md#tasks`.
pub const TASK_DESCRIPTION_LEN_MAX: usize = 4_096;

/// Longest input and longest result of a task, in canonical bytes: more goes by a chunked transfer.
///
/// Source: `docs/protocol/1.1.md#tasks`.
pub const TASK_DATA_LEN_MAX: usize = 64 * 1024;

/// Most digits of the reward of a task, as of any amount.
pub const TASK_REWARD_LEN_MAX: usize = 39;

/// Most numbers that one `skip` may declare, over all its ranges.
///
/// Source: `docs/protocol/1.1.md#skip`.
pub const SKIP_NUMBERS_MAX: u64 = 1_024;

/// Longest HTTP answer body that is looked into, in bytes; a longer one counts as an answer without a text.
pub const REPLY_LEN_MAX: usize = 64 * 1024;

/// Longest canonical body of a message of 1.1 that is not sent as a transfer, in bytes.
///
/// Source: `docs/protocol/1.1.md#chunked-messages`.
pub const MESSAGE_BODY_LEN_MAX: usize = 512 * 1_024;

/// Smallest size of the chunks of a transfer, in bytes: with it a transfer cannot be a multitude of crumbs.
///
/// Source: `docs/protocol/1.1.md#chunk-init`.
pub const CHUNK_SIZE_MIN: u32 = 1_024;

/// Largest size of the chunks of a transfer, in bytes: base64 twice and the rest of a message leave no more of 1 MiB.
///
/// Source: `docs/protocol/1.1.md#chunk-init`.
pub const CHUNK_SIZE_MAX: u32 = 512 * 1_024;

/// Most chunks of a transfer. What a receiver remembers of them is a bit each.
///
/// Source: `docs/protocol/1.1.md#chunk-init`.
pub const CHUNKS_MAX: u32 = 1 << 20;

/// Most ranges in a `chunk_ack` or `chunk_resend`.
///
/// Source: `docs/protocol/1.1.md#chunk-ranges`.
pub const CHUNK_RANGES_MAX: usize = 256;

/// Longest name of a transfer, in bytes.
///
/// Source: `docs/protocol/1.1.md#chunk-init`.
pub const TRANSFER_NAME_LEN_MAX: usize = 255;

/// Longest JSON of a payload of 1.0 that goes in one message, in bytes, as the earlier peer writes it.
///
/// Source: `docs/protocol/1.0.md#chunks`.
pub const PAYLOAD_1_0_LEN: usize = 8_192;

/// Longest JSON of a payload of 1.0 that goes, or is taken, in pieces: 8 MiB, in bytes.
///
/// Source: `docs/protocol/1.0.md#chunks`.
pub const CHUNKED_1_0_LEN_MAX: usize = 8 * 1_024 * 1_024;

/// Most pieces of a payload of 1.0.
///
/// Source: `docs/protocol/1.0.md#chunks`.
pub const CHUNKED_1_0_PIECES_MAX: u32 = 4_096;

/// Longest body of an answer over a WebSocket, in bytes: what is kept of an answer of HTTP. Guessed.
pub const SOCKET_ANSWER_LEN_MAX: usize = 64 * 1024;

/// Longest frame, in bytes: with its length before it, it fits the body of a `POST /frame`.
///
/// Source: `docs/protocol/1.1.md#compact-frames`.
pub const FRAME_LEN_MAX: usize = MESSAGE_LEN_MAX - 4;

/// Most frames in one `POST /frame`: as many as a replay window has places.
///
/// Source: `docs/protocol/1.1.md#frames-over-http`.
pub const FRAMES_PER_BATCH_MAX: usize = 1_024;
