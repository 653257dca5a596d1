//! The two halves of the crate's extension without a connection, and zlib beside them.

use bytes::Bytes;
use converse::{
    Frame, MemoryMode, Message, PerMessageDeflate,
    extension::{
        Extension, ExtensionDecoder, ExtensionEncoder, ExtensionError, ExtensionOffer, FrameSink, SendHints,
    },
    frame::{ProtocolError, Rsv},
};
use converse_benches::{
    Result,
    clock::CpuClock,
    deflate::{Agreed, Packer, Raw},
    payload::Traffic,
    stats::Rounds,
};

use crate::{
    echo::{ROUNDS, WARM_UP, count},
    peers::converse::modes,
};

/// Levels that are tried.
const LEVELS: [u8; 4] = [1, 3, 6, 9];

/// One way to pack and unpack.
pub struct Codec {
    /// Its options, in words.
    pub name: String,
    make: Box<dyn Fn() -> Result<Pair>>,
}

type Pack = dyn FnMut(&Message) -> Result<Frame>;

/// Both directions of one connection, as its server has them.
struct Pair {
    pack: Box<Pack>,
    unpack: Box<dyn FnMut(Frame) -> Result<Bytes>>,
    agreed: Agreed,
}

/// A codec with one kind of traffic.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// Mean bytes of a packed message.
    pub wire: f64,
    /// Microseconds of CPU to pack one.
    pub pack: Rounds,
    /// Microseconds of CPU to unpack one.
    pub unpack: Rounds,
}

/// Returns all that is measured.
pub fn all() -> Vec<Codec> {
    let mut all = Vec::new();
    for level in LEVELS {
        let make = Box::new(move || Ok(raw(level)));
        all.push(Codec { name: format!("zlib-rs alone, takeover, level {level}"), make });
        for (name, mode) in modes() {
            let deflate = PerMessageDeflate::new().memory(mode).level(level).threshold(0);
            all.push(Codec {
                name: format!("{name}, level {level}"),
                make: Box::new(move || pair(&deflate)),
            });
        }
    }
    all
}

/// Measures each codec with this traffic, in turns.
///
/// # Errors
/// When a codec fails, or does not give back what went in.
pub fn measure(codecs: &[Codec], traffic: Traffic) -> Result<Vec<Cell>> {
    let texts = traffic.messages(WARM_UP + count(traffic) / 2);
    let messages: Vec<Message> = texts.into_iter().map(Message::from).collect();
    let mut cells = vec![Cell::default(); codecs.len()];
    for round in 0..ROUNDS {
        eprintln!("codecs, {}: round {} of {ROUNDS}", traffic.name(), round + 1);
        for turn in 0..codecs.len() {
            let at = (turn + round * 5) % codecs.len();
            run(&codecs[at], &messages, &mut cells[at])?;
        }
    }
    Ok(cells)
}

/// Chat lines of one range of lengths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lengths {
    /// How many there were.
    pub count: usize,
    /// Their bytes.
    pub plain: usize,
    /// What was left of them.
    pub packed: usize,
}

/// How wide a range of lengths is.
pub const RANGE: usize = 16;

/// Packs chat lines at level 1, and sums them up by their lengths: the first range is from 0 to [`RANGE`].
///
/// # Errors
/// When the codec fails.
pub fn by_length(mode: MemoryMode) -> Result<[Lengths; 8]> {
    let deflate = PerMessageDeflate::new().memory(mode).level(1).threshold(0);
    let Pair { mut pack, .. } = pair(&deflate)?;
    let mut sums = [Lengths::default(); 8];
    for text in Traffic::Chat.messages(20_000) {
        let plain = text.len();
        let packed = pack(&Message::from(text))?.payload.len();
        if let Some(sum) = sums.get_mut(plain / RANGE) {
            *sum = Lengths { count: sum.count + 1, plain: sum.plain + plain, packed: sum.packed + packed };
        }
    }
    Ok(sums)
}

fn run(codec: &Codec, messages: &[Message], cell: &mut Cell) -> Result<()> {
    let Pair { pack, unpack, agreed } = (codec.make)()?;
    let mut client = Packer::new(agreed);
    let received: Vec<Frame> = messages
        .iter()
        .map(|message| Bytes::copy_from_slice(client.pack(message.as_bytes())))
        .map(|payload| Frame { rsv: Rsv::RSV1, ..Frame::text(payload) })
        .collect();
    let (frames, time) = timed(messages.iter(), pack)?;
    cell.pack.push(time);
    cell.wire = frames.iter().map(|frame| frame.payload.len() as f64).sum::<f64>() / frames.len() as f64;
    let (texts, time) = timed(received.into_iter(), unpack)?;
    cell.unpack.push(time);
    let same = texts.iter().zip(&messages[WARM_UP..]).all(|(text, message)| text[..] == *message.as_bytes());
    if same { Ok(()) } else { Err(format!("{}: what came out is not what went in", codec.name).into()) }
}

/// Returns what comes out behind the warm-up, and the microseconds for each.
fn timed<I, O>(
    items: impl ExactSizeIterator<Item = I>,
    mut work: impl FnMut(I) -> Result<O>,
) -> Result<(Vec<O>, f64)> {
    let (clock, count) = (CpuClock::of_this_thread(), items.len() - WARM_UP);
    let (mut start, mut done) = (clock.now(), Vec::with_capacity(count));
    for (number, item) in items.enumerate() {
        if number == WARM_UP {
            start = clock.now();
        }
        let made = work(item)?;
        if number >= WARM_UP {
            done.push(made);
        }
    }
    Ok((done, (clock.now() - start).as_secs_f64() * 1e6 / count as f64))
}

/// Both halves of a server, as they are for a browser.
fn pair(deflate: &PerMessageDeflate) -> Result<Pair> {
    let offer = ExtensionOffer::from_static("permessage-deflate").flag("client_max_window_bits");
    let server = deflate.accept(&offer).ok_or("the offer was declined")?;
    let head = format!("sec-websocket-extensions: {}", ExtensionOffer::join(&[server.answer().clone()]));
    let agreed = Agreed::from_head(&head).ok_or("no answer")?;
    let (mut encoder, mut decoder) = server.into_halves();
    Ok(Pair {
        pack: Box::new(move |message| pack(&mut *encoder, message)),
        unpack: Box::new(move |frame| unpack(&mut *decoder, frame)),
        agreed,
    })
}

fn pack(encoder: &mut dyn ExtensionEncoder, message: &Message) -> Result<Frame> {
    encoder.begin(message, SendHints::default());
    let mut packed = None;
    let mut put = |frame| -> std::result::Result<(), ExtensionError> {
        packed = Some(frame);
        Ok(())
    };
    let frame = Frame::text(Bytes::copy_from_slice(message.as_bytes()));
    encoder.encode(frame, &mut FrameSink::new(&mut put))?;
    packed.ok_or_else(|| "no frame came out".into())
}

fn unpack(decoder: &mut dyn ExtensionDecoder, frame: Frame) -> Result<Bytes> {
    let mut text = Bytes::new();
    let mut put = |frame: Frame| -> std::result::Result<(), ProtocolError> {
        text = frame.payload;
        Ok(())
    };
    decoder.decode(frame, 1 << 20, &mut FrameSink::new(&mut put)).map_err(|error| error.to_string())?;
    Ok(text)
}

fn raw(level: u8) -> Pair {
    let (mut packing, mut unpacking) = (Raw::new(level.into()), Raw::new(level.into()));
    Pair {
        pack: Box::new(move |message| {
            Ok(Frame::text(Bytes::copy_from_slice(packing.pack(message.as_bytes()))))
        }),
        unpack: Box::new(move |frame| Ok(Bytes::copy_from_slice(unpacking.unpack(&frame.payload)?))),
        agreed: Agreed::default(),
    }
}
