//! What the request of an idle session costs: shown by counting what the allocator hands out.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use converse::handshake::{HeadReader, Upgrade};

struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: hands every call on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BROWSER: &str = "GET /chat/lobby HTTP/1.1\r\nHost: localhost:8080\r\nConnection: Upgrade\r\nPragma: no-cache\r\n\
    Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/131.0.0.0 Safari/537.36\r\nUpgrade: websocket\r\nOrigin: http://localhost:8080\r\n\
    Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en-US;q=0.9,en;q=0.8\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

#[test]
fn a_browsers_request_costs_less_than_a_kib() {
    for size in [1, 100, BROWSER.len()] {
        let before = HELD.get();
        let mut reader = HeadReader::request();
        let mut heads = BROWSER.as_bytes().chunks(size).filter_map(|bytes| reader.push(bytes).ok().flatten());
        let head = heads.next().map(|head| head.bytes);
        drop(reader);
        let upgrade = head.and_then(|head| Upgrade::verify(head).ok());
        let request = upgrade.map(|mut upgrade| {
            upgrade.request_mut().set_params([("room", "lobby")]);
            upgrade.into_parts().0
        });
        let held = HELD.get() - before;
        assert_eq!(request.as_ref().and_then(|request| request.param("room")), Some("lobby"));
        let allowed = BROWSER.len() + 64;
        assert!(held as usize <= allowed && allowed < 1024, "{held} bytes for a head of {}", BROWSER.len());
    }
}
