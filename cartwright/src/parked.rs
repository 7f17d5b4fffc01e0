//! `cartwright parked`: messages that a service could not handle, listed and put back in line.
use std::process::ExitCode;

use anyhow::ensure;
use chassis::config::{NOUNS, Settings};
use chassis::time::Timestamp;
use chrono::DateTime;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use contract::operations::v1::parked_message::State;
use contract::operations::v1::{ListParkedMessagesRequest, ParkedMessage, RedriveParkedMessageRequest};
use serde::Serialize;

use crate::operator::Operator;

/// Looks after messages that a service could not handle.
#[derive(Subcommand)]
pub(crate) enum Parked {
    /// Lists messages whose handling failed: those that are tried again by themselves, and those that wait for you.
    List(Box<List>),
    /// Puts parked messages back in line, once what they failed for is mended.
    Redrive(Box<Redrive>),
}

/// Lists messages whose handling failed.
#[derive(Args)]
pub(crate) struct List {
    /// Lists those of one service only.
    #[arg(value_parser = PossibleValuesParser::new(NOUNS))]
    service: Option<String>,
    /// Prints them as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

/// Puts parked messages back in line.
#[derive(Args)]
pub(crate) struct Redrive {
    /// The service they are parked at.
    #[arg(value_parser = PossibleValuesParser::new(NOUNS))]
    service: String,
    /// The messages, named as `parked list` names them: `parkedMessages/…`.
    #[arg(required_unless_present = "all")]
    messages: Vec<String>,
    /// All that are parked at the service.
    #[arg(long, conflicts_with = "messages")]
    all: bool,
    #[command(flatten)]
    settings: Settings,
}

/// A message, as it is listed.
#[derive(Serialize)]
struct Row {
    service: &'static str,
    name: String,
    state: &'static str,
    r#type: String,
    key: String,
    event_id: String,
    attempts: i32,
    create_time: String,
    reason: String,
}

impl Row {
    fn of(service: &'static str, message: ParkedMessage) -> Self {
        let created = message.create_time.as_ref().and_then(|time| Timestamp::try_from(time).ok());
        let created = created.and_then(|time| DateTime::from_timestamp_micros(time.micros()));
        Row {
            service,
            state: if message.state() == State::Parked { "PARKED" } else { "RETRYING" },
            create_time: created.map(|time| time.to_rfc3339()).unwrap_or_default(),
            name: message.name,
            r#type: message.r#type,
            key: message.key,
            event_id: message.event_id,
            attempts: message.attempts,
            reason: message.reason,
        }
    }
}

impl Parked {
    pub(crate) fn settings(&self) -> &Settings {
        match self {
            Parked::List(list) => &list.settings,
            Parked::Redrive(redrive) => &redrive.settings,
        }
    }

    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Parked::List(list) => list.run().await,
            Parked::Redrive(redrive) => redrive.run().await,
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = Operator::new(&self.settings)?;
        let mut rows = Vec::new();
        for noun in
            NOUNS.into_iter().filter(|noun| self.service.as_deref().is_none_or(|asked| asked == *noun))
        {
            rows.extend(failed(&operator, noun).await?.into_iter().map(|message| Row::of(noun, message)));
        }
        if self.json {
            say!("{}", serde_json::to_string_pretty(&rows)?);
            return Ok(ExitCode::SUCCESS);
        }
        for row in &rows {
            say!("{} {} {} {}", row.state, row.service, row.name, row.create_time);
            say!("    {} {} of {}, tried {} times", row.r#type, row.event_id, row.key, row.attempts);
            say!("    {}", row.reason);
        }
        let parked = rows.iter().filter(|row| row.state == "PARKED").count();
        say!("{parked} parked, {} tried again by themselves.", rows.len() - parked);
        Ok(ExitCode::SUCCESS)
    }
}

impl Redrive {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = Operator::new(&self.settings)?;
        let messages = if self.all {
            let failed = failed(&operator, &self.service).await?;
            failed
                .into_iter()
                .filter(|message| message.state() == State::Parked)
                .map(|message| message.name)
                .collect()
        } else {
            self.messages
        };
        ensure!(!messages.is_empty(), "nothing is parked at {}", self.service);
        for name in messages {
            let request = RedriveParkedMessageRequest { name, ..RedriveParkedMessageRequest::default() };
            let message = operator
                .operations(&self.service)?
                .redrive_parked_message(operator.ask(request))
                .await?
                .into_inner();
            say!("{} {} is tried again: {} of {}", self.service, message.name, message.r#type, message.key);
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn failed(operator: &Operator, noun: &str) -> anyhow::Result<Vec<ParkedMessage>> {
    let mut operations = operator.operations(noun)?;
    let (mut messages, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListParkedMessagesRequest { page_size: 1000, page_token };
        let page = operations.list_parked_messages(operator.ask(request)).await?.into_inner();
        messages.extend(page.parked_messages);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(messages);
        }
    }
}
