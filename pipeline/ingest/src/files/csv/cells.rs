//! A row parted into cells.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

/// Cells that there is room for before the first row.
const CELLS_AT_FIRST: usize = 32;

/// The cells of the present row.
pub(super) struct Cells {
    reader: Reader,
    text: Vec<u8>,
    /// Where each cell ends in the text.
    ends: Vec<usize>,
    open: bool,
}

impl std::fmt::Debug for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cells")
            .field("cells", &self.ends.len())
            .finish_non_exhaustive()
    }
}

impl Cells {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            // A carriage return inside of a line is part of a cell: what follows it is not lost.
            reader: ReaderBuilder::new()
                .delimiter(delimiter)
                .terminator(Terminator::Any(b'\n'))
                .build(),
            text: Vec::new(),
            ends: Vec::new(),
            open: false,
        }
    }

    /// Parts a row, which is one line without its end.
    pub(super) fn part(&mut self, line: &[u8]) {
        self.text.resize(line.len() + 1, 0);
        self.ends.resize(self.ends.len().max(CELLS_AT_FIRST), 0);
        self.reader.reset();
        let (mut read, mut written, mut cells) = (0, 0, 0);
        loop {
            let (result, input, output, ended) = self.reader.read_record(
                &line[read..],
                &mut self.text[written..],
                &mut self.ends[cells..],
            );
            read += input;
            written += output;
            cells += ended;
            match result {
                // The end of the line is the end of the input.
                ReadRecordResult::InputEmpty if read >= line.len() && input > 0 => {}
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * cells, 0),
                ReadRecordResult::InputEmpty
                | ReadRecordResult::Record
                | ReadRecordResult::OutputFull
                | ReadRecordResult::End => break,
            }
        }
        self.ends.truncate(cells);
        self.open = line.iter().fold(false, |open, byte| open ^ (*byte == b'"'));
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether a quotation mark has no other.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// One cell.
    pub(super) fn get(&self, at: usize) -> Option<&[u8]> {
        let end = *self.ends.get(at)?;
        let start = match at.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(start..end)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parted(delimiter: u8, line: &str) -> Vec<String> {
        let mut cells = Cells::new(delimiter);
        cells.part(b"an,earlier,row,with,more,cells");
        cells.part(line.as_bytes());
        let cells = cells.iter();
        cells
            .map(|cell| String::from_utf8_lossy(cell).into_owned())
            .collect()
    }

    #[test]
    fn cells_may_be_empty_and_quoted() {
        assert_eq!(parted(b',', "a,,c"), ["a", "", "c"]);
        assert_eq!(parted(b',', ",,"), ["", "", ""]);
        assert_eq!(parted(b',', "a"), ["a"]);
        assert_eq!(parted(b';', "1,5;2"), ["1,5", "2"]);
        assert_eq!(parted(b'\t', "a\t\t"), ["a", "", ""]);
        assert_eq!(parted(b',', r#""a, ""b""",c"#), [r#"a, "b""#, "c"]);
        assert_eq!(parted(b',', r#"5" pipe,c"#), [r#"5" pipe"#, "c"]);
    }

    #[test]
    fn rows_may_be_wider_than_those_before() {
        let wide: Vec<String> = (0..200).map(|n| n.to_string()).collect();
        assert_eq!(parted(b',', &wide.join(",")), wide);
    }

    #[test]
    fn a_quotation_mark_that_is_not_closed_is_noticed() {
        let mut cells = Cells::new(b',');
        cells.part(br#"a,"b,c"#);
        assert!(cells.is_open());
        assert_eq!(cells.len(), 2);
        cells.part(b"a,b,c");
        assert!(!cells.is_open());
        assert_eq!(cells.len(), 3);
    }

    proptest! {
        #[test]
        fn joined_cells_come_apart_again(
            cells in proptest::collection::vec("[a-z0-9 .,\"]{1,6}", 1..6)
        ) {
            let quoted = cells
                .iter()
                .map(|cell| format!("\"{}\"", cell.replace('"', "\"\"")))
                .collect::<Vec<_>>();
            prop_assert_eq!(parted(b',', &quoted.join(",")), cells);
        }

        #[test]
        fn no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut cells = Cells::new(b',');
            cells.part(&line);
            prop_assert!(cells.len() <= line.len() + 1);
        }
    }
}
