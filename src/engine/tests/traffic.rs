//! Two engines that talk, with the bytes between them cut at random: all arrives, in order, once.

use proptest::{collection::vec, prelude::*};

use converse_core::Message;

use super::{
    Pair, Solo, config,
    harness::only_closed,
    ms,
    toys::{checksum, shred, stacks, xor},
};
use crate::{
    engine::{EngineConfig, Event, Phase},
    extension::ExtensionStack,
    frame::{CloseReason, Role},
};

#[derive(Clone, Debug)]
enum Act {
    Text(String),
    Binary(usize),
    Copied(usize),
    Ping,
    /// Carries some bytes to the other end.
    Carry(usize),
    /// Takes some events.
    Take(usize),
    Sleep(u64),
}

fn act() -> impl Strategy<Value = (bool, Act)> {
    let act = prop_oneof![
        3 => "[a-zä𝄞]{0,30}".prop_map(Act::Text),
        3 => (0_usize..1000).prop_map(Act::Binary),
        1 => (0_usize..130).prop_map(Act::Copied),
        1 => Just(Act::Ping),
        8 => (1_usize..2000).prop_map(Act::Carry),
        5 => (0_usize..5).prop_map(Act::Take),
        1 => (0_u64..1000).prop_map(Act::Sleep),
    ];
    (any::<bool>(), act)
}

/// One end, with the bytes on their way to it and what it should and did hear.
struct End {
    solo: Solo,
    incoming: Vec<u8>,
    expected: Vec<Message>,
    heard: Vec<Event>,
}

impl End {
    fn new(role: Role, fragment_size: usize, stack: ExtensionStack) -> Self {
        let config = EngineConfig { fragment_size, receive_queue: 500, ..config(role) };
        let solo = Solo::extended(config, stack);
        Self { solo, incoming: Vec::new(), expected: Vec::new(), heard: Vec::new() }
    }

    fn say(&mut self, other: &mut Self, message: Message) {
        other.expected.push(message.clone());
        self.solo.send(message).unwrap();
    }

    fn act(&mut self, other: &mut Self, act: Act) {
        match act {
            Act::Text(text) => self.say(other, text.into()),
            Act::Binary(len) => self.say(other, (0..len).map(|i| i as u8).collect::<Vec<_>>().into()),
            Act::Copied(len) if self.solo.engine.copies(len) => {
                other.expected.push(vec![9; len].into());
                assert!(self.solo.engine.send_copied(crate::frame::OpCode::Binary, &vec![9; len]));
            }
            Act::Copied(_) => {}
            Act::Ping => drop(self.solo.engine.ping(self.solo.now)),
            Act::Carry(limit) => self.carry(other, limit),
            Act::Take(count) => {
                let heard = std::iter::from_fn(|| self.solo.next_event()).take(count);
                self.heard.extend(heard.collect::<Vec<_>>());
            }
            Act::Sleep(millis) => {
                self.solo.wait(ms(millis));
                other.solo.wait(ms(millis));
            }
        }
    }

    fn carry(&mut self, other: &mut Self, limit: usize) {
        other.incoming.extend(self.solo.write(limit));
        let taken = other.solo.engine.handle_bytes(&mut other.incoming.clone(), other.solo.now);
        other.incoming.drain(..taken);
    }

    fn settle(&mut self, other: &mut Self) {
        loop {
            let before = (self.heard.len(), other.heard.len());
            self.carry(other, 700);
            other.carry(self, 900);
            self.heard.extend(self.solo.events());
            other.heard.extend(other.solo.events());
            let quiet = self.incoming.is_empty() && other.incoming.is_empty();
            let said = self.solo.engine.queued() == 0 && other.solo.engine.queued() == 0;
            let output = self.solo.engine.has_output() || other.solo.engine.has_output();
            if quiet && said && !output && before == (self.heard.len(), other.heard.len()) {
                return;
            }
        }
    }
}

proptest! {
    #[test]
    fn all_messages_arrive_in_order_exactly_once(
        extensions in 0..4,
        fragment_size in prop_oneof![Just(4_usize), 5_usize..200, Just(100_000)],
        acts in vec(act(), 0..80),
    ) {
        let (one, two) = match extensions {
            0 | 1 => Default::default(),
            2 => stacks(&[xor(), checksum()]),
            _ => stacks(&[shred(), checksum(), xor()]),
        };
        let mut client = End::new(Role::Client, fragment_size, one);
        let mut server = End::new(Role::Server, fragment_size, two);
        for (by_client, act) in acts {
            if by_client { client.act(&mut server, act) } else { server.act(&mut client, act) }
        }
        client.settle(&mut server);
        for end in [&client, &server] {
            let expected: Vec<Event> = end.expected.iter().cloned().map(Event::Message).collect();
            prop_assert_eq!(&end.heard, &expected);
            prop_assert_eq!(end.solo.engine.data_queued(), end.solo.engine.data_written());
            prop_assert_eq!(end.solo.phase(), Phase::Open);
        }
        let mut pair = Pair { client: client.solo, server: server.solo };
        pair.client.engine.close(CloseReason::NORMAL, pair.client.now);
        let (to_client, to_server) = pair.carry();
        prop_assert!(only_closed(&to_client).is_clean());
        prop_assert!(only_closed(&to_server).is_clean());
    }
}
