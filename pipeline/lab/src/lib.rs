//! Captured traffic put to use. What is run over it is the engine itself, driven by whoever calls;
//! this crate holds what is done with what comes out.

pub mod tune;
