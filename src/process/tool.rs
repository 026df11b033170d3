//! Trusted tools.
