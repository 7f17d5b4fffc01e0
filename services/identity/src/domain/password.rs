//! Which passwords anybody would guess. Length is the contract's rule; composition is no rule at all.
use super::person::Email;

/// Long passwords that stand in every attacker's list.
const COMMON: &str = include_str!("common_passwords.txt");

/// What is wrong with a new password, if anything.
pub(crate) fn fault(password: &str, email: &Email) -> Option<&'static str> {
    let lower = password.to_lowercase();
    if COMMON.lines().any(|common| common == lower) {
        return Some("is one of those that attackers try first");
    }
    let letters: Vec<char> = lower.chars().collect();
    if repeats(&letters) {
        return Some("repeats itself");
    }
    if counts(&letters) {
        return Some("is a row of neighbouring characters");
    }
    if lower == email.as_str() {
        return Some("is the e-mail address");
    }
    None
}

/// Whether it is one piece of at most eight characters, over and over.
fn repeats(letters: &[char]) -> bool {
    (1..=8).any(|period| {
        letters.len() >= 2 * period && letters.iter().zip(&letters[period..]).all(|(a, b)| a == b)
    })
}

/// Whether each character is the neighbour of the one before, as in `abcdef…` or `98765…`; 9 and 0 are neighbours.
fn counts(letters: &[char]) -> bool {
    let code = |letter: &char| i64::from(u32::from(*letter));
    let up = |pair: &[char]| code(&pair[1]) - code(&pair[0]) == 1 || pair == ['9', '0'];
    let down = |pair: &[char]| code(&pair[0]) - code(&pair[1]) == 1 || pair == ['0', '9'];
    letters.windows(2).all(up) || letters.windows(2).all(down)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(password: &str) -> Option<&'static str> {
        fault(password, &Email::parse("somebody.long@example.com").expect("an address"))
    }

    #[test]
    fn what_anybody_would_guess_is_refused() {
        for password in [
            "aaaaaaaaaaaaaaa",
            "passwordpassword",
            "PasswordPassword",
            "1234567890123456",
            "abcdefghijklmnop",
            "qwertyuiopasdfgh",
            "098765432109876",
            "abcabcabcabcabc",
            "somebody.long@example.com",
            "correcthorsebatterystaple",
        ] {
            assert!(fault_of(password).is_some(), "{password}");
        }
    }

    #[test]
    fn anything_long_and_unguessed_is_fine() {
        for password in [
            "plum-otter-violin-73",
            "               x",
            "пароль от моего кота",
            "correct horse battery stapler",
        ] {
            assert_eq!(fault_of(password), None, "{password}");
        }
    }
}
