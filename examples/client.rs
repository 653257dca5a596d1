//! Shows: a client by hand. Prints what a server sends, how the conversation ends, and why a connection fails.
//! Run: `cargo run --example client -- ws://127.0.0.1:9001 hello "how are you?"` beside `echo_server`; without
//! messages, each line of the standard input is one. With `--features tls` it speaks `wss://` too.
//! Next: `raw_frames`, to see what a message is made of.

use std::{io::BufRead, process::ExitCode, thread, time::Duration};

use converse::{CloseReason, Error, Message, Sender, SessionOptions};
use tokio::sync::mpsc;

/// Once everything is said, this much silence ends the conversation.
const SILENCE: Duration = Duration::from_secs(1);

/// Returns what there is to say: the arguments, or else the lines of the standard input as they come.
fn lines(arguments: Vec<String>) -> mpsc::Receiver<String> {
    let (lines, receiver) = mpsc::channel(16);
    // Reading the terminal blocks, so it has a thread of its own, which ends with the program.
    thread::spawn(move || match arguments.is_empty() {
        true => std::io::stdin()
            .lock()
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| lines.blocking_send(line)),
        false => arguments.into_iter().try_for_each(|line| lines.blocking_send(line)),
    });
    receiver
}

async fn say(sender: Sender, mut lines: mpsc::Receiver<String>) -> converse::Result<()> {
    while let Some(line) = lines.recv().await {
        sender.send(line).await?;
    }
    Ok(())
}

async fn talk(url: &str, lines: mpsc::Receiver<String>) -> converse::Result<()> {
    let mut session = converse::connect(url, SessionOptions::default()).await?;
    // Sending has a task of its own, so that a server that answers slowly can be heard meanwhile.
    let mut saying = tokio::spawn(say(session.sender(), lines));
    let mut all_said = false;
    loop {
        tokio::select! {
            message = session.receive() => match message? {
                Some(Message::Text(text)) => println!("{text}"),
                Some(Message::Binary(bytes)) => println!("{} bytes: {bytes:02x?}", bytes.len()),
                None => break,
            },
            // How sending failed is how the session ended, and `receive` tells that.
            _ = &mut saying, if !all_said => all_said = true,
            () = tokio::time::sleep(SILENCE), if all_said => break,
        }
    }
    eprintln!("{}", session.close(CloseReason::NORMAL).await);
    Ok(())
}

/// Prints an error; a server that refuses may say why in its answer.
fn report(error: &Error) {
    eprintln!("error: {error}");
    let Some(response) = error.as_connect().and_then(|error| error.response()) else { return };
    for (name, value) in response.headers() {
        eprintln!("  {name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    eprintln!("  {}", String::from_utf8_lossy(response.body()).trim_end());
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(url) = arguments.next() else {
        eprintln!("usage: client URL [MESSAGE…]");
        return ExitCode::from(2);
    };
    match talk(&url, lines(arguments.collect())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}
