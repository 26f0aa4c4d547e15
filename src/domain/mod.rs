//! Values and decisions: pure, no async, no clock, no I/O.
