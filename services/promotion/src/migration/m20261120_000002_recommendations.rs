//! How often products were bought, and with which others.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261120_000002_recommendations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                "CREATE TABLE products_bought (
                    product {name} NOT NULL PRIMARY KEY,
                    orders BIGINT NOT NULL)",
                "CREATE INDEX products_bought_most ON products_bought (orders DESC, product)",
                "CREATE TABLE bought_together (
                    product {name} NOT NULL,
                    other {name} NOT NULL,
                    orders BIGINT NOT NULL,
                    PRIMARY KEY (product, other))",
                "CREATE INDEX bought_together_most ON bought_together (product, orders DESC, other)",
            ],
        )
        .await
    }
}
