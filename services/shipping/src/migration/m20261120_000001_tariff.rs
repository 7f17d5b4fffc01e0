//! Zones, their countries, and their rates.

use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261120_000001_tariff"
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE zones (
        id {uuid} NOT NULL PRIMARY KEY,
        title TEXT NOT NULL,
        create_time BIGINT NOT NULL)",
    // A country is in one zone at most: the key decides.
    "CREATE TABLE zone_countries (
        country_code {text} NOT NULL PRIMARY KEY,
        zone {uuid} NOT NULL REFERENCES zones (id))",
    "CREATE INDEX zone_countries_of_zone ON zone_countries (zone)",
    "CREATE TABLE rates (
        id {uuid} NOT NULL PRIMARY KEY,
        zone {uuid} NOT NULL REFERENCES zones (id),
        title TEXT NOT NULL,
        carrier TEXT NOT NULL,
        price_currency TEXT NOT NULL,
        base_price_minor BIGINT NOT NULL,
        price_per_kilogram_minor BIGINT,
        free_from_minor BIGINT,
        weight_grams_max BIGINT NOT NULL,
        days_min INTEGER NOT NULL,
        days_max INTEGER NOT NULL,
        create_time BIGINT NOT NULL,
        CHECK (base_price_minor >= 0 AND price_per_kilogram_minor >= 0 AND free_from_minor >= 0),
        CHECK (weight_grams_max >= 0 AND days_min >= 0 AND days_max >= days_min))",
    "CREATE INDEX rates_of_zone ON rates (zone, id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, STATEMENTS).await
    }
}
