"""Every flaw by its name, which other peers use for the same defect."""

from __future__ import annotations

from typing import Callable, Dict, NamedTuple

from . import delivery, frames, robustness, services, sessions, sockets, tables, wire


class Flaw(NamedTuple):
    """What is wrong, and what makes it so."""

    sentence: str
    plant: Callable[[], None]


CATALOGUE: Dict[str, Flaw] = {
    "verifies-nothing": Flaw("Takes a message whatever its signature says.", wire.verifies_nothing),
    "skips-added-fields": Flaw("Verifies the signature of a 1.1 message without the fields that it does not know.", wire.skips_added_fields),
    "takes-foreign-messages": Flaw("Does not look whether a message is for itself.", wire.takes_foreign_messages),
    "accepts-downgrade": Flaw("Goes back to 1.0 with a peer whose key has proved 1.1.", wire.accepts_downgrade),
    "speaks-older-version": Flaw("Opens in 1.0 where both sides have 1.1.", wire.speaks_older_version),
    "accepts-replay": Flaw("Handles a 1.0 message again that it has handled before.", wire.accepts_replay),
    "forgets-nonces": Flaw("Keeps no memory of the nonces of 1.0 messages, so that a renumbered one is new.", wire.forgets_nonces),
    "forgets-handled-on-restart": Flaw("Handles a 1.0 message again that came before a restart.", wire.forgets_handled_on_restart),
    "accepts-stale": Flaw("Takes a message however old its timestamp is.", wire.accepts_stale),
    "wrong-error-code": Flaw("Names another error where a 1.1 signature does not hold.", wire.wrong_error_code),
    "wrong-http-status": Flaw("Answers a repeated sequence number of 1.1 with status 400.", wire.wrong_http_status),
    "sends-in-clear": Flaw("Sends a 1.0 message in clear that it says to have sealed.", wire.sends_in_clear),
    "escapes-differently": Flaw("Writes canonical JSON with upper-case hexadecimal digits in escapes.", wire.escapes_differently),
    "reuses-gcm-nonce": Flaw("Seals every 1.0 message of a session under one nonce.", wire.reuses_gcm_nonce),
    "logs-the-secret": Flaw("Writes the body of every received message into its log.", wire.logs_the_secret),
    "takes-sequence-twice": Flaw("Takes a sequence number of a 1.1 session that was taken before.", sessions.takes_sequence_twice),
    "window-off-by-one": Flaw("Refuses the oldest sequence number that its replay window still has.", sessions.window_off_by_one),
    "reopens-on-repeat": Flaw("Refuses a repeated handshake step instead of answering it as before.", sessions.reopens_on_repeat),
    "reuses-sequence": Flaw(
        "Seals everything from the eighth message of a 1.1 session on under one sequence number.", sessions.reuses_sequence
    ),
    "answers-from-wrong-session": Flaw(
        "Sends in whichever 1.1 session it has, not in that of the receiver.", sessions.answers_from_wrong_session
    ),
    "resumes-under-new-id": Flaw("Forgets its 1.1 sessions at a restart and opens others.", sessions.resumes_under_new_id),
    "resumes-with-wrong-counter": Flaw(
        "Goes on after a restart with message numbers that the other side has had.", sessions.resumes_with_wrong_counter
    ),
    "closes-silently": Flaw("Ends a 1.1 session without telling the other side.", sessions.closes_silently),
    "forgets-durable-on-restart": Flaw(
        "Drops durable messages that are not acknowledged when it starts again.", delivery.forgets_durable_on_restart
    ),
    "delivers-durable-twice": Flaw("Delivers every durable message twice.", delivery.delivers_durable_twice),
    "drops-above-limit": Flaw("Says that it keeps a durable message for which it has no room.", delivery.drops_above_limit),
    "sends-newest-first": Flaw("Sends the newest of the durable messages that wait first.", delivery.sends_newest_first),
    "never-retries": Flaw("Gives up after the first attempt to deliver a message.", delivery.never_retries),
    "retries-final-refusals": Flaw("Sends a message again that was refused for good.", delivery.retries_final_refusals),
    "counts-attempts": Flaw("Counts attempts as messages in its statistics.", delivery.counts_attempts),
    "ignores-rate-limit": Flaw("Limits nobody's rate.", delivery.ignores_rate_limit),
    "shares-rate-limit": Flaw("Counts all senders against one rate limit.", delivery.shares_rate_limit),
    "never-notices-absence": Flaw("Takes every peer for healthy for ever.", delivery.never_notices_absence),
    "takes-any-task": Flaw("Takes tasks for which it lacks the capability.", services.takes_any_task),
    "credits-twice": Flaw("Credits every transfer to its receiver twice.", services.credits_twice),
    "applies-without-quorum": Flaw("Takes a single vote for a certificate.", services.applies_without_quorum),
    "ignores-overdraft": Flaw("Lets an account pay more than it has.", services.ignores_overdraft),
    "loses-last-chunk": Flaw("Leaves out the last piece of what it sends in pieces.", services.loses_last_chunk),
    "skips-chunk-digest": Flaw("Does not look whether a chunk is the one that was announced.", services.skips_chunk_digest),
    "accepts-expired-jwt": Flaw("Accepts a JWT after its end.", services.accepts_expired_jwt),
    "ignores-jwt-audience": Flaw("Accepts a JWT for somebody else.", services.ignores_jwt_audience),
    "writes-unprotected-key": Flaw("Writes a key in clear where a passphrase was given.", services.writes_unprotected_key),
    "reads-mismatched-key": Flaw("Takes a key file whose public key is not that of its seed.", services.reads_mismatched_key),
    "never-sends-frames": Flaw("Sends envelopes to a peer with whom compact frames are agreed.", frames.never_sends_frames),
    "wrong-frame-generation": Flaw("Names a generation in its frames that the session does not have.", frames.wrong_frame_generation),
    "reuses-frame-sequence": Flaw("Seals all frames from the eighth message on under one sequence number.", frames.reuses_frame_sequence),
    "takes-frames-twice": Flaw("Has no replay window for frames.", frames.takes_frames_twice),
    "sends-frames-unasked": Flaw("Sends frames to a peer that has not agreed on them.", frames.sends_frames_unasked),
    "never-upgrades": Flaw("Says that it has WebSockets, and neither dials nor takes one.", sockets.never_upgrades),
    "accepts-before-handling": Flaw("Accepts what comes over a WebSocket before it has looked at it.", sockets.accepts_before_handling),
    "accepts-too-much": Flaw("Accepts one message more over a WebSocket than have come.", sockets.accepts_too_much),
    "keeps-dead-sockets": Flaw("Goes on sending over a WebSocket that has broken.", sockets.keeps_dead_sockets),
    "takes-forged-records": Flaw("Stores a record in the table whatever its signature says.", tables.takes_forged_records),
    "takes-older-records": Flaw("Lets an older record of the table take the place of a newer one.", tables.takes_older_records),
    "takes-large-records": Flaw("Signs and stores records of the table of any size.", tables.takes_large_records),
    "shows-expired-records": Flaw("Shows records of the table that have expired.", tables.shows_expired_records),
    "never-announces-again": Flaw("Puts the records about itself into the table once, and not again before they expire.", tables.never_announces_again),
    "names-nobody": Flaw("Names no contacts to those that ask it.", tables.names_nobody),
    "acknowledges-before-keeping": Flaw(
        "Answers before what the answer rests on is kept: its last sixteen changes are in memory alone.", robustness.acknowledges_before_keeping
    ),
    "retries-as-new": Flaw("Sends a durable message whose answer got lost again as another one.", robustness.retries_as_new),
    "handles-moved-again": Flaw("Handles a durable message again that comes again in another session.", robustness.handles_moved_again),
    "queues-without-limit": Flaw("Keeps any number of durable messages for a peer that is away.", robustness.queues_without_limit),
    "retries-at-once": Flaw("Tries again almost at once what has failed, however often it has.", robustness.retries_at_once),
    "waits-ever-longer": Flaw("Waits ten times as long after each failure, without a longest pause.", robustness.waits_ever_longer),
    "gives-up-unanswered": Flaw("Drops a durable message that nobody answered.", robustness.gives_up_unanswered),
    "keeps-circuit-open": Flaw("Never tries a peer again that has failed several times.", robustness.keeps_circuit_open),
    "gives-up-sessions": Flaw("Opens a session that it is to keep once, and not again when that has failed.", robustness.gives_up_sessions),
    "decides-races-wrong": Flaw(
        "Takes the other's resumption where its own goes on, and its own where the other's does.", robustness.decides_races_wrong
    ),
    "forgets-life-after-resume": Flaw(
        "Asks a peer for no sign of life any more once their session was resumed.", robustness.forgets_life_after_resume
    ),
    "bears-no-skew": Flaw("Refuses 1.1 messages of a sender whose clock is off by more than two seconds.", robustness.bears_no_skew),
    "waits-for-the-slowest": Flaw("Sends nobody anything while one peer does not answer.", robustness.waits_for_the_slowest),
    "redials-at-once": Flaw("Dials a WebSocket that broke again at once, however often that fails.", robustness.redials_at_once),
    "never-redials": Flaw("Dials no WebSocket again once that has failed.", robustness.never_redials),
    "starts-transfer-over": Flaw(
        "Sends a file from its first chunk again whenever the transfer was interrupted.", robustness.starts_transfer_over
    ),
    "never-repeats-chunks": Flaw("Sends each chunk once, also where it got lost.", robustness.never_repeats_chunks),
    "asks-for-votes-once": Flaw("Asks each member once for its vote on an order.", robustness.asks_for_votes_once),
    "shows-certificates-once": Flaw("Shows a certificate once to those whom it concerns.", robustness.shows_certificates_once),
    "pays-again-after-silence": Flaw("Pays once more where a vote does not come in time.", robustness.pays_again_after_silence),
    "forgets-orders-on-restart": Flaw("Forgets payments that are under way when it starts again.", robustness.forgets_orders_on_restart),
    "forgets-certificates-on-restart": Flaw(
        "Forgets to whom its payments are still to be shown when it starts again.", robustness.forgets_certificates_on_restart
    ),
    "forgets-tasks-on-restart": Flaw(
        "Forgets the tasks that it has taken and given when it starts again.", robustness.forgets_tasks_on_restart
    ),
    "leaks-descriptor": Flaw("Keeps a file open for every message it receives.", services.leaks_descriptor),
    "leaks-memory": Flaw("Keeps 8 KiB of memory for every message it receives.", services.leaks_memory),
}


def plant(name: str) -> None:
    """Gives the process this flaw, before anything starts. Raises KeyError for a name that is not in the catalogue."""
    CATALOGUE[name].plant()
