//! Property tests of the judge.
