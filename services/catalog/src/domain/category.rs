//! Categories: the tree that shoppers browse, each knowing its way from the top.
use chassis::id::{Id, Resource};
use uuid::Uuid;

/// How many levels the tree has at most.
pub(crate) const DEPTH_MAX: usize = 8;

/// A place in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Category {
    pub(crate) id: Id<Category>,
    pub(crate) title: String,
    pub(crate) position: i32,
    pub(crate) path: Path,
}

impl Resource for Category {
    const COLLECTION: &'static str = "categories";
}

/// The way from the top to a category: the ids on it, itself the last. As text, what lies below begins with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path(Vec<Id<Category>>);

/// Why a category cannot be where it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misplaced {
    /// It would be below itself.
    #[error("a category cannot be moved below itself")]
    Cycle,
    /// It, or something below it, would be too deep.
    #[error("categories have at most {DEPTH_MAX} levels")]
    TooDeep,
}

impl Path {
    /// The path of a category below another, or at the top.
    pub(crate) fn below(parent: Option<&Path>, id: Id<Category>) -> Result<Path, Misplaced> {
        let mut ids = parent.map(|path| path.0.clone()).unwrap_or_default();
        if ids.contains(&id) {
            return Err(Misplaced::Cycle);
        }
        ids.push(id);
        if ids.len() > DEPTH_MAX { Err(Misplaced::TooDeep) } else { Ok(Path(ids)) }
    }

    /// The path after a move below `parent`, where `height` levels hang on it, its own included.
    pub(crate) fn moved(&self, parent: Option<&Path>, height: usize) -> Result<Path, Misplaced> {
        let Some(id) = self.0.last() else { return Err(Misplaced::Cycle) };
        let path = Path::below(parent, *id)?;
        if path.depth() + height > DEPTH_MAX + 1 { Err(Misplaced::TooDeep) } else { Ok(path) }
    }

    /// Reads what [`Path::text`] wrote.
    pub(crate) fn parse(text: &str) -> Option<Path> {
        let ids: Option<Vec<_>> =
            text.split_terminator('/').map(|id| Uuid::try_parse(id).ok().map(Id::from)).collect();
        ids.filter(|ids| !ids.is_empty()).map(Path)
    }

    /// Each id with a slash after it.
    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|id| format!("{}/", id.uuid().simple())).collect()
    }

    pub(crate) fn depth(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn ids(&self) -> &[Id<Category>] {
        &self.0
    }

    /// The categories above, from the top.
    pub(crate) fn ancestors(&self) -> &[Id<Category>] {
        self.0.split_last().map(|(_, above)| above).unwrap_or_default()
    }

    pub(crate) fn parent(&self) -> Option<Id<Category>> {
        self.ancestors().last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: usize) -> Vec<Path> {
        let mut paths: Vec<Path> = Vec::new();
        for _ in 0..length {
            paths.push(Path::below(paths.last(), Id::new()).unwrap());
        }
        paths
    }

    #[test]
    fn a_category_cannot_be_moved_below_itself() {
        let paths = chain(3);
        assert_eq!(paths[0].moved(Some(&paths[2]), 3), Err(Misplaced::Cycle));
        assert_eq!(paths[0].moved(Some(&paths[0]), 3), Err(Misplaced::Cycle));
        assert_eq!(paths[2].moved(None, 1).unwrap().depth(), 1);
    }

    #[test]
    fn the_ninth_level_is_too_deep() {
        let paths = chain(DEPTH_MAX);
        assert_eq!(Path::below(paths.last(), Id::new()), Err(Misplaced::TooDeep));
        let other = chain(2);
        assert_eq!(other[0].moved(Some(&paths[6]), 2), Err(Misplaced::TooDeep));
        assert_eq!(other[0].moved(Some(&paths[5]), 2).unwrap().depth(), 7);
    }

    #[test]
    fn a_path_survives_its_text() {
        let path = chain(3).pop().unwrap();
        assert_eq!(Path::parse(&path.text()), Some(path));
        assert_eq!((Path::parse(""), Path::parse("x/")), (None, None));
    }
}
