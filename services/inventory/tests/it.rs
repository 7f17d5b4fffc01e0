//! Inventory through its own front door.
mod it {
    mod books;
    mod events;
    mod input;
    mod low;
    mod race;
    mod reservations;
    mod stock;
    mod support;
    mod watch;
}
