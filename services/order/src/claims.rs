//! Claiming a guest's order: whoever is reached where the guest is reached gets it.
//!
//! Asking only writes down what was asked, so that nobody learns from the answer, or from how long it takes, whether there
//! is such an order. Afterwards a task compares the addresses and has a code mailed. The code is made of the row's id and
//! a secret: it is nowhere kept, and a repeated call mails the same one.

use std::sync::Arc;
use std::time::Duration;

use chassis::caller::Caller;
use chassis::db::Db;
use chassis::id::Id;
use chassis::status;
use chassis::time::Timestamp;
use ring::hmac;
use sea_orm::DatabaseTransaction;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::Service;
use crate::domain::{Number, Order};
use crate::error::Error;
use crate::peers::Peers;
use crate::service::author;
use crate::store::claims::{Asked, Claim, LATELY};
use crate::store::{self, Owner};

/// How long a code works. The message says so.
const CODE_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Asking again sooner changes nothing.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// How often a user may ask in an hour.
const ASKED_MAX: u64 = 10;
/// How many codes are mailed about one order in an hour, whoever asks.
const MAILED_MAX: u64 = 5;

/// How often to look for what was asked elsewhere, or is to be tried again.
const EVERY: Duration = Duration::from_secs(1);
/// Longer than the calls take, so that two replicas do not look at the same one.
const LEASE: Duration = Duration::from_secs(10);
const DELAY_MAX: Duration = Duration::from_secs(60);

/// The codes of claims, and the task that has them mailed. Clones share everything.
#[derive(Clone)]
pub(crate) struct Claims {
    db: Db,
    peers: Peers,
    secret: Arc<hmac::Key>,
    woken: Arc<Notify>,
}

impl Claims {
    /// The secret is made when the first service of this database starts.
    pub(crate) async fn open(db: &Db, peers: &Peers) -> Result<Claims, chassis::Error> {
        let fresh = ring::rand::SystemRandom::new();
        let fresh: ring::rand::Random<[u8; 32]> = ring::rand::generate(&fresh)
            .map_err(|_| chassis::Error::other("the system gave no random bytes"))?;
        let fresh = fresh.expose();
        let kept = db.write(async |tx| store::claims::secret(tx, &fresh).await).await?;
        let secret = Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &kept));
        Ok(Claims { db: db.clone(), peers: peers.clone(), secret, woken: Arc::default() })
    }

    /// Six digits that only this service can tell from the claim.
    fn code(&self, claim: Id<Claim>) -> String {
        let digest = hmac::sign(&self.secret, claim.uuid().as_bytes());
        let number =
            digest.as_ref().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{:06}", number % 1_000_000)
    }

    /// Looks at what was asked until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        loop {
            if let Err(error) = self.round().await {
                tracing::warn!(error = status::chain(&error), "claims could not be looked at");
            }
            tokio::select! {
                () = self.woken.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn round(&self) -> Result<(), Error> {
        let now = Timestamp::now();
        for asked in store::claims::due(self.db.writer(), now).await? {
            if self.db.write(async |tx| store::claims::lease(tx, &asked, now.plus(LEASE)).await).await? {
                self.look_at(&asked).await?;
            }
        }
        let old = now.minus(LATELY);
        if store::claims::any_before(self.db.writer(), old).await? {
            self.db.write(async |tx| store::claims::purge(tx, old).await).await?;
        }
        Ok(())
    }

    async fn look_at(&self, asked: &Asked) -> Result<(), Error> {
        let answered = match self.found(asked).await {
            Ok(None) => Ok(()),
            Ok(Some(order)) => self.mail(asked, &order).await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(()) => Ok(self.db.write(async |tx| store::claims::settle(tx, asked.id).await).await?),
            Err(Error::Passed(refusal)) => {
                tracing::error!(code = ?refusal.code(), reason = refusal.message(), "a code for a claim is refused");
                Ok(self.db.write(async |tx| store::claims::settle(tx, asked.id).await).await?)
            }
            Err(Error::PeerAway { noun }) => {
                tracing::warn!(rpc.peer = noun, attempt = asked.attempts + 1, "a claim waits for a peer");
                let doublings = u32::try_from(asked.attempts).unwrap_or(0).min(10);
                let delay = (Duration::from_millis(500) * 2_u32.pow(doublings)).min(DELAY_MAX);
                let again = Timestamp::now().plus(delay);
                Ok(self.db.write(async |tx| store::claims::postpone(tx, asked.id, again).await).await?)
            }
            Err(error) => Err(error),
        }
    }

    /// The order, where it is a guest's who is reached at the address that was given.
    async fn found(&self, asked: &Asked) -> Result<Option<Order>, Error> {
        for order in store::numbered(self.db.writer(), &asked.number).await? {
            if order.is_a_guests()
                && self.peers.contact(&order.customer).await?.as_ref() == Some(&asked.email)
            {
                return Ok(Some(order));
            }
        }
        Ok(None)
    }

    async fn mail(&self, asked: &Asked, order: &Order) -> Result<(), Error> {
        let since = Timestamp::now().minus(LATELY);
        // The code works from before it is sent: nobody is faster than this write.
        let ready = async |tx: &DatabaseTransaction| {
            store::claims::ready(tx, asked, order.id, MAILED_MAX, since).await
        };
        if self.db.write(ready).await? {
            self.peers.mail_claim_code(asked, order, self.code(asked.id)).await?;
        }
        Ok(())
    }
}

/// Notes that a user asks for a guest's order.
pub(crate) async fn request(
    service: &Service,
    caller: &Caller,
    number: Number,
    email: &str,
) -> Result<(), Error> {
    let user = caller.user()?.to_owned();
    let now = Timestamp::now();
    let asked = Asked { id: Id::new(), user, number, email: email.to_owned(), attempts: 0 };
    let noted = service
        .db
        .write(async |tx| {
            let lately = store::claims::asked_since(tx, &asked.user, now.minus(LATELY)).await?;
            if lately.iter().any(|(of, time)| of == asked.number.digits() && *time > now.minus(ASK_EVERY)) {
                return Ok::<_, Error>(true);
            }
            if u64::try_from(lately.len()).unwrap_or(u64::MAX) >= ASKED_MAX {
                return Ok(false);
            }
            store::claims::insert(tx, &asked, now, now.plus(CODE_LIFETIME)).await?;
            Ok(true)
        })
        .await?;
    if !noted {
        let words = "too many orders were asked for";
        return Err(Error::Passed(Box::new(status::exhausted("TOO_MANY_CLAIMS", words, LATELY))));
    }
    service.claims.woken.notify_one();
    Ok(())
}

/// Makes a guest's order the caller's own: by the code, or because both are reached at the same address.
pub(crate) async fn claim(
    service: &Service,
    caller: &Caller,
    number: &Number,
    code: &str,
) -> Result<Order, Error> {
    let user = caller.user()?;
    let found = store::numbered(service.db.writer(), number).await?;
    if let Some(order) = found.iter().find(|order| order.customer == user) {
        return Ok(order.clone());
    }
    if code.is_empty() {
        let id = alike(&service.peers, user, &found).await?.ok_or_else(|| unknown(number))?;
        return service.db.write(async |tx| give(tx, caller, user, id).await).await;
    }
    let claimed =
        service.db.write(async |tx| by_code(tx, service, caller, (user, number, code)).await).await?;
    // A wrong code has cost a try, which is committed by now.
    claimed.ok_or(Error::CodeInvalid)
}

/// Nothing where the code does not count.
async fn by_code(
    tx: &DatabaseTransaction,
    service: &Service,
    caller: &Caller,
    (user, number, code): (&str, &Number, &str),
) -> Result<Option<Order>, Error> {
    match store::claims::take_try(tx, user, number, Timestamp::now()).await? {
        Some((claim, order)) if service.claims.code(claim) == code => {
            store::claims::spend(tx, user, number).await?;
            give(tx, caller, user, order).await.map(Some)
        }
        Some(_) | None => Ok(None),
    }
}

/// The guest's order among these whose guest is reached where the user is.
async fn alike(peers: &Peers, user: &str, found: &[Order]) -> Result<Option<Id<Order>>, Error> {
    let Some(email) = peers.contact(user).await? else { return Ok(None) };
    for order in found.iter().filter(|order| order.is_a_guests()) {
        if peers.contact(&order.customer).await?.as_ref() == Some(&email) {
            return Ok(Some(order.id));
        }
    }
    Ok(None)
}

fn unknown(number: &Number) -> Error {
    Error::NotFound(format!("order {number}"))
}

async fn give(tx: &DatabaseTransaction, caller: &Caller, user: &str, id: Id<Order>) -> Result<Order, Error> {
    let order = store::load(tx, Owner::Anyone, id).await?;
    // Somebody else may have been faster.
    let order = order.filter(|order| order.is_a_guests() || order.customer == user);
    let order = order.ok_or_else(|| unknown(&id.into()))?;
    let Some(claimed) = order.claim(user)? else { return Ok(order) };
    let order = store::append(tx, &order, claimed, &author(caller, &order)).await?;
    store::give(tx, &order).await?;
    Ok(order)
}

/// Reads an address in its one spelling, as identity keeps it.
pub(crate) fn address(text: &str) -> Option<String> {
    let (local, domain) = text.split_once('@')?;
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    (plain && !local.is_empty() && domain.contains('.')).then(|| text.to_ascii_lowercase())
}

/// Whether notification refuses the message for good.
pub(crate) fn is_final(code: Code) -> bool {
    matches!(code, Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition | Code::AlreadyExists)
}
