//! Shipping through its own front door.
mod it {
    mod books;
    mod by_hand;
    mod erase;
    mod input;
    mod orders;
    mod quote;
    mod reads;
    mod support;
    mod tariff;
    mod tracking;
    mod watch;
}
