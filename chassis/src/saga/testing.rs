//! What every saga's own tests ask of it: put it on [`Trial`], which loses answers, refuses steps and kills its process
//! anywhere, and compares what is left.

mod faulty;
mod trial;

pub use faulty::Faulty;
pub use trial::Trial;
#[cfg(test)]
pub(super) use trial::cut;
