//! Single steps of a message's way, each by itself: `cargo bench --bench micro`. The times are those of this
//! machine; beside each step of the crate stands the same work by the crate below it or by a peer.

mod convert;
mod deflate;
mod frame;

fn main() {
    divan::main();
}
