//! What a card number looks like, so that no request can bring one in.
//!
//! Looked for are 13 to 19 digits with Luhn's check digit that begin and end as an issuer's numbers do, in one piece, in
//! groups with spaces or dashes between them, or in the groups that are printed on cards with other signs between them;
//! in whichever script's digits, and with signs that nobody sees left out. Not taken for one are numbers that are made or known to be something
//! else: UUIDs and other long hexadecimal ids, telephone numbers after a `+`, and 13 digits with the check digit of a
//! barcode, since cards of that length have not been issued for decades.

use std::borrow::Cow;

/// How many digits card numbers have.
const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;

/// Hexadecimal ids and digests have at least as many letters and digits.
const HEXADECIMAL_MIN: usize = 24;

const UUID_LENGTH: usize = 36;

/// Zero in the scripts whose digits people type, each followed by the other nine.
const ZEROS: [char; 10] = [
    '\u{660}',   // Arabic-Indic
    '\u{6f0}',   // Persian and Urdu
    '\u{966}',   // Devanagari
    '\u{9e6}',   // Bengali
    '\u{e50}',   // Thai
    '\u{ff10}',  // full width
    '\u{1d7ce}', // mathematical bold
    '\u{1d7d8}', // mathematical double-struck
    '\u{1d7e2}', // mathematical sans-serif
    '\u{1d7f6}', // mathematical monospace
];

/// Signs that are not seen: the soft hyphen, joiners and spaces without width.
const UNSEEN: [char; 6] = ['\u{ad}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}'];

/// Whether the text holds a card number. Most texts are told by their few digits alone.
pub fn holds_number(text: &str) -> bool {
    let text = plain(text);
    let bytes = text.as_bytes();
    bytes.len() >= DIGITS_MIN
        && bytes.iter().filter(|byte| byte.is_ascii_digit()).count() >= DIGITS_MIN
        && any_chain(bytes, is_card)
}

/// The text with every digit as ASCII's, and without what nobody sees.
fn plain(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let digit = |letter: char| {
        let values = ZEROS.iter().map(|zero| u32::from(letter).wrapping_sub(u32::from(*zero)));
        values.into_iter().find(|value| *value < 10).and_then(|value| char::from_digit(value, 10))
    };
    let seen = text.chars().filter(|letter| !UNSEEN.contains(letter));
    Cow::Owned(seen.map(|letter| digit(letter).unwrap_or(letter)).collect())
}

/// Digits that stand together: groups of them with nothing but separators between.
#[derive(Default)]
struct Chain<'a> {
    groups: Vec<&'a [u8]>,
    after_plus: bool,
    /// Whether signs stand between them that part other numbers too, such as a date's.
    loose: bool,
}

/// Whether one of the text's chains is as asked. Ids are passed over whole.
fn any_chain<'a>(text: &'a [u8], holds: impl Fn(&Chain<'a>) -> bool) -> bool {
    let mut chain = Chain::default();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let begins_word = at == 0 || !text[at - 1].is_ascii_alphanumeric();
        if let Some(length) = begins_word.then(|| id_at(rest)).flatten() {
            if holds(&std::mem::take(&mut chain)) {
                return true;
            }
            at += length;
        } else if rest[0].is_ascii_digit() {
            let group = leading(rest, u8::is_ascii_digit);
            if chain.groups.is_empty() {
                chain.after_plus = at > 0 && text[at - 1] == b'+';
            }
            chain.groups.push(group);
            at += group.len();
            let between = separators(&text[at..]);
            chain.loose |= text[at..at + between].iter().any(|byte| LOOSE.contains(byte));
            at += between;
        } else {
            if !chain.groups.is_empty() && holds(&std::mem::take(&mut chain)) {
                return true;
            }
            at += 1;
        }
    }
    !chain.groups.is_empty() && holds(&chain)
}

/// The length of the UUID or other long hexadecimal id that the text begins with. Its digits mean nothing.
fn id_at(text: &[u8]) -> Option<usize> {
    let ends = |length: usize| text.get(length).is_none_or(|next| !next.is_ascii_alphanumeric());
    let is_uuid = |part: &[u8]| {
        part.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    if text.get(..UUID_LENGTH).is_some_and(is_uuid) && ends(UUID_LENGTH) {
        return Some(UUID_LENGTH);
    }
    let word = leading(text, u8::is_ascii_hexdigit);
    let is_id = word.len() >= HEXADECIMAL_MIN && ends(word.len()) && word.iter().any(u8::is_ascii_alphabetic);
    is_id.then_some(word.len())
}

fn leading(text: &[u8], is_part: impl Fn(&u8) -> bool) -> &[u8] {
    let end = text.iter().position(|byte| !is_part(byte)).unwrap_or(text.len());
    &text[..end]
}

/// Signs that part the groups of a card number now and then, and those of other numbers mostly.
const LOOSE: [u8; 5] = *b".,/_*";

/// How many bytes of separators lead to the next group of digits; none where something else follows.
fn separators(text: &[u8]) -> usize {
    let mut length = 0;
    for _ in 0..3 {
        length += match &text[length..] {
            [b' ' | b'\t' | b'-', ..] => 1,
            [byte, ..] if LOOSE.contains(byte) => 1,
            [0xC2, 0xA0, ..] => 2, // the space that does not break
            [0xE2, 0x80, 0x87 | 0x89 | 0x90..=0x95 | 0xAF, ..] => 3, // spaces of digits, thin spaces, dashes
            _ => break,
        };
    }
    if text.get(length).is_some_and(u8::is_ascii_digit) { length } else { 0 }
}

/// Whether the chain as a whole, one of its groups, or some of them as they are printed on cards, is a card number.
fn is_card(chain: &Chain<'_>) -> bool {
    let whole: usize = chain.groups.iter().map(|group| group.len()).sum();
    if chain.after_plus && whole <= DIGITS_MIN {
        return false;
    }
    (0..chain.groups.len()).any(|first| {
        let mut digits = [0; DIGITS_MAX];
        let mut length = 0;
        for (index, group) in chain.groups[first..].iter().enumerate() {
            let Some(room) = digits.get_mut(length..length + group.len()) else { return false };
            room.copy_from_slice(group);
            length += group.len();
            let asked = (length == whole && !chain.loose)
                || index == 0
                || is_printed(&chain.groups[first..=first + index]);
            if asked && is_number(&digits[..length]) {
                return true;
            }
        }
        false
    })
}

/// Groups of four, the last perhaps shorter, or those of American Express and Diners Club.
fn is_printed(groups: &[&[u8]]) -> bool {
    match groups {
        [first, second, third] if second.len() == 6 => first.len() == 4 && matches!(third.len(), 4 | 5),
        [most @ .., last] => most.iter().all(|group| group.len() == 4) && last.len() <= 4,
        [] => false,
    }
}

fn is_number(digits: &[u8]) -> bool {
    (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
        && is_issued(digits)
        && sum(digits, double).is_multiple_of(10)
        && !(digits.len() == 13 && sum(digits, |digit| digit * 3).is_multiple_of(10)) // a barcode
}

/// Whether issuers give out numbers of that length with those first digits.
fn is_issued(digits: &[u8]) -> bool {
    let first = digits[..4].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    let length = digits.len();
    match first {
        4000..=4999 => matches!(length, 13 | 16 | 19), // Visa
        5100..=5599 | 2221..=2720 => length == 16,     // Mastercard
        3400..=3499 | 3700..=3799 => length == 15,     // American Express
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => matches!(length, 14 | 16), // Diners Club
        2200..=2204 | 3528..=3589 => length >= 16,     // Mir, JCB
        5000..=5099 | 5600..=5899 | 6300..=6399 | 6700..=6799 => true, // Maestro
        6000..=6099 | 6200..=6299 | 6400..=6599 | 8100..=8299 => length >= 16, // Discover, UnionPay, RuPay
        9792 => length == 16,                          // Troy
        _ => false,
    }
}

/// The sum of the digits, of which every second from the right, but for the last, is weighed.
fn sum(digits: &[u8], weigh: impl Fn(u32) -> u32) -> u32 {
    let values = digits.iter().rev().map(|digit| u32::from(digit - b'0'));
    values
        .zip([false, true].into_iter().cycle())
        .map(|(digit, second)| if second { weigh(digit) } else { digit })
        .sum()
}

/// Luhn's: the sum of the digits of twice the digit.
fn double(digit: u32) -> u32 {
    if digit > 4 { digit * 2 - 9 } else { digit * 2 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[test]
    fn card_numbers_are_found_however_they_are_written() {
        for text in [
            "4242424242424242",
            "card 4242 4242 4242 4242, exp 12/30",
            "12 4242 4242 4242 4242 12 30 123",
            "5555-5555-5555-4444",
            "4242  4242  4242  4242",
            "4242\u{a0}4242\u{a0}4242\u{a0}4242",
            "4242\u{2013}4242\u{2013}4242\u{2013}4242",
            "378282246310005",
            "3782 822463 10005",
            "3056 930902 5904",
            "42424242 42424242",
            "6205 5000 0000 0000 004",
            "4222222222222",
            "tok_4242424242424242",
            "visa4242424242424242exp1230",
            "orders/4111111111111111",
            "+4242424242424242",
            "4242.4242.4242.4242",
            "4242/4242/4242/4242",
            "4242_4242, 4242_4242",
            "42\u{ad}42\u{200b}4242\u{2060}42424242",
            "\u{ff14}\u{ff12}\u{ff14}\u{ff12}424242424242",
            "\u{664}\u{662}\u{664}\u{662}424242424242",
            "01941234-5678-7123-8123-123456789012 2223003122003222",
        ] {
            assert!(holds_number(text), "{text}");
        }
    }

    #[test]
    fn other_digits_are_left_alone() {
        for text in [
            "4242424242424241",
            "tok_visa",
            "Visa ending 4242",
            "orders/01941234-5678-7123-8123-123456789012",
            "1290000000123456",
            "4242 4242 4242; 4242",
            "42.42.42.42.42.42.42.42",
            "+4366412345671",
            "424242424242424242424242",
            "2026-11-20 2026-11-21 2026-11-22",
            "42424242",
            "",
        ] {
            assert!(!holds_number(text), "{text}");
        }
    }

    fn with_check_digit(digits: &str, weigh: impl Fn(u32) -> u32) -> String {
        let known = sum(format!("{digits}0").as_bytes(), weigh);
        format!("{digits}{}", (10 - known % 10) % 10)
    }

    /// A card number of each kind that is issued.
    fn card() -> impl Strategy<Value = String> {
        let kinds = [
            ("4", 16),
            ("4", 19),
            ("51", 16),
            ("2221", 16),
            ("2720", 16),
            ("34", 15),
            ("37", 15),
            ("36", 14),
            ("3056", 16),
            ("3528", 16),
            ("2200", 17),
            ("6011", 16),
            ("62", 19),
            ("6521", 16),
            ("6759", 18),
            ("81", 16),
            ("9792", 16),
        ];
        (select(kinds.to_vec()), "[0-9]{18}").prop_map(|((first, length), rest)| {
            with_check_digit(&format!("{first}{rest}")[..length - 1], double)
        })
    }

    fn grouped(card: &str, sizes: &[usize], separator: &str) -> String {
        let mut rest = card;
        let mut groups = Vec::new();
        for size in sizes.iter().cycle() {
            let (group, after) = rest.split_at((*size).min(rest.len()));
            groups.push(group);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        groups.join(separator)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn no_card_number_is_missed(
            card in card(),
            sizes in select(vec![vec![19], vec![4], vec![4, 6, 5], vec![2], vec![5, 3]]),
            separator in select(vec![" ", "-", " - ", "\u{a0}"]),
            before in "([g-zé:,.(=/]{0,9} ?)?",
            after in "( ?[g-zé:,.)]{1,9})?",
        ) {
            let text = format!("{before}{}{after}", grouped(&card, &sizes, separator));
            prop_assert!(holds_number(&text), "{text}");
        }

        #[test]
        fn a_card_number_is_found_among_other_groups(
            card in card(),
            separator in select(vec![" ", "-"]),
            before in "[0-9]{1,3} ",
            after in " [0-9]{1,2}/[0-9]{2}",
        ) {
            let text = format!("{before}{card}{after}");
            prop_assert!(holds_number(&text), "{text}");
            let text = format!("{before}{}{after}", grouped(&card, &[4], separator));
            prop_assert!(holds_number(&text), "{text}");
        }

        #[test]
        fn a_mistyped_card_number_is_none(card in card(), place in 0..13_usize, more in 1..10_u8) {
            let mut digits = card.into_bytes();
            let place = digits.len() - 1 - place;
            digits[place] = b'0' + (digits[place] - b'0' + more) % 10;
            prop_assert!(!holds_number(&String::from_utf8_lossy(&digits)));
        }

        #[test]
        fn ids_and_digests_are_none(
            bits in any::<u128>(),
            digest in "[0-9a-f]{31}[a-f][0-9]{32}",
            token in "[A-Za-z0-9_-]{43}",
            prefix in select(vec!["", "orders/", "urn:uuid:"]),
        ) {
            let hex = format!("{bits:032x}");
            let uuid = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
            for text in [uuid.to_uppercase(), uuid, digest, token] {
                let text = format!("{prefix}{text}");
                prop_assert!(!holds_number(&text), "{text}");
            }
        }

        #[test]
        fn barcodes_telephones_and_times_are_none(
            barcode in "[0-9]{12}",
            telephone in r"\+[1-9][0-9]{1,2} ?[0-9]{2,3}[ -]?[0-9]{6,7}",
            seconds in 0..2_000_000_000_u64,
            rest in 0..1_000_000_000_u64,
        ) {
            let barcode = with_check_digit(&barcode, |digit| digit * 3);
            prop_assert!(!holds_number(&barcode), "{barcode}");
            prop_assert!(!holds_number(&telephone), "{telephone}");
            let nanoseconds = format!("{seconds:010}{rest:09}");
            for length in [13, 16, 19] {
                prop_assert!(!holds_number(&nanoseconds[..length]), "{}", &nanoseconds[..length]);
            }
        }
    }
}
