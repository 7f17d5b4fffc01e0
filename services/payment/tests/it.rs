//! Payment through its own front door.
mod it {
    mod authorize;
    mod books;
    mod capture;
    mod input;
    mod ledger;
    mod orders;
    mod orphans;
    mod provider;
    mod reads;
    mod reconcile;
    mod refund;
    mod risk;
    mod support;
    mod void;
    mod webhooks;
}
