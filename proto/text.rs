//! What no text of a request may be: nothing to see, or not what it seems.

/// What is wrong with a text, if anything. An empty or blank one is the business of its field.
pub fn fault(text: &str) -> Option<&'static str> {
    if text.contains('\0') {
        return Some("must not contain U+0000");
    }
    if text.is_ascii() {
        return None;
    }
    if text.chars().any(turns) {
        return Some("must not contain characters that turn the direction of text");
    }
    let mut seen = text.chars().filter(|&letter| !letter.is_whitespace() && !is_invisible(letter));
    match seen.next() {
        Some(first) if combines(first) => Some("must not begin with a combining mark"),
        None if text.chars().any(is_invisible) => Some("must have something to see"),
        Some(_) | None => None,
    }
}

/// Opens, overrides or ends a direction, so that what is read is not what is written (Unicode Standard Annex 9).
fn turns(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Takes no room. Within a text these join letters and emoji; alone they are nothing.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2060}'..='\u{2064}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Changes the letter before it.
fn combines(letter: char) -> bool {
    matches!(letter, '\u{0300}'..='\u{036f}' | '\u{0483}'..='\u{0489}' | '\u{0591}'..='\u{05bd}' | '\u{064b}'..='\u{065f}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_many_scripts_are_fine() {
        for text in [
            "",
            " ",
            "Ann",
            "王小明",
            "Zoë",
            "Zoe\u{308}",
            "O'Neil-Smith",
            "محمد",
            "שלום\u{200f}!",
            "👩\u{200d}🚀 Ann",
            "two\nlines",
            "-",
        ] {
            assert_eq!(fault(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_text_that_deceives_is_refused() {
        for text in [
            "Ann\0",
            "Ann\u{202e}nimda",
            "\u{2066}Ann\u{2069}",
            "\u{200b}\u{200d}",
            " \u{2060} ",
            "\u{200f}",
            "\u{301}\u{301}",
            " \u{200b}\u{301}e",
            "\u{feff}",
        ] {
            assert!(fault(text).is_some(), "{text:?}");
        }
    }
}
