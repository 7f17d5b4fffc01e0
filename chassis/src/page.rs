//! Pages of a list, by the keys of their last row: no page is skipped or repeated while rows come and go.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tonic::Status;

use crate::status;

/// How many a page holds where the caller does not say.
pub const DEFAULT_SIZE: u64 = 50;
/// How many a page holds at most.
pub const MAX_SIZE: u64 = 1000;

/// One page asked for.
#[derive(Clone, Debug)]
pub struct Page {
    /// The most rows to return. Fetch one more to learn whether another page follows.
    pub size: u64,
    /// The key values of the last row of the page before; nothing for the first page.
    pub after: Option<Vec<String>>,
    scope: String,
}

impl Page {
    /// Reads `page_size` and `page_token`. The scope says which list, for whom, filtered how: a token of another scope,
    /// or one that was tampered with, is `INVALID_ARGUMENT`.
    pub fn of(page_size: i32, page_token: &str, scope: &str) -> Result<Page, Status> {
        let size = match u64::try_from(page_size) {
            Ok(0) => DEFAULT_SIZE,
            Ok(size) => size.min(MAX_SIZE),
            Err(_) => return Err(status::invalid("page_size", "must be at least 0")),
        };
        let after = match page_token {
            "" => None,
            token => Some(
                open(token, scope)
                    .ok_or_else(|| status::invalid("page_token", "is not a token of this list"))?,
            ),
        };
        Ok(Page { size, after, scope: scope.into() })
    }

    /// The token that asks for what follows a row with these key values.
    pub fn token(&self, keys: &[String]) -> String {
        let body = keys.join("\u{1f}");
        URL_SAFE_NO_PAD.encode(format!("{}\u{1e}{body}", checksum(&self.scope, &body)))
    }

    /// Cuts what was fetched (one row more than `size`) to the page, and makes the token of the next where there is one.
    pub fn cut<T>(&self, mut rows: Vec<T>, keys: impl Fn(&T) -> Vec<String>) -> (Vec<T>, String) {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        if rows.len() <= size {
            return (rows, String::new());
        }
        rows.truncate(size);
        let token = rows.last().map(|last| self.token(&keys(last))).unwrap_or_default();
        (rows, token)
    }
}

fn open(token: &str, scope: &str) -> Option<Vec<String>> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (sum, body) = text.split_once('\u{1e}')?;
    (sum == checksum(scope, body)).then(|| body.split('\u{1f}').map(String::from).collect())
}

/// The sum guards against mistakes, not against malice: owner checks are in the query, not in the token.
fn checksum(scope: &str, body: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("{scope}\u{1e}{body}").as_bytes());
    URL_SAFE_NO_PAD.encode(&digest.as_ref()[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_on_and_is_bound_to_its_list() {
        let page = Page::of(2, "", "orders of users/1").expect("a first page");
        let (rows, token) = page.cut(vec![1, 2, 3], |row| vec![row.to_string()]);
        assert_eq!(rows, [1, 2]);
        let next = Page::of(2, &token, "orders of users/1").expect("a next page");
        assert_eq!(next.after, Some(vec!["2".into()]));
        assert!(Page::of(2, &token, "orders of users/2").is_err());
        assert!(Page::of(2, &format!("A{token}"), "orders of users/1").is_err());
    }

    #[test]
    fn sizes_are_bounded() {
        assert_eq!(Page::of(0, "", "").expect("default").size, DEFAULT_SIZE);
        assert_eq!(Page::of(i32::MAX, "", "").expect("coerced").size, MAX_SIZE);
        assert!(Page::of(-1, "", "").is_err());
    }
}
