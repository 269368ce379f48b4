//! Tests of the response ladder.
