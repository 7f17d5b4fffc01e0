//! One kind of fact of one service, read page by page.
use std::collections::BTreeMap;

use chassis::Money;
use contract::operations::v1::{Fact, ListFactsRequest};

use crate::operator::Operator;

/// Facts by subject, in its order.
pub(crate) struct Book {
    kind: &'static str,
    facts: BTreeMap<String, Fact>,
}

impl Book {
    /// Reads every fact of a kind.
    pub(crate) async fn read(operator: &Operator, noun: &str, kind: &'static str) -> anyhow::Result<Self> {
        let mut operations = operator.operations(noun)?;
        let (mut facts, mut page_token) = (BTreeMap::new(), String::new());
        loop {
            let request = ListFactsRequest { kind: kind.into(), page_size: 1000, page_token };
            let page = operations.list_facts(operator.ask(request)).await?.into_inner();
            facts.extend(page.facts.into_iter().map(|fact| (fact.subject.clone(), fact)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(Book { kind, facts });
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.facts.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.facts.values()
    }

    pub(crate) fn of(&self, subject: &str) -> Option<&Fact> {
        self.facts.get(subject)
    }

    /// Where two books, each reduced to a value per subject, say different things. Subjects without a value count as
    /// absent.
    pub(crate) fn differences<T: PartialEq>(
        &self,
        other: &Book,
        ours: impl Fn(&Fact) -> Option<T>,
        theirs: impl Fn(&Fact) -> Option<T>,
        show: impl Fn(&T) -> String,
    ) -> Vec<String> {
        let words = |value: &Option<T>| value.as_ref().map_or("nothing".into(), &show);
        let mut differing = Vec::new();
        for subject in
            self.facts.keys().chain(other.facts.keys().filter(|subject| !self.facts.contains_key(*subject)))
        {
            let (our, their) = (self.of(subject).and_then(&ours), other.of(subject).and_then(&theirs));
            if our != their {
                differing.push(format!(
                    "{subject}: {} says {}, {} says {}",
                    self.kind,
                    words(&our),
                    other.kind,
                    words(&their)
                ));
            }
        }
        differing
    }
}

/// The amount of a fact; nothing where it is zero.
pub(crate) fn amount(fact: &Fact) -> Option<Money> {
    fact.amount.as_ref().and_then(|amount| Money::try_from(amount).ok()).filter(|amount| amount.minor != 0)
}

/// The quantity of a fact; nothing where it is zero.
pub(crate) fn quantity(fact: &Fact) -> Option<i64> {
    Some(fact.quantity).filter(|quantity| *quantity != 0)
}
