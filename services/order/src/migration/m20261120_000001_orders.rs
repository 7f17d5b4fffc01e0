//! The events of orders, the rows they amount to, and what is personal about an order.

use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261120_000001_orders"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &UP).await
    }
}

const UP: [&str; 7] = [
    // The truth. A second event under one version loses against the key.
    "CREATE TABLE order_events (
        order_id {uuid} NOT NULL,
        version BIGINT NOT NULL CHECK (version >= 1),
        type TEXT NOT NULL,
        payload TEXT NOT NULL,
        actor TEXT NOT NULL,
        time BIGINT NOT NULL,
        CONSTRAINT order_events_version PRIMARY KEY (order_id, version))",
    // What the events amount to: columns to ask by, and the whole order as a snapshot.
    "CREATE TABLE orders (
        id {uuid} NOT NULL PRIMARY KEY,
        customer TEXT NOT NULL,
        state TEXT NOT NULL
            CHECK (state IN ('PLACED', 'CONFIRMED', 'SHIPPED', 'DELIVERED', 'CANCELLED', 'RETURNED')),
        payment_state TEXT NOT NULL
            CHECK (payment_state IN ('PENDING', 'AUTHORIZED', 'CAPTURED', 'VOIDED', 'PARTIALLY_REFUNDED', 'REFUNDED')),
        payment TEXT NOT NULL,
        coupon_code TEXT NOT NULL,
        cart TEXT,
        subtotal_minor BIGINT NOT NULL CHECK (subtotal_minor >= 0),
        discount_minor BIGINT NOT NULL CHECK (discount_minor BETWEEN 0 AND subtotal_minor),
        shipping_minor BIGINT NOT NULL CHECK (shipping_minor >= 0),
        tax_minor BIGINT NOT NULL CHECK (tax_minor BETWEEN 0 AND total_minor),
        total_minor BIGINT NOT NULL CHECK (total_minor = subtotal_minor - discount_minor + shipping_minor),
        total_currency CHAR(3) NOT NULL,
        refund_due_minor BIGINT NOT NULL CHECK (refund_due_minor BETWEEN 0 AND total_minor),
        units BIGINT NOT NULL CHECK (units >= 0),
        sold BOOLEAN NOT NULL,
        source TEXT,
        external_id TEXT,
        version BIGINT NOT NULL,
        snapshot TEXT NOT NULL,
        create_time BIGINT NOT NULL,
        update_time BIGINT NOT NULL,
        CONSTRAINT orders_external UNIQUE (source, external_id))",
    "CREATE INDEX orders_by_customer ON orders (customer, create_time, id)",
    "CREATE INDEX orders_by_time ON orders (create_time, id)",
    // A cart becomes one order, unless that one came to nothing.
    "CREATE UNIQUE INDEX orders_cart_once ON orders (cart) WHERE cart IS NOT NULL AND state <> 'CANCELLED'",
    // Apart from the events, so that it can be erased while they stay.
    "CREATE TABLE order_private (
        order_id {uuid} NOT NULL PRIMARY KEY,
        customer TEXT NOT NULL,
        address TEXT,
        words TEXT NOT NULL)",
    "CREATE INDEX order_private_by_customer ON order_private (customer)",
];
