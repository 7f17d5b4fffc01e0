//! Cutting text into what is looked for: words where they are written apart, pairs of letters where they are not.
use tantivy::tokenizer::{
    AsciiFoldingFilter, LowerCaser, RemoveLongFilter, TextAnalyzer, Token, TokenStream, Tokenizer,
};

/// The longest word worth finding, in bytes.
const WORD_MAX: usize = 100;

/// Cuts text: `Letters::All` for the index, `Letters::Pairs` for what is asked, which would otherwise match too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    /// Runs of Chinese and the like give each letter and each pair of neighbours.
    All,
    /// Such runs give pairs only, or their one letter.
    Pairs,
}

/// Cuts, and makes accents and capitals not matter.
pub(super) fn analyzer(letters: Letters) -> TextAnalyzer {
    TextAnalyzer::builder(letters)
        .filter(RemoveLongFilter::limit(WORD_MAX))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .build()
}

/// One thing that must be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Whether it is part of a run of letters rather than a word: then it must be found as it is.
    pub(super) dense: bool,
}

/// The words of a question.
pub(super) fn asked(text: &str) -> Vec<Word> {
    let mut analyzer = analyzer(Letters::Pairs);
    let mut stream = analyzer.token_stream(text);
    let mut words = Vec::new();
    while stream.advance() {
        let text = stream.token().text.clone();
        words.push(Word { dense: text.chars().any(is_dense), text });
    }
    words
}

/// The characters that are neither letters nor digits nor space: they are found only where nothing else is asked.
pub(super) fn signs(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|letter| !letter.is_alphanumeric() && !letter.is_whitespace() && !letter.is_control())
}

impl Tokenizer for Letters {
    type TokenStream<'a> = Cut;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Cut {
        let mut cut = Cut { tokens: Vec::new(), next: 0 };
        let mut rest = text.char_indices().peekable();
        while let Some((from, letter)) = rest.next() {
            if !letter.is_alphanumeric() {
                continue;
            }
            let dense = is_dense(letter);
            let mut bounds = vec![from, from + letter.len_utf8()];
            while let Some((at, next)) =
                rest.next_if(|(_, next)| next.is_alphanumeric() && is_dense(*next) == dense)
            {
                bounds.push(at + next.len_utf8());
            }
            match (dense, bounds.as_slice()) {
                (false, [first, .., last]) => cut.push(text, *first, *last),
                (false, _) => {}
                (true, bounds) => {
                    if *self == Letters::All || bounds.len() == 2 {
                        bounds.windows(2).for_each(|pair| cut.push(text, pair[0], pair[1]));
                    }
                    bounds.windows(3).for_each(|pair| cut.push(text, pair[0], pair[2]));
                }
            }
        }
        cut
    }
}

/// Letters of scripts that put no space between words.
fn is_dense(letter: char) -> bool {
    matches!(u32::from(letter),
        0x0e00..=0x0e7f | 0x1000..=0x109f | 0x1780..=0x17ff // Thai, Burmese, Khmer
        | 0x3040..=0x30ff | 0x31f0..=0x31ff // kana
        | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff // Han
        | 0xac00..=0xd7af) // Hangul
}

/// A text that is cut.
pub(super) struct Cut {
    tokens: Vec<Token>,
    next: usize,
}

impl Cut {
    fn push(&mut self, text: &str, from: usize, to: usize) {
        let position = self.tokens.len();
        let text = text.get(from..to).unwrap_or_default().to_owned();
        self.tokens.push(Token { offset_from: from, offset_to: to, position, text, position_length: 1 });
    }
}

impl TokenStream for Cut {
    fn advance(&mut self) -> bool {
        self.next += 1;
        self.next <= self.tokens.len()
    }

    fn token(&self) -> &Token {
        &self.tokens[self.next - 1]
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.tokens[self.next - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(letters: Letters, text: &str) -> Vec<String> {
        let mut analyzer = analyzer(letters);
        let mut stream = analyzer.token_stream(text);
        let mut words = Vec::new();
        while stream.advance() {
            words.push(stream.token().text.clone());
        }
        words
    }

    #[test]
    fn words_are_cut_where_they_end() {
        for (text, words) in [
            ("100% Café-Crème", vec!["100", "cafe", "creme"]),
            ("%_\\", vec![]),
            ("", vec![]),
            ("T恤 shirt", vec!["t", "恤", "shirt"]),
        ] {
            assert_eq!(cut(Letters::All, text), words, "{text}");
        }
    }

    #[test]
    fn chinese_is_cut_into_letters_and_pairs() {
        assert_eq!(cut(Letters::All, "红茶杯"), ["红", "茶", "杯", "红茶", "茶杯"]);
        assert_eq!(cut(Letters::Pairs, "红茶杯"), ["红茶", "茶杯"]);
        assert_eq!(cut(Letters::Pairs, "茶"), ["茶"]);
    }
}
