//! Column types that diesel does not have on both engines: a timestamp (TIMESTAMPTZ on PostgreSQL, sortable text of fixed
//! width on SQLite) and a list of strings (JSON text on both).

use chrono::{DateTime, DurationRound, NaiveDateTime, TimeDelta, Utc};
use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::Pg,
    query_builder::QueryId,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{HasSqlType, Nullable, SqlType, Text, Timestamptz},
    sqlite::Sqlite,
};

use crate::engine::conn::MultiBackend;

/// Format on SQLite. Fixed width, so that text order is time order. SQLite's date functions accept it.
const SQLITE_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

/// Truncates a time to microseconds, the precision of both engines, so that a returned row equals the stored one.
pub fn to_stored_precision(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(time)
}

/// SQL type of a UTC timestamp with microseconds.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(name = "timestamptz"), sqlite_type(name = "Text"))]
pub struct UtcTimestamp;

/// Converts `DateTime<Utc>` to and from [`UtcTimestamp`]. Rows have `DateTime<Utc>`, for which the orphan rule forbids an
/// implementation here.
#[derive(Debug, Clone, Copy, AsExpression, FromSqlRow)]
#[diesel(sql_type = UtcTimestamp)]
pub struct DbTimestamp(pub(crate) DateTime<Utc>);

/// The same for a nullable column and `Option<DateTime<Utc>>`.
#[derive(Debug, Clone, Copy, FromSqlRow)]
pub struct NullableDbTimestamp(pub(crate) Option<DateTime<Utc>>);

impl From<DateTime<Utc>> for DbTimestamp {
    fn from(time: DateTime<Utc>) -> DbTimestamp {
        DbTimestamp(to_stored_precision(time))
    }
}

impl From<DbTimestamp> for DateTime<Utc> {
    fn from(timestamp: DbTimestamp) -> DateTime<Utc> {
        timestamp.0
    }
}

impl From<Option<DateTime<Utc>>> for NullableDbTimestamp {
    fn from(time: Option<DateTime<Utc>>) -> NullableDbTimestamp {
        NullableDbTimestamp(time.map(to_stored_precision))
    }
}

impl From<NullableDbTimestamp> for Option<DateTime<Utc>> {
    fn from(timestamp: NullableDbTimestamp) -> Option<DateTime<Utc>> {
        timestamp.0
    }
}

impl AsExpression<Nullable<UtcTimestamp>> for NullableDbTimestamp {
    type Expression = <Option<DbTimestamp> as AsExpression<Nullable<UtcTimestamp>>>::Expression;

    fn as_expression(self) -> Self::Expression {
        self.0.map(DbTimestamp).as_expression()
    }
}

impl<DB> FromSql<Nullable<UtcTimestamp>, DB> for NullableDbTimestamp
where
    DB: Backend,
    DbTimestamp: FromSql<UtcTimestamp, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        DbTimestamp::from_sql(value).map(|timestamp| NullableDbTimestamp(Some(timestamp.0)))
    }

    fn from_nullable_sql(value: Option<DB::RawValue<'_>>) -> deserialize::Result<Self> {
        value.map_or(Ok(NullableDbTimestamp(None)), Self::from_sql)
    }
}

impl HasSqlType<UtcTimestamp> for MultiBackend {
    fn metadata(lookup: &mut Self::MetadataLookup) -> Self::TypeMetadata {
        MultiBackend::lookup_sql_type::<UtcTimestamp>(lookup)
    }
}

impl FromSql<UtcTimestamp, MultiBackend> for DbTimestamp {
    fn from_sql(value: <MultiBackend as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        value.from_sql::<DbTimestamp, UtcTimestamp>()
    }
}

impl ToSql<UtcTimestamp, MultiBackend> for DbTimestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
        out.set_value((UtcTimestamp, self));
        Ok(IsNull::No)
    }
}

impl FromSql<UtcTimestamp, Pg> for DbTimestamp {
    fn from_sql(value: <Pg as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        <DateTime<Utc> as FromSql<Timestamptz, Pg>>::from_sql(value).map(DbTimestamp)
    }
}

impl ToSql<UtcTimestamp, Pg> for DbTimestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Timestamptz, Pg>::to_sql(&self.0, out)
    }
}

impl FromSql<UtcTimestamp, Sqlite> for DbTimestamp {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
        Ok(DbTimestamp(NaiveDateTime::parse_from_str(&text, SQLITE_FORMAT)?.and_utc()))
    }
}

impl ToSql<UtcTimestamp, Sqlite> for DbTimestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.format(SQLITE_FORMAT).to_string());
        Ok(IsNull::No)
    }
}

/// Converts `Vec<String>` to and from a JSON array in a text column.
#[derive(Debug, Clone, Default, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub struct TextList(pub(crate) Vec<String>);

impl From<Vec<String>> for TextList {
    fn from(list: Vec<String>) -> TextList {
        TextList(list)
    }
}

impl From<TextList> for Vec<String> {
    fn from(list: TextList) -> Vec<String> {
        list.0
    }
}

impl<DB> FromSql<Text, DB> for TextList
where
    DB: Backend,
    String: FromSql<Text, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(TextList(serde_json::from_str(&String::from_sql(value)?)?))
    }
}

impl ToSql<Text, MultiBackend> for TextList {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
        out.set_value((Text, self));
        Ok(IsNull::No)
    }
}

impl ToSql<Text, Pg> for TextList {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        serde_json::to_writer(out, &self.0)?;
        Ok(IsNull::No)
    }
}

impl ToSql<Text, Sqlite> for TextList {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(serde_json::to_string(&self.0)?);
        Ok(IsNull::No)
    }
}
