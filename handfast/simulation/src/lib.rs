//! Whole peers in virtual time.
