//! What bounds a node of the table.

use std::time::Duration;

/// The bounds. Defaults are those of `docs/protocol/1.1.md#distributed-hash-table`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Contacts in a bucket, nodes a lookup ends with, storers of a record. 1 to
    /// [`entity_wire::payload::dht::CONTACTS_MAX`]; what is beyond is taken as that.
    pub k: usize,
    /// Questions under way of one lookup, those that are late not counted. At least 1.
    pub alpha: usize,
    /// Disjoint paths of a lookup. At least 1.
    pub paths: usize,
    /// An answer that has not come after so long is late: it is asked for once more, and a lookup asks somebody else as well.
    pub late_after: Duration,
    /// An answer that has not come after so long will not come.
    pub answer_limit: Duration,
    /// Questions of one lookup at most, whatever it is told.
    pub questions_max: usize,
    /// Lookups under way.
    pub lookups_max: usize,
    /// Of these, for upkeep.
    pub upkeep_lookups_max: usize,
    /// Records that are being stored or wait for it, as pairs of record and storer.
    pub stores_max: usize,
    /// Of these, under way at once.
    pub stores_in_flight_max: usize,
    /// A contact that was heard within this time is not pinged to make room.
    pub quiet_after: Duration,
    /// Failures one after the other after which a contact goes, though nobody waits for its place.
    pub failures_max: u8,
    /// Contacts of one subnet in a bucket.
    pub subnet_in_bucket_max: usize,
    /// Contacts of one subnet in the table.
    pub subnet_in_table_max: usize,
    /// Contacts of one subnet that one path of a lookup considers.
    pub subnet_in_path_max: usize,
    /// Contacts of one address (host and port) in the table.
    pub address_in_table_max: usize,
    /// A bucket in which nothing was looked up for so long is refreshed.
    pub refresh_after: Duration,
    /// A record that did not come in for so long is sent on.
    pub republish_after: Duration,
    /// How far ahead of this clock a record may be issued.
    pub ahead_limit: Duration,
    /// Slots in all, those with no record but a memory of one included.
    pub slots_max: usize,
    /// Bytes of records in all, in canonical form.
    pub bytes_max: usize,
    /// Slots of one owner.
    pub slots_per_owner_max: usize,
    /// Bytes of records of one owner.
    pub bytes_per_owner_max: usize,
    /// Records of one key.
    pub records_per_key_max: usize,
    /// Slots of one key, those with no record but a memory of one included.
    pub slots_per_key_max: usize,
    /// Owners of one key that a lookup collects.
    pub found_max: usize,
    /// Questions that a node may ask at once.
    pub question_burst: u32,
    /// Questions that a node may ask in a second on and on.
    pub questions_per_second: u32,
    /// Nodes whose questions are counted; while so many are, no other is answered.
    pub askers_max: usize,
    /// Whether anything is kept across restarts.
    pub keeps: bool,
    /// How long after a change contacts are kept.
    pub save_after: Duration,
    /// A node that knows nobody tries its bootstrap contacts again after so long.
    pub rejoin_after: Duration,
    /// Bootstrap contacts.
    pub bootstrap_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            k: 20,
            alpha: 3,
            paths: 3,
            late_after: Duration::from_secs(1),
            answer_limit: Duration::from_secs(3),
            questions_max: 256,
            lookups_max: 64,
            upkeep_lookups_max: 8,
            stores_max: 8_192,
            stores_in_flight_max: 64,
            quiet_after: Duration::from_mins(15),
            failures_max: 5,
            subnet_in_bucket_max: 2,
            subnet_in_table_max: 10,
            subnet_in_path_max: 10,
            address_in_table_max: 1,
            refresh_after: Duration::from_hours(1),
            republish_after: Duration::from_hours(1),
            ahead_limit: Duration::from_mins(1),
            slots_max: 65_536,
            bytes_max: 64 << 20,
            slots_per_owner_max: 256,
            bytes_per_owner_max: 512 << 10,
            records_per_key_max: 64,
            slots_per_key_max: 256,
            found_max: 1_024,
            question_burst: 200,
            questions_per_second: 50,
            askers_max: 4_096,
            keeps: true,
            save_after: Duration::from_mins(1),
            rejoin_after: Duration::from_mins(1),
            bootstrap_max: 64,
        }
    }
}
