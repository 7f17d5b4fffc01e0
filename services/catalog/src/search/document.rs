//! What the index knows of a product, field by field.
use std::collections::{BTreeMap, BTreeSet};

use chassis::id::Id;
use tantivy::TantivyDocument;
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STORED, STRING, Schema, SchemaBuilder, TextFieldIndexing,
    TextOptions,
};

use super::words;
use crate::domain::category::Path;
use crate::domain::product::{Attribute, State};
use crate::domain::{Category, Product};

/// The name under which the analyzer of [`words`] is registered.
pub(super) const WORDS: &str = "words";
/// Stands between name and value of an attribute; neither may hold it.
pub(super) const SEPARATOR: char = '\u{1f}';

/// The fields of the index. Change [`super::index::VERSION`] with them.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub(super) schema: Schema,
    pub(super) id: Field,
    pub(super) title: Field,
    pub(super) body: Field,
    pub(super) sku: Field,
    pub(super) sign: Field,
    pub(super) category: Field,
    pub(super) attribute: Field,
    pub(super) currency: Field,
    pub(super) price_low: Field,
    pub(super) price_high: Field,
    pub(super) create_time: Field,
}

impl Fields {
    pub(super) fn new() -> Fields {
        let words =
            TextFieldIndexing::default().set_tokenizer(WORDS).set_index_option(IndexRecordOption::WithFreqs);
        let words = TextOptions::default().set_indexing_options(words);
        let counted = STRING.set_fast("raw");
        let mut schema: SchemaBuilder = Schema::builder();
        let fields = Fields {
            id: schema.add_text_field("id", STRING | STORED),
            title: schema.add_text_field("title", words.clone()),
            body: schema.add_text_field("body", words),
            sku: schema.add_text_field("sku", STRING),
            sign: schema.add_text_field("sign", STRING),
            category: schema.add_text_field("category", counted.clone()),
            attribute: schema.add_text_field("attribute", counted),
            currency: schema.add_text_field("currency", STRING),
            price_low: schema.add_i64_field("price_low", INDEXED | FAST),
            price_high: schema.add_i64_field("price_high", INDEXED | FAST),
            create_time: schema.add_i64_field("create_time", FAST),
            schema: Schema::builder().build(),
        };
        Fields { schema: schema.build(), ..fields }
    }

    /// The document of a product; nothing where it is not to be found.
    pub(super) fn document(
        &self,
        product: &Product,
        paths: &BTreeMap<Id<Category>, Path>,
    ) -> Option<TantivyDocument> {
        match product.state {
            State::Draft | State::Archived => return None,
            State::Active => {}
        }
        let mut document = TantivyDocument::default();
        document.add_text(self.id, product.id.to_string());
        document.add_text(self.title, &product.title);
        document.add_i64(self.create_time, product.create_time.micros());
        let mut said = vec![product.title.as_str(), &product.description];
        said.extend(product.attributes.iter().map(|attribute| attribute.value.as_str()));
        for variant in product.on_sale() {
            said.push(&variant.title);
            said.extend(variant.option_values.iter().map(String::as_str));
            document.add_text(self.sku, variant.sku.to_lowercase());
            document.add_text(self.body, &variant.sku);
        }
        for text in said.iter().skip(1) {
            document.add_text(self.body, text);
        }
        // Signs in a SKU say nothing: almost every product would be found by a dash.
        for sign in said.iter().flat_map(|text| words::signs(text)).collect::<BTreeSet<char>>() {
            document.add_text(self.sign, sign.to_string());
        }
        let above = product.categories.iter().filter_map(|id| paths.get(id)).flat_map(|path| path.ids());
        for category in above.collect::<BTreeSet<_>>() {
            document.add_text(self.category, category.name());
        }
        for attribute in &product.attributes {
            document.add_text(self.attribute, fact(attribute));
        }
        self.add_prices(&mut document, product);
        Some(document)
    }

    /// The span of its prices in the currency of its first variant. Without one it comes last in either order.
    fn add_prices(&self, document: &mut TantivyDocument, product: &Product) {
        let currency = product.on_sale().next().map(|variant| variant.price.currency);
        let prices = || {
            product.on_sale().map(|variant| variant.price).filter(|price| Some(price.currency) == currency)
        };
        let prices = || prices().map(|price| price.minor);
        document.add_i64(self.price_low, prices().min().unwrap_or(i64::MAX));
        document.add_i64(self.price_high, prices().max().unwrap_or(-1));
        if let Some(currency) = currency {
            document.add_text(self.currency, currency.as_str());
        }
    }
}

/// An attribute as one term.
pub(super) fn fact(attribute: &Attribute) -> String {
    format!("{}{SEPARATOR}{}", attribute.name, attribute.value)
}
