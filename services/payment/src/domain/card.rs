//! What a card number looks like, so that none is ever taken in.

/// How many digits card numbers have.
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// Whether the text holds a run of digits that could be a card number: of that length, with the right check digit, in
/// one piece or grouped by spaces or hyphens. UUIDs are left out: their digits mean nothing.
pub(crate) fn holds_number(text: &str) -> bool {
    let text = without_uuids(text);
    let joined = text.chars().filter(|letter| !matches!(letter, ' ' | '-')).collect::<String>();
    joined.split(|letter: char| !letter.is_ascii_digit()).any(|run| {
        let digits: Vec<u32> = run.chars().filter_map(|digit| digit.to_digit(10)).collect();
        is_number(&digits)
    })
}

/// The length, the check digit, and a first digit that an issuer uses.
fn is_number(digits: &[u32]) -> bool {
    DIGITS.contains(&digits.len()) && digits[0] >= 2 && luhn(digits)
}

fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ if *digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn without_uuids(text: &str) -> String {
    const LENGTH: usize = 36;
    let bytes = text.as_bytes();
    let is_uuid = |part: &[u8]| {
        part.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    let mut kept = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes.get(at..at + LENGTH) {
            Some(part) if is_uuid(part) => {
                kept.push(b'/');
                at += LENGTH;
            }
            _ => {
                kept.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_found_however_they_are_written() {
        for text in [
            "4242424242424242",
            "card 4242 4242 4242 4242, exp 12/30",
            "5555-5555-5555-4444",
            "4242  4242  4242  4242",
            "378282246310005",
            "tok_4242424242424242",
            "orders/4111111111111111",
        ] {
            assert!(holds_number(text), "{text}");
        }
    }

    #[test]
    fn other_digits_are_left_alone() {
        for text in [
            "4242424242424241",
            "tok_visa",
            "orders/01941234-5678-7123-8123-123456789012",
            "1290000000123456",
            "42424242",
            "",
        ] {
            assert!(!holds_number(text), "{text}");
        }
    }
}
