//! Servers that never come to an end with agreeing on TLS.

use super::*;

/// The beginning of a record of TLS that is 16 KiB long.
const LONG_RECORD: &[u8] = &[22, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc];

/// Says these bytes, and then one at a time for as long as anybody listens.
fn trickling(begin: &'static [u8]) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut hello = [0; 1];
        // Until the other end begins, the record could be of nobody.
        socket.read_exact(&mut hello).unwrap();
        if socket.write_all(begin).is_err() {
            return;
        }
        socket
            .set_read_timeout(Some(Duration::from_millis(5)))
            .unwrap();
        let mut heard = [0; 4_096];
        for _ in 0..16_000 {
            // Waits for a moment, or until the other end has gone.
            match socket.read(&mut heard) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
            if socket.write_all(&[0]).is_err() {
                return;
            }
        }
    });
    (address, thread)
}

fn told(address: String, security: Security) -> String {
    let mut mail = mail(options(address, security, None));
    mail.patience.handshake = Duration::from_millis(50);
    let item = notice("");
    let id = item.id();
    let done = mail.send(&Event { id, item: &item });
    assert!(matches!(done, Err(Trouble::Later { .. })), "{done:?}");
    format!("{done:?}")
}

#[test]
fn a_server_that_says_nothing_to_tls_is_left_in_time() {
    let (address, _fell, thread) = silent_after(&[]);
    let told = told(address, Security::Tls);
    assert!(told.contains("does not answer within 50ms"), "{told}");
    drop(thread.join());
    let (address, _fell, thread) =
        silent_after(&["220 mail\r\n", "250-mail\r\n250 STARTTLS\r\n", "220 go\r\n"]);
    let told = self::told(address, Security::StartTls);
    assert!(told.contains("does not answer within 50ms"), "{told}");
    drop(thread.join());
}

#[test]
fn a_server_that_says_a_little_at_a_time_is_left_in_time() {
    let (address, thread) = trickling(LONG_RECORD);
    let told = told(address, Security::Tls);
    assert!(told.contains("does not answer within 50ms"), "{told}");
    thread.join().unwrap();
}

#[test]
fn the_end_of_a_run_does_not_wait_for_a_handshake() {
    let (address, fell, thread) = silent_after(&[]);
    let folder = tempfile::tempdir().unwrap();
    let mut way = mail(options(address, Security::Tls, None));
    way.patience.handshake = LONG;
    let mut outlet = Outlet::start(folder.path(), "shift", SPOOL_BYTES, Box::new(way)).unwrap();
    outlet.take(&notice("")).unwrap();
    fell.recv_timeout(LONG).unwrap();
    outlet.close(Duration::ZERO);
    drop(thread.join());
    let why = outlet.status().trouble.unwrap();
    assert!(why.contains("no time left"), "{why}");
}
