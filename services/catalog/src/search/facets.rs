//! Counting what was found by category and by attribute.
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use tantivy::TantivyError;
use tantivy::aggregation::agg_req::Aggregations;
use tantivy::aggregation::agg_result::AggregationResults;
use tantivy::aggregation::{AggContextParams, AggregationCollector};

use super::Facet;
use super::document::SEPARATOR;

/// The most values counted: of categories, of attributes in all, and shown of each.
const CATEGORIES_MAX: usize = 50;
const FACTS_MAX: usize = 1_000;
const VALUES_MAX: usize = 20;

#[derive(Deserialize)]
struct Counted {
    category: Buckets,
    attribute: Buckets,
}

#[derive(Deserialize)]
struct Buckets {
    buckets: Vec<Bucket>,
}

#[derive(Deserialize)]
struct Bucket {
    key: String,
    doc_count: u64,
}

/// What counts.
pub(super) fn collector() -> Result<AggregationCollector, TantivyError> {
    let terms = |field: &str, size: usize| json!({ "terms": { "field": field, "size": size, "segment_size": FACTS_MAX } });
    let asked =
        json!({ "category": terms("category", CATEGORIES_MAX), "attribute": terms("attribute", FACTS_MAX) });
    let asked: Aggregations =
        serde_json::from_value(asked).map_err(|error| TantivyError::InternalError(error.to_string()))?;
    Ok(AggregationCollector::from_aggs(asked, AggContextParams::default()))
}

/// What was counted: categories first, then attributes by name, the most frequent values first in each.
pub(super) fn read(results: AggregationResults) -> Result<Vec<Facet>, TantivyError> {
    let counted = serde_json::to_value(results).and_then(serde_json::from_value::<Counted>);
    let counted = counted.map_err(|error| TantivyError::InternalError(error.to_string()))?;
    let mut facets = Vec::new();
    let categories =
        counted.category.buckets.into_iter().map(|bucket| (bucket.key, bucket.doc_count)).collect();
    facets.push(facet("category".into(), categories, CATEGORIES_MAX));
    let mut facts: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    for bucket in counted.attribute.buckets {
        if let Some((name, value)) = bucket.key.split_once(SEPARATOR) {
            facts.entry(name.into()).or_default().push((value.into(), bucket.doc_count));
        }
    }
    facets.extend(facts.into_iter().map(|(name, values)| facet(name, values, VALUES_MAX)));
    facets.retain(|facet| !facet.values.is_empty());
    Ok(facets)
}

fn facet(name: String, mut values: Vec<(String, u64)>, most: usize) -> Facet {
    values.sort_by(|(one, times), (other, others)| others.cmp(times).then_with(|| one.cmp(other)));
    values.truncate(most);
    Facet { name, values }
}
