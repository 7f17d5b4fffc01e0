//! Many rows in one statement, whose text is the same however many they are, so that it is prepared once: PostgreSQL takes
//! each column as an array, SQLite a list of rows.

use sea_orm::sea_query::ArrayType;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, FromQueryResult, QueryResult, Statement,
    Value,
};

use crate::db::Db;

/// Rows that one statement of SQLite names: it looks each parameter up by name, so that many cost their square.
const SQLITE_ROWS_MAX: usize = 200;

/// A column of rows: its name in the statement, and what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    name: &'static str,
    kind: Kind,
    or_null: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Uuid,
    Text,
    Int,
    BigInt,
    Bool,
    Bytes,
}

/// A column of UUIDs.
pub const fn uuid(name: &'static str) -> Column {
    Column { name, kind: Kind::Uuid, or_null: false }
}

/// A column of text.
pub const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text, or_null: false }
}

/// A column of 32-bit numbers.
pub const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int, or_null: false }
}

/// A column of 64-bit numbers: amounts, quantities, times.
pub const fn bigint(name: &'static str) -> Column {
    Column { name, kind: Kind::BigInt, or_null: false }
}

/// A column of truths.
pub const fn bool(name: &'static str) -> Column {
    Column { name, kind: Kind::Bool, or_null: false }
}

/// A column of bytes.
pub const fn bytes(name: &'static str) -> Column {
    Column { name, kind: Kind::Bytes, or_null: false }
}

impl Column {
    /// What it is called in the statement.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The same, where some rows have nothing in it.
    #[must_use]
    pub const fn or_null(self) -> Column {
        Column { or_null: true, ..self }
    }
}

impl Kind {
    fn sql(self) -> &'static str {
        match self {
            Kind::Uuid => "uuid",
            Kind::Text => "text",
            Kind::Int => "integer",
            Kind::BigInt => "bigint",
            Kind::Bool => "boolean",
            Kind::Bytes => "bytea",
        }
    }

    fn array(self) -> ArrayType {
        match self {
            Kind::Uuid => ArrayType::Uuid,
            Kind::Text => ArrayType::String,
            Kind::Int => ArrayType::Int,
            Kind::BigInt => ArrayType::BigInt,
            Kind::Bool => ArrayType::Bool,
            Kind::Bytes => ArrayType::Bytes,
        }
    }

    /// What stands in an array where there is nothing: arrays of this driver hold no NULL.
    fn nothing(self) -> Value {
        match self {
            Kind::Uuid => uuid::Uuid::nil().into(),
            Kind::Text => "".into(),
            Kind::Int => 0_i32.into(),
            Kind::BigInt => 0_i64.into(),
            Kind::Bool => false.into(),
            Kind::Bytes => Vec::<u8>::new().into(),
        }
    }
}

/// Rows for a statement, which calls them `{rows}`: a table with these columns.
///
/// ```ignore
/// const COLUMNS: [Column; 2] = [uuid("id"), bigint("minor")];
/// let rows = Rows::new(&COLUMNS, amounts.iter().map(|(id, minor)| [(*id).into(), (*minor).into()]));
/// rows.run(tx, "UPDATE payments SET captured_minor = new.minor FROM {rows} AS new WHERE payments.id = new.id", &[]).await?;
/// rows.run(tx, "INSERT INTO fees (id, minor, time) SELECT id, minor, $1 FROM {rows} AS new WHERE TRUE", &[now]).await?;
/// ```
///
/// The statement's own places come first, from `$1` on. An `INSERT … SELECT` with `ON CONFLICT` needs a `WHERE`, without
/// which SQLite takes `ON` for a join.
#[derive(Clone, Debug)]
pub struct Rows<const N: usize> {
    columns: &'static [Column; N],
    rows: Vec<[Value; N]>,
}

impl<const N: usize> Rows<N> {
    /// Rows of these columns.
    pub fn new(columns: &'static [Column; N], rows: impl IntoIterator<Item = [Value; N]>) -> Rows<N> {
        Rows { columns, rows: rows.into_iter().collect() }
    }

    /// Whether there is nothing in it: such rows are not worth a statement, and none is run.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Runs a statement that writes, and says how many rows it met.
    pub async fn run(&self, tx: &DatabaseTransaction, sql: &str, values: &[Value]) -> Result<u64, DbErr> {
        let mut met = 0;
        for statement in self.statements(tx.get_database_backend(), sql, values) {
            met += tx.execute_raw(statement).await?.rows_affected();
        }
        Ok(met)
    }

    /// Runs a statement that answers rows, and reads each.
    pub async fn query<T>(
        &self,
        on: &impl ConnectionTrait,
        sql: &str,
        values: &[Value],
        read: impl Fn(&QueryResult) -> Result<T, DbErr>,
    ) -> Result<Vec<T>, DbErr> {
        let mut found = Vec::new();
        for statement in self.statements(on.get_database_backend(), sql, values) {
            for row in on.query_all_raw(statement).await? {
                found.push(read(&row)?);
            }
        }
        Ok(found)
    }

    /// Runs a statement that writes and answers rows of a known shape, as a transaction of its own. Where SQLite needs
    /// several for so many rows, each is.
    pub async fn alone<T: FromQueryResult>(
        &self,
        db: &Db,
        sql: &str,
        values: &[Value],
    ) -> Result<Vec<T>, DbErr> {
        let mut found = Vec::new();
        for statement in self.statements(db.backend(), sql, values) {
            for row in db.query(statement).await? {
                found.push(T::from_query_result(&row, "")?);
            }
        }
        Ok(found)
    }

    /// Runs a statement that writes, as a transaction of its own, or several where SQLite needs them.
    pub(crate) async fn run_alone(&self, db: &Db, sql: &str, values: &[Value]) -> Result<(), DbErr> {
        for statement in self.statements(db.backend(), sql, values) {
            db.execute(statement).await?;
        }
        Ok(())
    }

    /// Runs a statement that answers rows of a known shape.
    pub async fn all<T: FromQueryResult>(
        &self,
        on: &impl ConnectionTrait,
        sql: &str,
        values: &[Value],
    ) -> Result<Vec<T>, DbErr> {
        self.query(on, sql, values, |row| T::from_query_result(row, "")).await
    }

    fn statements(
        &self,
        backend: DatabaseBackend,
        sql: &str,
        values: &[Value],
    ) -> impl Iterator<Item = Statement> {
        let at_once =
            if backend == DatabaseBackend::Postgres { self.rows.len().max(1) } else { SQLITE_ROWS_MAX };
        self.rows.chunks(at_once).map(move |some| {
            let (table, mut of_rows) = if backend == DatabaseBackend::Postgres {
                arrays(self.columns, some, values.len() + 1)
            } else {
                list(self.columns, some, values.len() + 1)
            };
            let mut all = values.to_vec();
            all.append(&mut of_rows);
            Statement::from_sql_and_values(backend, sql.replace("{rows}", &table), all)
        })
    }
}

fn arrays<const N: usize>(columns: &[Column; N], rows: &[[Value; N]], first: usize) -> (String, Vec<Value>) {
    let (mut names, mut picked, mut places, mut values) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut add = |name: String, kind: Kind, column: Vec<Value>| {
        places.push(format!("${}::{}[]", first + values.len(), kind.sql()));
        names.push(name);
        values.push(Value::Array(kind.array(), Some(Box::new(column))));
    };
    for (at, Column { name, kind, or_null }) in columns.iter().copied().enumerate() {
        let column = rows.iter().map(|row| &row[at]);
        if or_null {
            let given = column.clone().map(|value| (!is_null(value)).into()).collect();
            let filled = |value: &Value| if is_null(value) { kind.nothing() } else { value.clone() };
            add(name.to_owned(), kind, column.map(filled).collect());
            add(format!("{name}_given"), Kind::Bool, given);
            picked.push(format!("CASE WHEN {name}_given THEN {name} END AS {name}"));
        } else {
            add(name.to_owned(), kind, column.cloned().collect());
            picked.push(name.to_owned());
        }
    }
    let table = format!(
        "(SELECT {} FROM UNNEST({}) AS each ({}))",
        picked.join(", "),
        places.join(", "),
        names.join(", ")
    );
    (table, values)
}

fn list<const N: usize>(columns: &[Column; N], rows: &[[Value; N]], first: usize) -> (String, Vec<Value>) {
    let named: Vec<String> =
        (1..).zip(columns).map(|(at, column)| format!("column{at} AS {}", column.name)).collect();
    let row = |at: usize| {
        let places: Vec<String> = (0..N).map(|column| format!("${}", first + at * N + column)).collect();
        format!("({})", places.join(", "))
    };
    let listed: Vec<String> = (0..rows.len()).map(row).collect();
    let table = format!("(SELECT {} FROM (VALUES {}))", named.join(", "), listed.join(", "));
    (table, rows.iter().flatten().cloned().collect())
}

fn is_null(value: &Value) -> bool {
    *value == value.as_null()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::testing::TestDb;

    #[derive(Debug)]
    struct Nothing;

    impl sea_orm_migration::MigratorTrait for Nothing {
        fn migrations() -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
            Vec::new()
        }
    }

    const COLUMNS: [Column; 7] = [
        uuid("id"),
        text("name"),
        int("small"),
        bigint("large"),
        bool("truth"),
        bytes("raw"),
        text("note").or_null(),
    ];

    #[tokio::test]
    async fn what_is_written_in_one_statement_is_read_in_one() {
        let db = TestDb::new::<Nothing>().await;
        let create = if db.backend() == DatabaseBackend::Postgres {
            "CREATE TABLE many (id UUID, name TEXT, small INTEGER, large BIGINT,
                truth BOOLEAN, raw BYTEA, note TEXT, time BIGINT)"
        } else {
            "CREATE TABLE many (id BLOB, name TEXT, small INTEGER, large BIGINT, truth BOOLEAN, raw BLOB,
                note TEXT, time BIGINT)"
        };
        db.execute_unprepared(create).await.unwrap();
        let ids: Vec<Uuid> = (0..SQLITE_ROWS_MAX + 7).map(|_| Uuid::now_v7()).collect();
        let row = |(at, id): (i64, &Uuid)| -> [Value; 7] {
            let note = (at % 2 == 0).then(|| format!("note {at}"));
            let small = i32::try_from(at).unwrap();
            [
                (*id).into(),
                "it's".into(),
                small.into(),
                (at << 40).into(),
                (at % 3 == 0).into(),
                vec![0_u8, 255].into(),
                note.into(),
            ]
        };
        let rows = Rows::new(&COLUMNS, (0..).zip(&ids).map(row));
        let written = db
            .write(async |tx| {
                rows.run(
                    tx,
                    "INSERT INTO many (id, name, small, large, truth, raw, note, time)
                     SELECT id, name, small, large, truth, raw, note, $1 FROM {rows} AS new WHERE TRUE",
                    &[7_i64.into()],
                )
                .await
            })
            .await
            .unwrap();
        assert_eq!(written, ids.len() as u64);
        const ID: [Column; 1] = [uuid("id")];
        let wanted = Rows::new(&ID, ids.iter().map(|id| [(*id).into()]));
        let sql = "SELECT small, large, truth, raw, note, time FROM many JOIN {rows} AS wanted ON wanted.id = many.id";
        let found = wanted
            .query(db.writer(), sql, &[], |row| {
                let note: Option<String> = row.try_get_by_index(4)?;
                let at = i64::from(row.try_get_by_index::<i32>(0)?);
                assert_eq!(row.try_get_by_index::<i64>(1)?, at << 40);
                assert_eq!(row.try_get_by_index::<bool>(2)?, at % 3 == 0);
                assert_eq!(row.try_get_by_index::<Vec<u8>>(3)?, [0, 255]);
                assert_eq!(note, (at % 2 == 0).then(|| format!("note {at}")));
                row.try_get_by_index::<i64>(5)
            })
            .await
            .unwrap();
        assert_eq!(found, vec![7; ids.len()]);
    }

    #[test]
    fn the_text_is_the_same_for_any_number_of_rows() {
        let of = |count: i64| {
            const TWO: [Column; 2] = [bigint("a"), bigint("b")];
            let rows = Rows::new(&TWO, (0..count).map(|at| [at.into(), at.into()]));
            let mut statements = rows.statements(DatabaseBackend::Postgres, "SELECT a FROM {rows} AS r", &[]);
            (statements.next().map(|statement| statement.sql), statements.next().is_none())
        };
        assert_eq!(of(1), of(1000));
        assert!(of(1000).1);
    }
}
