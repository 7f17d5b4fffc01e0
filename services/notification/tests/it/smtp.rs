//! A mail server of our own: it takes messages, refuses them, or is slow, as told.
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// How the next messages fare.
#[derive(Clone, Copy)]
pub(crate) enum Mood {
    Fine,
    /// Answers the recipient with this code.
    Refusing(u16),
    /// Thinks before it takes a message.
    Slow(Duration),
    /// Takes the message, and hangs up before it says so.
    Forgetful,
}

/// The server. Clones share its messages.
#[derive(Clone)]
pub(crate) struct Smtp {
    pub(crate) url: String,
    state: Arc<Mutex<(Mood, usize, Vec<String>)>>,
}

impl Smtp {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let smtp = Self { url, state: Arc::new(Mutex::new((Mood::Fine, 0, Vec::new()))) };
        let serving = smtp.clone();
        chassis::task::spawn("smtp", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                // A client that hangs up ends only its own conversation.
                chassis::task::spawn("conversation", async move { drop(serving.converse(stream).await) });
            }
        });
        smtp
    }

    /// Fares so with the next messages, then fine again.
    pub(crate) fn next(&self, count: usize, mood: Mood) {
        let mut state = self.state.lock().unwrap();
        (state.0, state.1) = (mood, count);
    }

    /// What it took, headers and all.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.state.lock().unwrap().2.clone()
    }

    fn mood(&self) -> Mood {
        let mut state = self.state.lock().unwrap();
        if state.1 == 0 {
            return Mood::Fine;
        }
        state.1 -= 1;
        state.0
    }

    async fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut mood = Mood::Fine;
        write.write_all(b"220 test\r\n").await?;
        while let Some(line) = lines.next_line().await? {
            let command = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            let answer = match command.as_str() {
                "EHLO" => "250 test".to_owned(),
                "MAIL" => {
                    mood = self.mood();
                    "250 ok".to_owned()
                }
                "RCPT" => match mood {
                    Mood::Refusing(code) => format!("{code} no"),
                    Mood::Fine | Mood::Slow(_) | Mood::Forgetful => "250 ok".to_owned(),
                },
                "DATA" => {
                    write.write_all(b"354 go on\r\n").await?;
                    let mut message = String::new();
                    while let Some(line) = lines.next_line().await? {
                        if line == "." {
                            break;
                        }
                        message.push_str(&line);
                        message.push('\n');
                    }
                    if let Mood::Slow(delay) = mood {
                        tokio::time::sleep(delay).await;
                    }
                    self.state.lock().unwrap().2.push(message);
                    if let Mood::Forgetful = mood {
                        return Ok(());
                    }
                    "250 taken".to_owned()
                }
                "QUIT" => {
                    write.write_all(b"221 bye\r\n").await?;
                    return Ok(());
                }
                _ => "250 ok".to_owned(),
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }
}
