//! What is left when consoles, connections and engines die in the middle of an operation: nothing is lost, nothing leaks.

mod disk;
mod engine;
mod faults;
mod killed;
mod lock;
