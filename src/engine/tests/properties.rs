//! Whatever arrives, and however it is cut: the same verdict, no panic, no timer that stays due.

use converse_zlib_oracle::{Deflater, Flush};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::{
    Solo, Wire, config, frame, masked, ms,
    toys::{checksum, server_stack, shred, xor},
};
use crate::{
    engine::{CloseCause, EngineConfig, Event, Phase},
    extension::ExtensionStack,
    frame::{CloseReason, Frame, Role},
};

/// Which engine a stream is played to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    role: Role,
    raw: bool,
    extensions: u8,
    small: bool,
}

impl Setting {
    pub(super) fn solo(self) -> Solo {
        let mut config = EngineConfig { raw: self.raw, fragment_size: 10, ..config(self.role) };
        if self.small {
            config.max_frame_size = Some(150);
            config.max_message_size = 180;
            config.receive_queue = 50;
        }
        let stack = match self.extensions {
            0 => ExtensionStack::default(),
            1 => server_stack(&[xor(), checksum()]),
            2 => server_stack(&[shred(), xor()]),
            mode => deflate_stack(mode - 3),
        };
        Solo::extended(config, stack)
    }

    fn compresses(self) -> bool {
        self.extensions > 2
    }

    fn frame(self, head: u8, payload: &[u8]) -> Vec<u8> {
        if self.role == Role::Server { masked(head, payload) } else { frame(head, payload) }
    }
}

#[cfg(feature = "deflate")]
const EXTENSIONS: u8 = 6;
#[cfg(not(feature = "deflate"))]
const EXTENSIONS: u8 = 3;

#[cfg(feature = "deflate")]
fn deflate_stack(mode: u8) -> ExtensionStack {
    use crate::extension::{MemoryMode, PerMessageDeflate};
    let memory = match mode {
        0 => MemoryMode::Dedicated,
        1 => MemoryMode::Compact { history: 512 },
        _ => MemoryMode::NoTakeover,
    };
    server_stack(&[std::sync::Arc::new(PerMessageDeflate::new().memory(memory).threshold(5))])
}

#[cfg(not(feature = "deflate"))]
fn deflate_stack(_: u8) -> ExtensionStack {
    unreachable!("there are only {EXTENSIONS}")
}

pub(super) fn setting() -> impl Strategy<Value = Setting> {
    let role = prop_oneof![Just(Role::Server), Just(Role::Client)];
    (role, prop::bool::weighted(0.2), 0_u8..EXTENSIONS, any::<bool>())
        .prop_map(|(role, raw, extensions, small)| Setting { role, raw, extensions, small })
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-zä𝄞]{0,20}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..140),
        1 => Just(vec![b'x'; 200]),
    ]
}

/// One thing that a peer puts on the wire: mostly legal.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Message(bool, Vec<Vec<u8>>),
    Ping(Vec<u8>),
    Frame(u8, Vec<u8>),
    Close(u16, Vec<u8>),
    Bytes(Vec<u8>),
}

impl Step {
    fn write(&self, setting: Setting, zlib: &mut Deflater, out: &mut Vec<u8>) {
        match self {
            Self::Message(is_text, fragments) => {
                let opcode = 2 - u8::from(*is_text);
                if setting.compresses() && fragments[0].len() % 5 != 4 {
                    write_fragments(setting, 0x40 | opcode, &compressed(zlib, fragments), out);
                } else {
                    write_fragments(setting, opcode, fragments, out);
                }
            }
            Self::Ping(payload) => out.extend(setting.frame(0x89, payload)),
            Self::Frame(head, payload) => out.extend(setting.frame(*head, payload)),
            Self::Close(code, text) => {
                out.extend(setting.frame(0x88, &[&code.to_be_bytes()[..], text].concat()));
            }
            Self::Bytes(bytes) => out.extend(bytes),
        }
    }
}

/// Writes a message's frames, with pings between some of them.
fn write_fragments(setting: Setting, opcode: u8, fragments: &[Vec<u8>], out: &mut Vec<u8>) {
    for (index, payload) in fragments.iter().enumerate() {
        let fin = if index + 1 == fragments.len() { 0x80 } else { 0 };
        let opcode = if index > 0 { 0 } else { opcode };
        out.extend(setting.frame(fin | opcode, payload));
        if fin == 0 && payload.len() % 3 == 0 {
            out.extend(setting.frame(0x89, &payload[..payload.len().min(9)]));
        }
    }
}

/// Compresses a message on its own, so that it can be read in every mode, into as many fragments.
fn compressed(zlib: &mut Deflater, fragments: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let data = fragments.concat();
    let end = if data.len() % 4 == 3 { Flush::Finish } else { Flush::Sync };
    zlib.reset();
    let payload =
        zlib.message_of(&[(&data[..data.len() / 2], Flush::Partial), (&data[data.len() / 2..], end)]);
    let mut parts: Vec<_> =
        payload.chunks(payload.len().div_ceil(fragments.len())).map(<[u8]>::to_vec).collect();
    parts.resize(fragments.len(), Vec::new());
    parts
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (any::<bool>(), vec(payload(), 1..4)).prop_map(|(text, parts)| Step::Message(text, parts)),
        6 => vec(any::<u8>(), 0..20).prop_map(Step::Ping),
        2 => (any::<u8>(), payload()).prop_map(|(head, payload)| Step::Frame(head, payload)),
        1 => (990_u16..1020, "[a-z]{0,5}").prop_map(|(code, text)| Step::Close(code, text.into_bytes())),
        1 => vec(any::<u8>(), 1..20).prop_map(Step::Bytes),
    ]
}

pub(super) fn stream(setting: Setting, steps: &[Step], damage: Option<(Index, u8)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut zlib = Deflater::new(6, 9);
    steps.iter().for_each(|step| step.write(setting, &mut zlib, &mut bytes));
    if let Some((index, value)) = damage.filter(|_| !bytes.is_empty()) {
        let at = index.index(bytes.len());
        bytes[at] = value;
    }
    bytes
}

/// Plays a stream in pieces of these lengths, over and over; then TCP ends, and time
/// passes for a Close that the application leaves unanswered.
pub(super) fn play(setting: Setting, bytes: &[u8], pieces: &[usize]) -> (Vec<Event>, Vec<u8>) {
    let mut solo = setting.solo();
    let mut events = Vec::new();
    let mut rest = bytes;
    for &len in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at(len.min(rest.len()));
        events.extend(solo.feed(piece));
        rest = behind;
    }
    events.extend(solo.eof());
    let output = solo.flush();
    solo.wait(ms(5000));
    events.extend(solo.events());
    (events, output)
}

/// Leaves the fault out that ended a connection, where a message may have two: one that is unpacked part by part may be
/// found to be no text, or to be too long, as its parts are cut.
pub(super) fn either_fault(
    setting: Setting,
    (mut events, mut output): (Vec<Event>, Vec<u8>),
) -> (Vec<Event>, Vec<u8>) {
    let fault = match events.last() {
        Some(Event::Closed(closed)) => match closed.cause {
            CloseCause::Violation(error) if matches!(error.close_code().get(), 1007 | 1009) => Some(error),
            _ => None,
        },
        _ => None,
    };
    if let Some(error) = fault.filter(|_| setting.compresses()) {
        let head = if setting.role == Role::Server { 4 } else { 8 };
        output.truncate(output.len() - head - error.text().len());
        events.pop();
    }
    (events, output)
}

fn closed_once_and_last(events: &[Event]) -> bool {
    let is_closed = |event: &Event| matches!(event, Event::Closed(_));
    events.iter().filter(|event| is_closed(event)).count() == 1 && events.last().is_some_and(is_closed)
}

/// Something that happens to a connection.
#[derive(Clone, Debug)]
enum Happening {
    Steps(Vec<Step>),
    Send(usize),
    SendFrame(u8, bool, usize),
    Ping,
    Take,
    Give,
    Write(usize),
    Sleep(u64),
    Close,
    CloseNow,
    Eof,
    Error,
    Abort,
    StopDelivery,
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    prop_oneof![
        6 => vec(step(), 1..4).prop_map(Steps),
        4 => (0_usize..100).prop_map(Send),
        3 => (0_u8..11, any::<bool>(), 0_usize..150).prop_map(|(code, fin, len)| SendFrame(code, fin, len)),
        2 => Just(Ping),
        4 => Just(Take),
        3 => Just(Give),
        6 => (0_usize..200).prop_map(Write),
        6 => (0_u64..30_000).prop_map(Sleep),
        1 => Just(Close),
        1 => prop_oneof![Just(CloseNow), Just(Eof), Just(Error), Just(Abort), Just(StopDelivery)],
    ]
}

fn happen(setting: Setting, solo: &mut Solo, what: &Happening, out: &mut Vec<u8>, events: &mut Vec<Event>) {
    use crate::frame::OpCode;
    let now = solo.now;
    match what {
        Happening::Steps(steps) => drop(solo.hand(&stream(setting, steps, None))),
        Happening::Send(len) if !setting.raw => {
            let _ = solo.send(vec![7; *len].into());
        }
        Happening::SendFrame(code, fin, len) if setting.raw => {
            let opcode = OpCode::from_bits(*code).unwrap_or(OpCode::Binary);
            let payload = [&[3, 0xe8][..], &vec![b'x'; *len]].concat();
            let _ = solo.engine.send_frame(Frame { opcode, fin: *fin, ..Frame::binary(payload) }, now);
        }
        Happening::Send(_) | Happening::SendFrame(..) => {}
        Happening::Ping => drop(solo.engine.ping(now)),
        Happening::Take => events.extend(solo.next_event()),
        Happening::Give => solo.engine.poll_output(&mut solo.socket, false, now),
        Happening::Write(limit) => out.extend(solo.write(*limit)),
        Happening::Sleep(millis) => solo.wait(ms(*millis)),
        Happening::Close => drop(solo.engine.close(CloseReason::NORMAL, now)),
        Happening::CloseNow => solo.engine.close_now(CloseReason::NORMAL, now),
        Happening::Eof => solo.engine.handle_eof(now),
        Happening::Error => solo.engine.handle_error(std::io::ErrorKind::BrokenPipe, now),
        Happening::Abort => solo.engine.abort(now),
        Happening::StopDelivery => solo.engine.stop_delivery(),
    }
}

/// Reads the whole frames at the beginning of what an engine put out; none is over 64 KiB.
fn whole_frames(bytes: &[u8], from: Role) -> Vec<Wire> {
    let mask = if from == Role::Client { 4 } else { 0 };
    let mut end = 0;
    while let Some(&[_, len]) = bytes.get(end..end + 2) {
        let (head, len) = match (len & 0x7f, bytes.get(end + 2..end + 4)) {
            (126, Some(len)) => (4 + mask, usize::from(u16::from_be_bytes([len[0], len[1]]))),
            (126, None) => break,
            (len, _) => (2 + mask, usize::from(len)),
        };
        if end + head + len > bytes.len() {
            break;
        }
        end += head + len;
    }
    Wire::parse(&bytes[..end], from)
}

proptest! {
    #[test]
    fn any_split_of_the_input_gives_the_same_events_and_output(
        setting in setting(),
        steps in vec(step(), 0..12),
        damage in prop::option::weighted(0.3, any::<(Index, u8)>()),
        pieces in vec(1_usize..40, 1..8),
    ) {
        let bytes = stream(setting, &steps, damage);
        let whole = play(setting, &bytes, &[usize::MAX]);
        prop_assert!(closed_once_and_last(&whole.0), "{:?}", whole.0);
        let whole = either_fault(setting, whole);
        prop_assert_eq!(&either_fault(setting, play(setting, &bytes, &pieces)), &whole);
        prop_assert_eq!(&either_fault(setting, play(setting, &bytes, &[1])), &whole);
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        setting in setting(),
        bytes in vec(prop_oneof![any::<u8>(), Just(0x80), Just(0x00), Just(0x82)], 0..200),
        pieces in vec(1_usize..20, 1..4),
    ) {
        let (events, output) = play(setting, &bytes, &pieces);
        prop_assert!(closed_once_and_last(&events));
        let closes = Wire::parse(&output, setting.role).iter().filter(|wire| wire.head == 0x88).count();
        prop_assert!(closes <= 1);
    }

    #[test]
    fn whatever_happens_timers_come_to_rest_and_the_output_is_legal(
        setting in setting(),
        happenings in vec(happening(), 0..60),
    ) {
        let mut solo = setting.solo();
        let (mut out, mut events) = (Vec::new(), Vec::new());
        for what in &happenings {
            happen(setting, &mut solo, what, &mut out, &mut events);
            solo.engine.handle_timeout(solo.now, || None);
            prop_assert!(solo.engine.poll_timeout().is_none_or(|at| at > solo.now), "{what:?}");
            prop_assert!(solo.phase() != Phase::Done || solo.engine.poll_timeout().is_none());
        }
        solo.wait(ms(100_000));
        events.extend(solo.events());
        let over = matches!(solo.phase(), Phase::Draining | Phase::Done);
        prop_assert_eq!(over, solo.engine.closed().is_some());
        let told = events.iter().position(|event| matches!(event, Event::Closed(_)));
        prop_assert!(told.is_none_or(|at| at + 1 == events.len()), "{events:?}");
        let frames = whole_frames(&out, setting.role);
        let close = frames.iter().position(|wire| wire.head == 0x88);
        prop_assert!(close.is_none_or(|at| at + 1 == frames.len()), "{frames:?}");
        prop_assert!(frames.iter().all(|wire| wire.head & 8 == 0 || wire.payload.len() <= 125));
    }
}
