//! Coupons and their uses.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261120_000001_coupons"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                "CREATE TABLE coupons (
                    id {uuid} NOT NULL PRIMARY KEY,
                    code {name} NOT NULL,
                    title TEXT NOT NULL,
                    percent_off_basis_points BIGINT NOT NULL CHECK (percent_off_basis_points BETWEEN 0 AND 10000),
                    amount_off_minor BIGINT CHECK (amount_off_minor > 0),
                    amount_off_currency CHAR(3),
                    minimum_subtotal_minor BIGINT CHECK (minimum_subtotal_minor >= 0),
                    minimum_subtotal_currency CHAR(3),
                    start_time BIGINT,
                    expire_time BIGINT,
                    redemption_limit BIGINT NOT NULL CHECK (redemption_limit >= 0),
                    redemption_limit_per_customer BIGINT NOT NULL CHECK (redemption_limit_per_customer >= 0),
                    redemption_count BIGINT NOT NULL CHECK (redemption_count >= 0),
                    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'DISABLED')),
                    version BIGINT NOT NULL,
                    create_time BIGINT NOT NULL,
                    update_time BIGINT NOT NULL,
                    delete_time BIGINT,
                    CONSTRAINT coupons_one_reduction CHECK ((percent_off_basis_points > 0) = (amount_off_minor IS NULL)),
                    CONSTRAINT coupons_within CHECK (redemption_limit = 0 OR redemption_count <= redemption_limit))",
                // The code of a coupon that is gone may be given to another.
                "CREATE UNIQUE INDEX coupons_code ON coupons (code) WHERE delete_time IS NULL",
                "CREATE INDEX coupons_newest ON coupons (create_time, id) WHERE delete_time IS NULL",
                "CREATE TABLE coupon_customers (
                    coupon {uuid} NOT NULL REFERENCES coupons (id),
                    customer {name} NOT NULL,
                    redemption_count BIGINT NOT NULL CHECK (redemption_count >= 0),
                    PRIMARY KEY (coupon, customer))",
                // An order without a coupon is one that gave up before it used any: its use, come late, is refused.
                "CREATE TABLE redemptions (
                    id {uuid} NOT NULL PRIMARY KEY,
                    order_name {name} NOT NULL UNIQUE,
                    coupon {uuid} REFERENCES coupons (id),
                    code TEXT NOT NULL,
                    customer TEXT NOT NULL,
                    discount_minor BIGINT NOT NULL CHECK (discount_minor >= 0),
                    discount_currency TEXT NOT NULL,
                    state TEXT NOT NULL CHECK (state IN ('REDEEMED', 'RELEASED')),
                    create_time BIGINT NOT NULL,
                    update_time BIGINT NOT NULL,
                    CONSTRAINT redemptions_of_something CHECK (coupon IS NOT NULL OR state = 'RELEASED'))",
                "CREATE INDEX redemptions_newest ON redemptions (create_time, id)",
                "CREATE INDEX redemptions_of ON redemptions (coupon, create_time, id)",
            ],
        )
        .await
    }
}
