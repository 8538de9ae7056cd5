//! The catalogue: each defect with its name and what is wrong then.

/// Declares the flaws; names and sentences exist only where flaws can be planted.
macro_rules! flaws {
    ($($flaw:ident $name:literal $sentence:literal)*) => {
        /// A defect that a peer may be given.
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(feature = "planted", derive(Debug))]
        pub enum Flaw {
            $(#[doc = $sentence] $flaw,)*
        }

        #[cfg(feature = "planted")]
        impl Flaw {
            /// Every flaw.
            pub const ALL: &[Self] = &[$(Self::$flaw,)*];

            /// Its name on a command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$flaw => $name,)*
                }
            }

            /// What is wrong.
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$flaw => $sentence,)*
                }
            }

            /// The flaw of this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|flaw| flaw.name() == name)
            }
        }
    };
}

flaws! {
    // Who is believed.
    VerifiesNothing "verifies-nothing" "Takes a message whatever its signature says."
    LeavesNonceUnsigned "leaves-nonce-unsigned" "Leaves the nonce of a 1.0 message out of what it signs and verifies."
    SkipsAddedFields "skips-added-fields" "Verifies the signature of a 1.1 message without the fields that it does not know."
    TrustsStrangers "trusts-strangers" "Takes a 1.1 handshake from somebody whose key it was never given."
    TakesForeignMessages "takes-foreign-messages" "Does not look whether a message is for itself."
    AcceptsDowngrade "accepts-downgrade" "Goes back to 1.0 with a peer whose key has proved 1.1."
    SpeaksOlderVersion "speaks-older-version" "Opens in 1.0 where both sides have 1.1."
    // What comes once.
    AcceptsReplay "accepts-replay" "Handles a 1.0 message again that it has handled before."
    ForgetsNonces "forgets-nonces" "Keeps no memory of the nonces of 1.0 messages, so that a renumbered one is new."
    ForgetsHandledOnRestart "forgets-handled-on-restart" "Handles a 1.0 message again that came before a restart."
    TakesSequenceTwice "takes-sequence-twice" "Takes a sequence number of a 1.1 session that was taken before."
    WindowOffByOne "window-off-by-one" "Refuses the oldest sequence number that its replay window still has."
    AcceptsStale "accepts-stale" "Takes a message however old its timestamp is."
    ReopensOnRepeat "reopens-on-repeat" "Refuses a repeated handshake step instead of answering it as before."
    // What is sealed.
    ReusesGcmNonce "reuses-gcm-nonce" "Seals every 1.0 message of a session under one nonce."
    ReusesSequence "reuses-sequence" "Seals everything from the eighth message of a 1.1 session on under one sequence number."
    SendsInClear "sends-in-clear" "Sends a 1.0 message in clear that it says to have sealed."
    LogsTheSecret "logs-the-secret" "Writes the body of every received message into its log."
    // Sessions.
    AnswersFromWrongSession "answers-from-wrong-session" "Sends in whichever 1.1 session it has, not in that of the receiver."
    ResumesUnderNewId "resumes-under-new-id" "Forgets its 1.1 sessions at a restart and opens others."
    ResumesWithWrongCounter "resumes-with-wrong-counter" "Goes on after a restart with message numbers that the other side has had."
    ClosesSilently "closes-silently" "Ends a 1.1 session without telling the other side."
    // Durable messages.
    ForgetsDurableOnRestart "forgets-durable-on-restart" "Drops durable messages that are not acknowledged when it starts again."
    DeliversDurableTwice "delivers-durable-twice" "Delivers every durable message twice."
    DropsAboveLimit "drops-above-limit" "Says that it keeps a durable message for which it has no room."
    SendsNewestFirst "sends-newest-first" "Sends the newest of the durable messages that wait first."
    // Answers.
    WrongErrorCode "wrong-error-code" "Names another error where a 1.1 signature does not hold."
    WrongHttpStatus "wrong-http-status" "Answers a repeated sequence number of 1.1 with status 400."
    NeverRetries "never-retries" "Gives up after the first attempt to deliver a message."
    RetriesFinalRefusals "retries-final-refusals" "Sends a message again that was refused for good."
    CountsAttempts "counts-attempts" "Counts attempts as messages in its statistics."
    // Patience.
    IgnoresRateLimit "ignores-rate-limit" "Limits nobody's rate."
    SharesRateLimit "shares-rate-limit" "Counts all senders against one rate limit."
    NeverNoticesAbsence "never-notices-absence" "Takes every peer for healthy for ever."
    TakesAnyTask "takes-any-task" "Takes tasks for which it lacks the capability."
    // Tokens.
    CreditsTwice "credits-twice" "Credits every transfer to its receiver twice."
    AppliesWithoutQuorum "applies-without-quorum" "Takes a single vote for a certificate."
    IgnoresOverdraft "ignores-overdraft" "Lets an account pay more than it has."
    // Files.
    LosesLastChunk "loses-last-chunk" "Leaves out the last piece of what it sends in pieces."
    SkipsChunkDigest "skips-chunk-digest" "Does not look whether a chunk is the one that was announced."
    // Ways.
    NeverSendsFrames "never-sends-frames" "Sends envelopes to a peer with whom compact frames are agreed."
    NeverUpgrades "never-upgrades" "Says that it has WebSockets, and neither dials nor takes one."
    // Tokens of identity, keys, encoding.
    AcceptsExpiredJwt "accepts-expired-jwt" "Accepts a JWT after its end."
    IgnoresJwtAudience "ignores-jwt-audience" "Accepts a JWT for somebody else."
    WritesUnprotectedKey "writes-unprotected-key" "Writes a key in clear where a passphrase was given."
    EscapesDifferently "escapes-differently" "Writes canonical JSON with upper-case hexadecimal digits in escapes."
    // Relays.
    RelayDrops "relay-drops" "As a relay, says that a message of more than 4,096 bytes was taken, and loses it."
    RelayTampers "relay-tampers" "As a relay, changes a byte of every message of more than 4,096 bytes that it hands on."
    RelayImpersonates "relay-impersonates" "As a relay, shows and signs with another key than its own."
    // What only a fault shows: a kill, a pause, a lost answer, a clock that is set, a limit that is reached.
    AcknowledgesBeforeKeeping "acknowledges-before-keeping" "Answers before what the answer rests on is kept: its last sixteen changes are in memory alone."
    RetriesAsNew "retries-as-new" "Sends a durable message whose answer got lost again as another one."
    HandlesMovedAgain "handles-moved-again" "Handles a durable message again that comes again in another session."
    QueuesWithoutLimit "queues-without-limit" "Keeps any number of durable messages for a peer that is away."
    RetriesAtOnce "retries-at-once" "Tries again almost at once what has failed, however often it has."
    WaitsEverLonger "waits-ever-longer" "Waits ten times as long after each failure, without a longest pause."
    GivesUpUnanswered "gives-up-unanswered" "Drops a durable message that nobody answered."
    KeepsCircuitOpen "keeps-circuit-open" "Never tries a peer again that has failed several times."
    GivesUpSessions "gives-up-sessions" "Opens a session that it is to keep once, and not again when that has failed."
    DecidesRacesWrong "decides-races-wrong" "Takes the other's resumption where its own goes on, and its own where the other's does."
    ForgetsLifeAfterResume "forgets-life-after-resume" "Asks a peer for no sign of life any more once their session was resumed."
    WaitsByWallClock "waits-by-wall-clock" "Waits by the wall clock before it sends again, so that a clock that is set back stops it."
    BearsNoSkew "bears-no-skew" "Refuses 1.1 messages of a sender whose clock is off by more than two seconds."
    WaitsForTheSlowest "waits-for-the-slowest" "Sends nobody anything while one peer does not answer."
    RedialsAtOnce "redials-at-once" "Dials a WebSocket that broke again at once, however often that fails."
    NeverRedials "never-redials" "Dials no WebSocket again once that has failed."
    StartsTransferOver "starts-transfer-over" "Sends a file from its first chunk again whenever the transfer was interrupted."
    NeverRepeatsChunks "never-repeats-chunks" "Sends each chunk once, also where it got lost."
    AsksForVotesOnce "asks-for-votes-once" "Asks each member once for its vote on an order."
    ShowsCertificatesOnce "shows-certificates-once" "Shows a certificate once to those whom it concerns."
    PaysAgainAfterSilence "pays-again-after-silence" "Pays once more where a vote does not come in time."
    ForgetsOrdersOnRestart "forgets-orders-on-restart" "Forgets payments that are under way when it starts again."
    ForgetsCertificatesOnRestart "forgets-certificates-on-restart" "Forgets to whom its payments are still to be shown when it starts again."
    ForgetsTasksOnRestart "forgets-tasks-on-restart" "Forgets the tasks that it has taken and given when it starts again."
    ForgetsMailOnRestart "forgets-mail-on-restart" "As a relay, forgets the mail that it has taken when it starts again."
    // What runs out.
    LeaksDescriptor "leaks-descriptor" "Keeps a file open for every message it receives."
    LeaksMemory "leaks-memory" "Keeps 8 KiB of memory for every message it receives."
}
