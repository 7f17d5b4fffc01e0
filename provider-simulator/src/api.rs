//! What callers may ask, and what they are answered.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use chrono::{NaiveDate, NaiveTime};
use http::{HeaderMap, Method, Request, StatusCode, header};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::Config;
use crate::book::{Ask, Book, Entry, Kind, Operation, Status, card_of};
use crate::journal::{Journal, Written};
use crate::script::{Announcement, Fault, Script};
use crate::webhook::Due;

/// How many lines of a statement are answered at once.
const LINES_MAX: usize = 500;

/// A line of the journal.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// Something was done.
    Entry(Box<Entry>),
    /// Its announcement was taken, by the operation's key.
    Delivered(String),
}

/// The provider: what it has done, and how it behaves.
pub(crate) struct Provider {
    state: Mutex<State>,
    journal: Journal,
    outgoing: mpsc::UnboundedSender<Due>,
    api_key: String,
}

struct State {
    book: Book,
    script: Script,
    /// How often each key was asked since the start.
    asked: HashMap<String, u32>,
}

/// Comes when an announcement was tried.
type Told = oneshot::Receiver<()>;

/// An answer: a status, and JSON.
pub(crate) type Answer = (StatusCode, Value);

impl Provider {
    /// Reads the journal. What was done and not announced before a crash is announced now.
    pub(crate) fn open(config: &Config) -> io::Result<(Provider, mpsc::UnboundedReceiver<Due>)> {
        let (journal, lines) = Journal::open::<Line>(&config.journal)?;
        let (outgoing, due) = mpsc::unbounded_channel();
        let mut book = Book::default();
        let mut told = HashSet::new();
        for line in lines {
            match line {
                Line::Entry(entry) => book.apply(*entry),
                Line::Delivered(key) => {
                    told.insert(key);
                }
            }
        }
        let untold = book.operations().map(|done| done.key.clone()).filter(|key| !told.contains(key));
        let untold: Vec<String> = untold.collect();
        let state = Mutex::new(State { book, script: config.script.clone(), asked: HashMap::new() });
        let provider = Provider { state, journal, outgoing, api_key: config.api_key.clone() };
        for key in untold {
            provider.announce(&key);
        }
        Ok((provider, due))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change_script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.state().script);
    }

    pub(crate) fn script(&self) -> Script {
        self.state().script.clone()
    }

    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.state().book.operations().cloned().collect()
    }

    pub(crate) fn asked(&self, key: &str) -> u32 {
        self.state().asked.get(key).copied().unwrap_or_default()
    }

    pub(crate) fn find(&self, key: &str) -> Option<Operation> {
        self.state().book.find(key).cloned()
    }

    pub(crate) fn announce(&self, key: &str) {
        // Nobody listens any more only when the simulator stops.
        let _ = self.outgoing.send(Due { key: key.to_owned(), delay: Duration::ZERO, tried: None });
    }

    /// Notes that an announcement was taken. Lost in a crash, it is made once more.
    pub(crate) fn delivered(&self, key: &str) {
        if let Ok(text) = line(&Line::Delivered(key.to_owned())) {
            drop(self.journal.append(text));
        }
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request<Bytes>) -> Answer {
        if !self.admits(request.headers()) {
            return refusal(StatusCode::UNAUTHORIZED, "the API key is missing or wrong");
        }
        let path = request.uri().path().to_owned();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (request.method(), parts.as_slice()) {
            (&Method::POST, ["v1", collection]) => self.act(collection, &request).await,
            (&Method::GET, ["v1", "operations", key]) => self.read(key).await,
            (&Method::GET, ["v1", "cards", token]) => card(token),
            (&Method::GET, ["v1", "statements", day]) => {
                self.statement(day, request.uri().query().unwrap_or_default())
            }
            (&Method::PUT, ["admin", "script"]) => match serde_json::from_slice(request.body()) {
                Ok(script) => {
                    self.change_script(|now| *now = script);
                    (StatusCode::OK, json!({}))
                }
                Err(error) => refusal(StatusCode::BAD_REQUEST, &error.to_string()),
            },
            (&Method::GET, ["admin", "operations"]) => {
                (StatusCode::OK, json!({ "operations": self.operations() }))
            }
            _ => refusal(StatusCode::NOT_FOUND, "there is no such call"),
        }
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        shown.and_then(|value| value.strip_prefix("Bearer ")) == Some(self.api_key.as_str())
    }

    async fn act(&self, collection: &str, request: &Request<Bytes>) -> Answer {
        let key = request.headers().get("idempotency-key").and_then(|key| key.to_str().ok());
        let Some(key) = key.filter(|key| !key.is_empty() && key.len() <= 128) else {
            return refusal(StatusCode::BAD_REQUEST, "Idempotency-Key is missing");
        };
        let ask = match Ask::read(collection, key, request.body()) {
            Ok(Some(ask)) => ask,
            Ok(None) => return refusal(StatusCode::NOT_FOUND, "there is no such call"),
            Err(error) => return refusal(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        let fault = self.fault(&ask);
        match fault {
            Some(Fault::Closed) => return refusal(StatusCode::SERVICE_UNAVAILABLE, "closed"),
            Some(Fault::TooMany) => return refusal(StatusCode::TOO_MANY_REQUESTS, "too many calls"),
            Some(Fault::Hang | Fault::Fail | Fault::Delay(_)) | None => {}
        }
        let (operation, told, written) = match self.carry_out(&ask) {
            Ok(done) => done,
            Err(refused) => return refused,
        };
        if written.await.is_err() {
            return refusal(StatusCode::INTERNAL_SERVER_ERROR, "the journal cannot be written");
        }
        if let Some(told) = told {
            // Nobody is left to tell only when the simulator stops.
            let _ = told.await;
        }
        match fault {
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Fail) => return refusal(StatusCode::SERVICE_UNAVAILABLE, "something broke"),
            Some(Fault::Delay(ms)) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Some(Fault::Closed | Fault::TooMany) | None => {}
        }
        (StatusCode::OK, json!(operation))
    }

    fn fault(&self, ask: &Ask) -> Option<Fault> {
        let mut state = self.state();
        let asked = state.asked.entry(ask.key.clone()).or_default();
        *asked += 1;
        let attempt = *asked;
        let token =
            if ask.kind == Kind::Authorize { &ask.token } else { state.book.token(&ask.authorization) };
        let token = token.to_owned();
        state.script.fault(ask.kind, &ask.key, &token, attempt)
    }

    /// Does what is asked, unless it was done. The lock is held until the lines have their place in the journal, so that
    /// they stand there in the order in which they were done. What is done is announced from here on, whether or not the
    /// caller waits for the answer.
    fn carry_out(&self, ask: &Ask) -> Result<(Operation, Option<Told>, Written), Answer> {
        let mut state = self.state();
        match state.book.done(ask) {
            Ok(Some(known)) => return Ok((known.clone(), None, self.journal.append(String::new()))),
            Ok(None) => {}
            Err(reused) => return Err(refusal(StatusCode::CONFLICT, &reused.to_string())),
        }
        let entries = state.book.decide(ask, now());
        let mut text = String::new();
        for entry in &entries {
            let entry = line(&Line::Entry(Box::new(entry.clone())));
            text += &entry.map_err(|error| refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()))?;
        }
        for entry in entries {
            state.book.apply(entry);
        }
        let operation = state.book.find(&ask.key).cloned();
        let operation =
            operation.ok_or_else(|| refusal(StatusCode::INTERNAL_SERVER_ERROR, "it was not booked"))?;
        let written = self.journal.append(text);
        let told = self.tell(&operation, state.script.announcement(&operation.key));
        Ok((operation, told, written))
    }

    /// Has what was done announced. Where the script wants that before it is answered, there is something to wait for.
    fn tell(&self, operation: &Operation, announcement: Announcement) -> Option<Told> {
        let due = |delay, tried| Due { key: operation.key.clone(), delay, tried };
        if announcement.early {
            let (tried, told) = oneshot::channel();
            let _ = self.outgoing.send(due(Duration::ZERO, Some(tried)));
            return Some(told);
        }
        for _ in 0..announcement.times {
            let _ = self.outgoing.send(due(Duration::from_millis(announcement.delay_ms), None));
        }
        None
    }

    /// Waits until everything that was done so far is on disk; `false` where it cannot be written.
    pub(crate) async fn kept(&self) -> bool {
        self.journal.append(String::new()).await.is_ok()
    }

    /// What was done under a key, once that is on disk: what a crash may still undo is told to nobody.
    async fn read(&self, key: &str) -> Answer {
        let found = self.find(key);
        if !self.kept().await {
            return refusal(StatusCode::INTERNAL_SERVER_ERROR, "the journal cannot be written");
        }
        match found {
            Some(operation) => (StatusCode::OK, json!(operation)),
            None => refusal(StatusCode::NOT_FOUND, "there is no such operation"),
        }
    }

    fn statement(&self, day: &str, query: &str) -> Answer {
        let Some((from, to)) = span(day) else {
            return refusal(StatusCode::BAD_REQUEST, "a day is written 2026-11-20");
        };
        let after = query.split('&').find_map(|part| part.strip_prefix("after=")).unwrap_or_default();
        let state = self.state();
        let said = &state.script.statement;
        let mut lines: Vec<Operation> = state
            .book
            .operations()
            .filter(|done| {
                matches!(done.kind, Kind::Capture | Kind::Refund) && done.status == Status::Succeeded
            })
            .filter(|done| !said.without.contains(&done.key))
            .chain(&said.with)
            .filter(|done| (from..to).contains(&done.time) && done.key.as_str() > after)
            .cloned()
            .collect();
        lines.sort_by(|one, other| one.key.cmp(&other.key));
        for line in &mut lines {
            line.amount_minor = said.amounts.get(&line.key).copied().unwrap_or(line.amount_minor);
        }
        let more = lines.len() > LINES_MAX;
        lines.truncate(LINES_MAX);
        let next = if more { lines.last().map(|line| line.key.clone()) } else { None };
        (StatusCode::OK, json!({ "day": day, "lines": lines, "next": next }))
    }
}

fn card(token: &str) -> Answer {
    match card_of(token) {
        Some(card) => {
            let hash = digest(&SHA256, card.as_bytes());
            let fingerprint = URL_SAFE_NO_PAD.encode(&hash.as_ref()[..12]);
            (StatusCode::OK, json!({ "fingerprint": fingerprint }))
        }
        None => refusal(StatusCode::NOT_FOUND, "there is no such token"),
    }
}

/// The first microsecond of a day and of the one after it.
fn span(day: &str) -> Option<(i64, i64)> {
    let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    let micros = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
    Some((micros(day), micros(day.succ_opt()?)))
}

fn line(line: &Line) -> serde_json::Result<String> {
    serde_json::to_string(line).map(|text| text + "\n")
}

fn refusal(status: StatusCode, message: &str) -> Answer {
    (status, json!({ "error": message }))
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
