//! The index on disk: opened or made anew, written by one, read by many.
use std::collections::BTreeMap;
use std::path::{Path as Folder, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chassis::id::Id;
use serde::{Deserialize, Serialize};
use tantivy::collector::{Collector, Count, MultiCollector, TopDocs};
use tantivy::directory::MmapDirectory;
use tantivy::indexer::IndexWriterOptions;
use tantivy::query::Query as Clause;
use tantivy::schema::Value;
use tantivy::{
    DocAddress, IndexReader, IndexWriter, Order as Direction, ReloadPolicy, Searcher, TantivyDocument,
    TantivyError, Term,
};
use uuid::Uuid;

use super::document::{Fields, WORDS};
use super::words::{Letters, analyzer};
use super::{Found, Order, Query, facets, query};
use crate::domain::category::Path;
use crate::domain::{Category, Product};
use crate::store::feed::Cursor;

/// Grows with each change of the fields or of how text is cut: the index is then built anew.
pub(super) const VERSION: u32 = 2;

/// An index of the products on sale. Clones share it.
#[derive(Clone)]
pub(crate) struct Index {
    inner: Arc<Inner>,
}

struct Inner {
    fields: Fields,
    index: tantivy::Index,
    reader: IndexReader,
    /// Opened when there is something to write, and dropped when writing failed.
    writer: Mutex<Option<IndexWriter>>,
    generation: Uuid,
}

/// What is kept with each commit, so that index and cursor cannot disagree.
#[derive(Serialize, Deserialize)]
struct Mark {
    generation: Uuid,
    seq: i64,
    product: Uuid,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Index")
    }
}

impl Index {
    /// Opens the index of a database, given by its generation. One that is missing, damaged, of another version or of
    /// another database begins empty, and the feed fills it.
    pub(crate) fn open(folder: &Folder, generation: Uuid) -> Result<Index, TantivyError> {
        let place = folder.join(format!("v{VERSION}-{}", generation.simple()));
        forget_others(folder, &place);
        let fields = Fields::new();
        let index = open(&place, &fields).or_else(|error| {
            tracing::warn!(%error, "the search index cannot be opened and is built anew");
            std::fs::remove_dir_all(&place)?;
            open(&place, &fields)
        })?;
        index.tokenizers().register(WORDS, analyzer(Letters::All));
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Index { inner: Arc::new(Inner { fields, index, reader, writer: Mutex::new(None), generation }) })
    }

    /// How far the feed was read at the last commit.
    pub(crate) fn cursor(&self) -> Result<Cursor, TantivyError> {
        let kept = self.inner.index.load_metas()?.payload;
        let mark = kept.and_then(|kept| serde_json::from_str::<Mark>(&kept).ok());
        let ours = mark.filter(|mark| mark.generation == self.inner.generation);
        Ok(ours.map_or(Cursor::start(), |mark| Cursor { seq: mark.seq, product: mark.product.into() }))
    }

    /// Takes in changed products, and how far the feed is read with them. It blocks on the disk.
    pub(crate) fn apply(
        &self,
        products: &[Product],
        paths: &BTreeMap<Id<Category>, Path>,
        cursor: Cursor,
    ) -> Result<(), TantivyError> {
        let mut place = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = match place.take() {
            Some(writer) => writer,
            None => self.writer()?,
        };
        let fields = &self.inner.fields;
        for product in products {
            writer.delete_term(Term::from_field_text(fields.id, &product.id.to_string()));
            if let Some(document) = fields.document(product, paths) {
                writer.add_document(document)?;
            }
        }
        let mark =
            Mark { generation: self.inner.generation, seq: cursor.seq, product: cursor.product.uuid() };
        let mark =
            serde_json::to_string(&mark).map_err(|error| TantivyError::InternalError(error.to_string()))?;
        let mut commit = writer.prepare_commit()?;
        commit.set_payload(&mark);
        commit.commit()?;
        // Kept only after success: a writer that failed holds what was never committed.
        *place = Some(writer);
        self.inner.reader.reload()
    }

    fn writer(&self) -> Result<IndexWriter, TantivyError> {
        let options = IndexWriterOptions::builder().num_worker_threads(1).num_merge_threads(1).build();
        self.inner.index.writer_with_options(options)
    }

    /// Finds products. It reads the disk, and so may block for a moment.
    pub(crate) fn search(&self, query: &Query) -> Result<Found, TantivyError> {
        let searcher = self.inner.reader.searcher();
        let clause = query::build(&self.inner.fields, query);
        let top = TopDocs::with_limit(query.limit.max(1)).and_offset(query.offset);
        let by_words = !query.words.trim().is_empty();
        match query.order {
            Order::Relevance if by_words => self.collect(&searcher, &*clause, top.order_by_score()),
            Order::Relevance | Order::Newest => self.collect(
                &searcher,
                &*clause,
                top.order_by_fast_field::<i64>("create_time", Direction::Desc),
            ),
            Order::PriceAscending => {
                self.collect(&searcher, &*clause, top.order_by_fast_field::<i64>("price_low", Direction::Asc))
            }
            Order::PriceDescending => self.collect(
                &searcher,
                &*clause,
                top.order_by_fast_field::<i64>("price_high", Direction::Desc),
            ),
        }
    }

    fn collect<K: Send + Sync + 'static>(
        &self,
        searcher: &Searcher,
        clause: &dyn Clause,
        top: impl Collector<Fruit = Vec<(K, DocAddress)>>,
    ) -> Result<Found, TantivyError> {
        let mut all = MultiCollector::new();
        let (top, count, facets) =
            (all.add_collector(top), all.add_collector(Count), all.add_collector(facets::collector()?));
        let mut fruits = searcher.search(clause, &all)?;
        let facets = facets::read(facets.extract(&mut fruits))?;
        let mut products = Vec::new();
        for (_, address) in top.extract(&mut fruits) {
            let document: TantivyDocument = searcher.doc(address)?;
            let id: Option<Id<Product>> =
                document.get_first(self.inner.fields.id).and_then(|value| value.as_str()?.parse().ok());
            products.extend(id);
        }
        Ok(Found { products, total: count.extract(&mut fruits), facets })
    }
}

fn open(place: &PathBuf, fields: &Fields) -> Result<tantivy::Index, TantivyError> {
    std::fs::create_dir_all(place)?;
    tantivy::Index::open_or_create(MmapDirectory::open(place)?, fields.schema.clone())
}

/// Removes the indexes of earlier versions and databases.
fn forget_others(folder: &Folder, place: &Folder) {
    for other in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if other.path() != place
            && let Err(error) = std::fs::remove_dir_all(other.path())
        {
            tracing::warn!(%error, "the search index of an earlier version could not be removed");
        }
    }
}
