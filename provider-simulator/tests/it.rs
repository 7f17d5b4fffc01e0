//! The simulator as its callers find it.
mod it {
    mod calls;
    mod crash;
    mod support;
    mod webhooks;
}
