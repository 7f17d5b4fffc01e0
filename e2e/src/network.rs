//! The network between the parts of a shop, with the weather it may have: each way is a small proxy of its own.
#![expect(clippy::disallowed_methods, reason = "these tasks end with the test, which nobody drains")]
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes carried at once.
const CHUNK: usize = 16 * 1024;

/// What happens to whatever travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// All of it arrives at once.
    Fair,
    /// Every chunk arrives this much later.
    Slow(Duration),
    /// Arrives in pieces of so many bytes, a millisecond apart.
    Sliced(usize),
    /// Nothing arrives, and nothing is refused, until the weather changes.
    Silent,
    /// Requests arrive and are carried out, answers are lost.
    Unanswered,
    /// Connections break, and new ones do too.
    Broken,
}

/// A way from one part to another.
#[derive(Debug)]
pub struct Way {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    task: JoinHandle<()>,
}

impl Way {
    /// A way to a listener, in fair weather.
    pub async fn to(target: SocketAddr) -> std::io::Result<Way> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (weather, seen) = watch::channel(Weather::Fair);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let seen = seen.clone();
                tokio::spawn(async move { carry(near, target, seen).await });
            }
        });
        Ok(Way { address, weather, task })
    }

    /// Where to connect to instead of the target.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather, for connections that are open too.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.task.abort();
        self.weather.send_replace(Weather::Broken);
    }
}

/// Carries one connection until either side ends it or the weather breaks it.
async fn carry(near: TcpStream, target: SocketAddr, mut weather: watch::Receiver<Weather>) {
    let Ok(far) = TcpStream::connect(target).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.into_split();
    let (there, back) = (weather.clone(), weather.clone());
    tokio::select! {
        _ = copy(&mut near_in, &mut far_out, there, false) => {}
        _ = copy(&mut far_in, &mut near_out, back, true) => {}
        _ = weather.wait_for(|weather| *weather == Weather::Broken) => {}
    }
}

async fn copy(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    mut weather: watch::Receiver<Weather>,
    answers: bool,
) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        let now = *weather.borrow();
        match now {
            Weather::Fair => to.write_all(&chunk[..read]).await?,
            Weather::Slow(by) => {
                tokio::time::sleep(by).await;
                to.write_all(&chunk[..read]).await?;
            }
            Weather::Sliced(size) => {
                for piece in chunk[..read].chunks(size.max(1)) {
                    to.write_all(piece).await?;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            Weather::Silent => {
                let _ = weather.wait_for(|weather| *weather != Weather::Silent).await;
                to.write_all(&chunk[..read]).await?;
            }
            Weather::Unanswered if !answers => to.write_all(&chunk[..read]).await?,
            Weather::Unanswered => {
                // What is lost cannot be made up for later: when answers come through again, the connection is over.
                let _ = weather.wait_for(|weather| *weather != Weather::Unanswered).await;
                return Ok(());
            }
            Weather::Broken => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    /// Says back what it hears, and tells how much it heard.
    async fn echo() -> (SocketAddr, watch::Receiver<usize>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (heard, hears) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let heard = heard.clone();
                tokio::spawn(async move {
                    let mut chunk = [0; 64];
                    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
                        heard.send_modify(|sum| *sum += read);
                        if stream.write_all(&chunk[..read]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        (address, hears)
    }

    async fn ask(stream: &mut TcpStream) -> Option<[u8; 5]> {
        let mut answer = [0; 5];
        stream.write_all(b"hello").await.ok()?;
        timeout(Duration::from_millis(300), stream.read_exact(&mut answer)).await.ok()?.ok()?;
        Some(answer)
    }

    #[tokio::test]
    async fn what_is_held_back_in_silence_arrives_after_it() {
        let (target, _) = echo().await;
        let way = Way::to(target).await.expect("a way");
        let mut stream = TcpStream::connect(way.address()).await.expect("connects");
        assert_eq!(ask(&mut stream).await.as_ref(), Some(b"hello"));
        way.set(Weather::Silent);
        assert_eq!(ask(&mut stream).await, None);
        way.set(Weather::Fair);
        let mut late = [0; 5];
        stream.read_exact(&mut late).await.expect("the answer comes late");
        assert_eq!(&late, b"hello");
    }

    #[tokio::test]
    async fn an_unanswered_request_is_heard_all_the_same() {
        let (target, mut heard) = echo().await;
        let way = Way::to(target).await.expect("a way");
        let mut stream = TcpStream::connect(way.address()).await.expect("connects");
        way.set(Weather::Unanswered);
        assert_eq!(ask(&mut stream).await, None);
        heard.wait_for(|heard| *heard == 5).await.expect("it was heard");
        way.set(Weather::Fair);
        assert_eq!(stream.read(&mut [0; 5]).await.ok(), Some(0), "the connection is over");
    }

    #[tokio::test]
    async fn broken_ways_break_open_connections_and_mend() {
        let (target, _) = echo().await;
        let way = Way::to(target).await.expect("a way");
        let mut stream = TcpStream::connect(way.address()).await.expect("connects");
        way.set(Weather::Broken);
        assert_eq!(ask(&mut stream).await, None);
        way.set(Weather::Fair);
        let mut again = TcpStream::connect(way.address()).await.expect("connects");
        assert_eq!(ask(&mut again).await.as_ref(), Some(b"hello"));
    }
}
