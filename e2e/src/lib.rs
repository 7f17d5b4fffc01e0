//! What the tests of the whole shop stand on: installations of it, and clients that call them.
//!
//! Nothing here looks behind a public interface: programs are started as operators start them, and called as clients
//! call them.

pub mod client;
pub mod crowd;
pub mod installation;
pub mod network;
pub mod program;
pub mod scene;
pub mod servers;

pub use client::{Person, Transport};
pub use crowd::Crowd;
pub use installation::{Installation, Setting};
pub use scene::Scene;
