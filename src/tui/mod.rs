//! The console: the fleet live, operations under way, and the keys to begin them.
//!
//! ```text
//! app       the loop: terminal, signals, engine and keys in; frames and commands out
//! model     everything shown, one value         update   (model, message) -> commands, pure
//! view      (model) -> cells, draws only        message  what goes in and out
//! rows filter   the fleet as rows, and which of them    words text   states as words, texts in cells
//! theme keymap glyphs   looks and keys as data   input  one typed line
//! typing     what the line at the bottom is for    jump   rows by letters of their names
//! terminal   taken over and given back   keys   read from it, and its end   fault   a panic, told when it is ours no more
//! raw        lent to a shell in a container   signals  as numbers
//! creating   files and services to create from
//! columns    which are wanted   copy  what can be copied   palette  a theme's colours for files
//! look       which looks fit it          bridge  the engine's side of commands     looks  what containers on screen take
//! tour       the console played by a script
//! operation  one operation as its events tell it   own_log  pitstop's own log
//! logs       lines of instances   pattern  what is looked for in them   instance  the page of one instance
//! notices    operations that have ended and that nobody has looked at yet
//! prompt     the line behind `:`, and what may come next in it
//! history    operations of the past    replay  one of them, as it stood at any moment    shelf  reads their records
//! ```
//!
//! The only module that names ratatui and crossterm.

mod app;
mod bridge;
pub mod columns;
pub mod copy;
pub mod creating;
pub mod engine;
mod fault;
pub mod filter;
pub mod glyphs;
pub mod history;
pub mod input;
pub mod instance;
pub mod jump;
pub mod keymap;
mod keys;
pub mod keytable;
mod link;
pub mod logs;
pub mod look;
mod looks;
pub mod message;
pub mod model;
pub mod notices;
pub mod operation;
mod outlet;
pub mod own_log;
pub mod palette;
pub mod pattern;
pub mod prompt;
mod raw;
pub mod replay;
pub mod rows;
mod shelf;
mod signals;
mod terminal;
pub mod text;
pub mod theme;
pub mod tour;
pub mod typing;
pub mod update;
pub mod view;
pub mod words;

pub use app::{Demo, Ended, Settings, StartError, Why, run};
