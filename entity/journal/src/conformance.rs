//! What every journal has to do, as checks that panic where it does not. For tests.
