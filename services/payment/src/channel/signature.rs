//! Who signed an announcement, in the style of [Standard Webhooks](https://www.standardwebhooks.com): `webhook-signature`
//! holds, separated by spaces, `v1,` and the base64 of the HMAC-SHA256 of `id.timestamp.body`, with the key `whsec_...`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chassis::config::Secret;
use chassis::time::Timestamp;
use ring::hmac;

use super::{Announcement, Unread};

/// How far the time it was signed at may be off. What was recorded and is sent again later is not believed.
const TOLERANCE: Duration = Duration::from_secs(300);
/// While one secret replaces another a sender signs twice. Nobody signs more often than this.
const SIGNATURES_MAX: usize = 8;
const ID_MAX: usize = 128;

/// The secrets of one sender: two while one replaces the other.
pub(super) struct Secrets(Vec<hmac::Key>);

impl Secrets {
    /// Reads the secrets: each `whsec_` and base64, separated by commas.
    pub(super) fn read(text: &Secret) -> Result<Secrets, chassis::Error> {
        let wrong = || chassis::Error::Settings("a webhook secret must be whsec_ and base64".to_owned());
        let key = |secret: &str| {
            let bytes = secret.trim().strip_prefix("whsec_").and_then(|secret| STANDARD.decode(secret).ok());
            let bytes = bytes.filter(|bytes| !bytes.is_empty()).ok_or_else(wrong)?;
            Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
        };
        Ok(Secrets(text.expose().split(',').map(key).collect::<Result<_, chassis::Error>>()?))
    }

    /// The id of an announcement that one of the secrets signed, not long ago.
    pub(super) fn verify<'a>(&self, announcement: &'a Announcement<'_>) -> Result<&'a str, Unread> {
        let header = |name| announcement.header(name).ok_or(Unread::Unsigned);
        let (id, at) = (header("webhook-id")?, header("webhook-timestamp")?);
        // The dots between the signed parts are theirs alone: moved, they would sign other parts.
        let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if id.is_empty() || id.len() > ID_MAX || !is_plain || !is_recent(at, announcement.now) {
            return Err(Unread::Unsigned);
        }
        let mut signed = format!("{id}.{at}.").into_bytes();
        signed.extend_from_slice(announcement.body);
        let signatures = header("webhook-signature")?.split(' ').take(SIGNATURES_MAX);
        let mut tags = signatures.filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
        match tags.any(|tag| self.0.iter().any(|key| hmac::verify(key, &signed, &tag).is_ok())) {
            true => Ok(id),
            false => Err(Unread::Unsigned),
        }
    }
}

fn is_recent(at: &str, now: Timestamp) -> bool {
    let seconds = Some(at).filter(|at| at.len() <= 12 && at.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(seconds) = seconds.and_then(|at| at.parse::<i64>().ok()) else { return false };
    let now = now.micros().div_euclid(1_000_000);
    u64::try_from((now - seconds).abs()).is_ok_and(|off| off <= TOLERANCE.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    /// The example that the specification's libraries share.
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    struct Sent {
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
        now: i64,
    }

    fn example() -> Sent {
        let headers = vec![
            ("webhook-id", ID.to_owned()),
            ("webhook-timestamp", AT.to_string()),
            ("webhook-signature", SIGNATURE.to_owned()),
        ];
        Sent { headers, body: BODY.to_vec(), now: AT }
    }

    fn verify(sent: &Sent) -> bool {
        let secrets = Secrets::read(&format!("{NEW},{OLD}").into()).expect("secrets");
        let headers: Vec<(String, String)> =
            sent.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let now = Timestamp::from_micros(sent.now * 1_000_000);
        secrets.verify(&Announcement { headers: &headers, body: &sent.body, now }).is_ok()
    }

    fn spoilt(spoil: impl FnOnce(&mut Sent)) -> bool {
        let mut sent = example();
        spoil(&mut sent);
        verify(&sent)
    }

    #[test]
    fn what_one_of_the_secrets_signed_is_believed() {
        assert!(verify(&example()));
        assert!(spoilt(|sent| sent.headers[2].1 = format!("v1,AAAA v1a,bbbb {SIGNATURE}")));
        assert!(spoilt(|sent| sent.now += 300));
        assert!(spoilt(|sent| sent.now -= 300));
    }

    #[test]
    fn anything_else_is_not() {
        assert!(!spoilt(|sent| sent.now += 301));
        assert!(!spoilt(|sent| sent.now -= 301));
        for header in 0..3 {
            assert!(!spoilt(|sent| drop(sent.headers.remove(header))));
            assert!(!spoilt(|sent| sent.headers[header].1.clear()));
            assert!(!spoilt(|sent| sent.headers.push(sent.headers[header].clone())), "twice");
        }
        assert!(!spoilt(|sent| sent.body.push(b' ')));
        assert!(!spoilt(|sent| sent.headers[0].1.push('x')));
        assert!(!spoilt(|sent| sent.headers[2].1 = SIGNATURE.replace("v1,", "v2,")));
        assert!(!spoilt(|sent| sent.headers[2].1 = [&"v1,AAAA ".repeat(8), SIGNATURE].concat()), "too many");
        let shifted = |sent: &mut Sent| {
            // The same bytes are signed, cut at other dots.
            sent.headers[0].1 = format!("{ID}.{AT}");
            sent.headers[1].1 = AT.to_string();
            sent.body = BODY.to_vec();
        };
        assert!(!spoilt(shifted));
    }

    #[test]
    fn a_secret_that_is_none_is_refused() {
        for wrong in ["", "whsec_", "secret", "whsec_***", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,"] {
            assert!(Secrets::read(&wrong.to_owned().into()).is_err(), "{wrong}");
        }
    }
}
