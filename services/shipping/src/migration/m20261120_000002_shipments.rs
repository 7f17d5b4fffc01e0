//! Paid orders, their shipments, and where those have been.

use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261120_000002_shipments"
    }
}

const STATEMENTS: &[&str] = &[
    // How far we have got with an order. While it waits it is due at `next_check_at`, and taken by a growing `fence`.
    "CREATE TABLE fulfillments (
        order_name {text} NOT NULL PRIMARY KEY,
        progress TEXT NOT NULL CHECK (progress IN ('WAITING', 'MADE', 'UNNEEDED', 'CANCELLED')),
        fence BIGINT NOT NULL,
        attempts BIGINT NOT NULL,
        next_check_at BIGINT,
        last_error TEXT NOT NULL,
        create_time BIGINT NOT NULL,
        update_time BIGINT NOT NULL,
        CHECK ((progress = 'WAITING') = (next_check_at IS NOT NULL)))",
    "CREATE INDEX fulfillments_due ON fulfillments (next_check_at) WHERE next_check_at IS NOT NULL",
    // What the order bought of goods that are sent, as it was when its first shipment was made.
    "CREATE TABLE fulfillment_lines (
        order_name {text} NOT NULL REFERENCES fulfillments (order_name),
        sku {text} NOT NULL,
        quantity BIGINT NOT NULL CHECK (quantity > 0),
        PRIMARY KEY (order_name, sku))",
    "CREATE TABLE shipments (
        id {uuid} NOT NULL PRIMARY KEY,
        order_name {text} NOT NULL REFERENCES fulfillments (order_name),
        customer {text} NOT NULL,
        state TEXT NOT NULL CHECK (state IN
            ('PENDING', 'DISPATCHED', 'IN_TRANSIT', 'OUT_FOR_DELIVERY', 'DELIVERED', 'CANCELLED')),
        address TEXT,
        rate TEXT NOT NULL,
        carrier TEXT NOT NULL,
        tracking_number {text} NOT NULL UNIQUE,
        create_time BIGINT NOT NULL,
        update_time BIGINT NOT NULL)",
    "CREATE INDEX shipments_newest ON shipments (create_time, id)",
    "CREATE INDEX shipments_of_order ON shipments (order_name, create_time, id)",
    "CREATE INDEX shipments_of_customer ON shipments (customer, create_time, id)",
    "CREATE TABLE shipment_lines (
        shipment {uuid} NOT NULL REFERENCES shipments (id),
        sku {text} NOT NULL,
        quantity BIGINT NOT NULL CHECK (quantity > 0),
        PRIMARY KEY (shipment, sku))",
    "CREATE TABLE tracking_events (
        shipment {uuid} NOT NULL REFERENCES shipments (id),
        number BIGINT NOT NULL,
        state TEXT NOT NULL CHECK (state IN
            ('PENDING', 'DISPATCHED', 'IN_TRANSIT', 'OUT_FOR_DELIVERY', 'DELIVERED')),
        event_time BIGINT NOT NULL,
        location TEXT NOT NULL,
        description TEXT NOT NULL,
        PRIMARY KEY (shipment, number))",
    // Who was erased keeps their row: an order of theirs may still come by. Whoever keeps an address holds the row of
    // its customer meanwhile, so that an erasure waits for it and finds it.
    "CREATE TABLE customers (
        customer {text} NOT NULL PRIMARY KEY,
        erase_time BIGINT)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, STATEMENTS).await
    }
}
