//! Table tests of the judge.
