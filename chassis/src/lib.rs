//! What every service stands on and no domain knows.
pub mod id;
pub mod money;
pub mod page;
pub mod status;
pub mod time;
pub mod wire;
