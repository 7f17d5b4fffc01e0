//! A pool that is read from, statement by statement.

use std::pin::pin;

use async_trait::async_trait;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DbErr, ExecResult,
    QueryResult, Statement,
};

use super::answered;
use crate::simulated::Statements;

/// A pool of connections. It begins no transactions: [`Db::write`](super::Db::write) does that safely.
#[derive(Clone, Debug)]
pub struct Reads {
    pool: DatabaseConnection,
    statements: Option<Statements>,
}

impl Reads {
    pub(super) async fn open(
        options: ConnectOptions,
        statements: &Option<Statements>,
    ) -> Result<Reads, DbErr> {
        let pool = answered(statements, pin!(Database::connect(options))).await?;
        Ok(Reads { pool, statements: statements.clone() })
    }

    /// The pool itself, for transactions.
    pub(super) fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    pub(super) async fn ping(&self) -> Result<(), DbErr> {
        answered(&self.statements, pin!(self.pool.ping())).await
    }

    pub(super) async fn close(&self) -> Result<(), DbErr> {
        answered(&self.statements, pin!(self.pool.close_by_ref())).await
    }
}

#[async_trait]
impl ConnectionTrait for Reads {
    fn get_database_backend(&self) -> DatabaseBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        answered(&self.statements, pin!(self.pool.execute_raw(statement))).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        answered(&self.statements, pin!(self.pool.execute_unprepared(sql))).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        answered(&self.statements, pin!(self.pool.query_one_raw(statement))).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        answered(&self.statements, pin!(self.pool.query_all_raw(statement))).await
    }
}
