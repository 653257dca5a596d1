//! Messages as conversations have them: their keys repeat, their values differ. The same seed gives the same.

use std::fmt::Write;

/// A kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// Lines of a chat: plain words.
    Chat,
    /// Prices of a market, about 33 bytes of JSON each: none of them shrinks by itself.
    Tick,
    /// Trades of a market, about 90 bytes of JSON each.
    Trade,
    /// Updates of an order book, about 1 KiB of JSON each.
    Book,
    /// Snapshots of a chat room, about 16 KiB of JSON each.
    Room,
}

impl Traffic {
    /// All kinds, from short to long.
    pub const ALL: [Self; 5] = [Self::Chat, Self::Tick, Self::Trade, Self::Book, Self::Room];

    /// Returns a heading.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat lines, plain text",
            Self::Tick => "ticks, 33 B of JSON",
            Self::Trade => "trades, 90 B of JSON",
            Self::Book => "order book updates, 1 KiB of JSON",
            Self::Room => "snapshots of a room, 16 KiB of JSON",
        }
    }

    /// Returns this many successive messages.
    pub fn messages(self, count: usize) -> Vec<String> {
        let mut random = Random(0x5eed_0000 + self as u64);
        let mut clock = 1_790_000_000_000;
        (0..count)
            .map(|number| {
                clock += random.below(400);
                match self {
                    Self::Chat => format!("{}: {}", random.pick(&NAMES), random.sentence()),
                    Self::Tick => tick(&mut random),
                    Self::Trade => trade(&mut random, clock, number),
                    Self::Book => book(&mut random, clock, number),
                    Self::Room => room(&mut random, clock),
                }
            })
            .collect()
    }
}

const NAMES: [&str; 12] = [
    "Ada", "Grace", "Edsger", "Barbara", "Alan", "Radia", "Donald", "Frances", "Tony", "Margaret", "Ken",
    "Hedy",
];

const SYMBOLS: [&str; 8] =
    ["BTC-USD", "ETH-USD", "SOL-EUR", "ADA-USD", "XRP-USD", "DOT-EUR", "LTC-USD", "AVAX-USD"];

const WORDS: &str = "the of to and a in is it you that he was for on are with as his they be at one have this from or \
    had by hot word but what some we can out other were all there when up use your how said an each she which do their \
    time if will way about many then them write would like so these her long make thing see him two has look more day \
    could go come did number sound no most people my over know water than call first who may down side been now find any \
    new work part take get place made live where after back little only round man year came show every good me give our \
    under name very through just form sentence great think say help low line differ turn cause much mean before move right";

fn tick(random: &mut Random) -> String {
    let symbol = &random.pick(&SYMBOLS)[..3];
    format!(r#"{{"s":"{symbol}","p":"{}","q":{}}}"#, random.price(), 10 + random.below(90))
}

fn trade(random: &mut Random, clock: u64, number: usize) -> String {
    format!(
        r#"{{"e":"trade","s":"{}","p":"{}","q":"0.{:05}","t":{clock},"i":{}}}"#,
        random.pick(&SYMBOLS),
        random.price(),
        random.below(100_000),
        80_412_337 + number as u64 * 3 + random.below(3),
    )
}

fn book(random: &mut Random, clock: u64, number: usize) -> String {
    let symbol = random.pick(&SYMBOLS);
    let mut text =
        format!(r#"{{"type":"book_update","symbol":"{symbol}","time":{clock},"sequence":{number}"#);
    for side in ["bids", "asks"] {
        write!(text, r#","{side}":["#).expect("a String takes all");
        for level in 0..12 {
            let comma = if level == 0 { "" } else { "," };
            let (price, amount) = (random.price(), random.below(1_000_000));
            write!(text, r#"{comma}{{"price":"{price}","amount":"{amount}"}}"#).expect("a String takes all");
        }
        text.push(']');
    }
    text.push('}');
    text
}

fn room(random: &mut Random, clock: u64) -> String {
    let mut text = format!(r#"{{"type":"room_snapshot","time":{clock},"messages":["#);
    while text.len() < 16 * 1024 {
        let comma = if text.ends_with('[') { "" } else { "," };
        let (id, sent) = (random.next(), clock - random.below(3_600_000));
        let (from, likes) = (random.pick(&NAMES), random.below(30));
        write!(
            text,
            r#"{comma}{{"id":"{id:016x}","from":"{from}","sent":{sent},"likes":{likes},"text":"{}"}}"#,
            random.sentence()
        )
        .expect("a String takes all");
    }
    text.push_str("]}");
    text
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len() as u64) as usize]
    }

    fn price(&mut self) -> String {
        format!("{}.{:02}", 67_000 + self.below(900), self.below(100))
    }

    /// Words as they fall: the smaller of two draws, so that the first words of the list are the frequent ones.
    fn sentence(&mut self) -> String {
        let words: Vec<&'static str> = WORDS.split_whitespace().collect();
        let length = 4 + self.below(14);
        let mut text = Vec::new();
        for _ in 0..length {
            let (one, other) = (self.below(words.len() as u64), self.below(words.len() as u64));
            text.push(words[one.min(other) as usize]);
        }
        text.join(" ")
    }
}
