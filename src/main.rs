//! The program: picks the front end, and is the only place that ends the process.

fn main() {}
