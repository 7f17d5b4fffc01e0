//! From what is looked for to a query of the index.
use std::ops::Bound;

use chassis::money::Money;
use tantivy::Term;
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, EmptyQuery, FuzzyTermQuery, Occur, Query as Clause,
    RangeQuery, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use super::Query;
use super::document::{Fields, fact};
use super::words::{self, Word};

/// From this many letters on, one mistake in a word is forgiven.
const FORGIVING_LETTERS: usize = 4;

/// How much a match in each place weighs.
const SKU: f32 = 20.0;
const TITLE: f32 = 4.0;
const BODY: f32 = 1.0;
const BEGINNING: f32 = 0.8;
const MISTAKEN: f32 = 0.4;

type Clauses = Vec<(Occur, Box<dyn Clause>)>;

/// Every word must be found somewhere, and every filter must hold.
pub(super) fn build(fields: &Fields, query: &Query) -> Box<dyn Clause> {
    let mut clauses: Clauses = vec![(Occur::Must, said(fields, &query.words))];
    let mut filter =
        |clause: Box<dyn Clause>| clauses.push((Occur::Must, Box::new(ConstScoreQuery::new(clause, 0.0))));
    if let Some(category) = query.category {
        filter(exact(fields.category, &category.name()));
    }
    for attribute in &query.attributes {
        filter(exact(fields.attribute, &fact(attribute)));
    }
    if let Some(price) = query.price_min.or(query.price_max) {
        filter(exact(fields.currency, price.currency.as_str()));
    }
    let bound = |field: Field, price: Money| Bound::Included(Term::from_field_i64(field, price.minor));
    if let Some(price) = query.price_min {
        filter(Box::new(RangeQuery::new(bound(fields.price_high, price), Bound::Unbounded)));
    }
    if let Some(price) = query.price_max {
        filter(Box::new(RangeQuery::new(Bound::Unbounded, bound(fields.price_low, price))));
    }
    Box::new(BooleanQuery::new(clauses))
}

fn said(fields: &Fields, text: &str) -> Box<dyn Clause> {
    let text = text.trim();
    if text.is_empty() {
        return Box::new(AllQuery);
    }
    let asked = words::asked(text);
    let last = asked.len().saturating_sub(1);
    let all: Vec<Box<dyn Clause>> = if asked.is_empty() {
        // Nothing but signs: then they are what is looked for.
        words::signs(text).map(|sign| exact(fields.sign, &sign.to_string())).collect()
    } else {
        asked.iter().enumerate().map(|(index, asked)| word(fields, asked, index == last)).collect()
    };
    let all: Box<dyn Clause> =
        if all.is_empty() { Box::new(EmptyQuery) } else { Box::new(BooleanQuery::intersection(all)) };
    let sku = BoostQuery::new(exact(fields.sku, &text.to_lowercase()), SKU);
    Box::new(BooleanQuery::union(vec![Box::new(sku), all]))
}

/// One word, in the title or elsewhere: as it is, with a mistake, or, where it may not be finished, as a beginning.
fn word(fields: &Fields, word: &Word, unfinished: bool) -> Box<dyn Clause> {
    let mut either: Clauses = Vec::new();
    for (field, weight) in [(fields.title, TITLE), (fields.body, BODY)] {
        let term = || Term::from_field_text(field, &word.text);
        let mut add = |clause: Box<dyn Clause>, worth: f32| {
            either.push((Occur::Should, Box::new(BoostQuery::new(clause, worth))));
        };
        add(Box::new(TermQuery::new(term(), IndexRecordOption::WithFreqs)), weight);
        if word.dense {
            continue;
        }
        if word.text.chars().count() >= FORGIVING_LETTERS {
            add(Box::new(FuzzyTermQuery::new(term(), 1, true)), share(weight, MISTAKEN));
        }
        if unfinished {
            add(Box::new(FuzzyTermQuery::new_prefix(term(), 0, true)), share(weight, BEGINNING));
        }
    }
    Box::new(BooleanQuery::new(either))
}

#[expect(clippy::float_arithmetic, reason = "relevance is no money")]
fn share(weight: f32, part: f32) -> f32 {
    weight * part
}

fn exact(field: Field, text: &str) -> Box<dyn Clause> {
    Box::new(TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::Basic))
}
