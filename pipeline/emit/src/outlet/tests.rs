//! An outlet whose receiver holds it up.

use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde::Deserialize;

use super::*;

/// Long enough that only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize)]
struct Word(String);

impl Told for Word {
    const SECTION: &'static str = "words";
    const ONE: &'static str = "word";
    const MANY: &'static str = "words";

    fn id(&self) -> String {
        self.0.clone()
    }
}

/// Says that it has begun, and does not go on until the test lets go of it.
struct Held {
    begun: mpsc::Sender<()>,
    held: Receiver<()>,
}

impl Way<Word> for Held {
    fn send(&mut self, _: &Event<'_, Word>) -> Result<(), Trouble> {
        self.begun.send(()).unwrap();
        let _free = self.held.recv();
        Err(Trouble::later("it held us up"))
    }

    fn settle(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    fn window(&self) -> u64 {
        1
    }
}

#[test]
fn a_receiver_that_never_answers_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let ((begun, has_begun), (free, held)) = (channel(), channel());
    let way = Box::new(Held { begun, held });
    let mut outlet = Outlet::start(folder.path(), "held", SPOOL_BYTES, way).unwrap();
    outlet.take(&Word("one".to_owned())).unwrap();
    has_begun.recv_timeout(PATIENCE).unwrap();
    let (closed, is_closed) = channel();
    let closing = thread::spawn(move || {
        outlet.close(Duration::ZERO);
        closed.send(outlet.status()).unwrap();
    });
    let status = is_closed.recv_timeout(PATIENCE);
    drop(free);
    assert_eq!(status.unwrap().waiting, 1, "it is not lost");
    closing.join().unwrap();
}
