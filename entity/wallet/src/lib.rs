//! The keys of an entity.
