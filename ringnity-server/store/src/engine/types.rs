//! The two kinds of values that diesel does not know on both engines: a moment (TIMESTAMPTZ, or fixed-width text
//! that sorts) and a list of texts (JSON text on both).

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

/// As SQLite keeps it: fixed width, so that text order is time order, and its date functions understand it.
const SQLITE_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

/// Cuts a time to the microseconds that both engines keep, so that a row answers the same now and when read back.
pub fn to_stored_precision(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(time)
}

/// A point in time with microseconds, as a column.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(name = "timestamptz"), sqlite_type(name = "Text"))]
pub struct Moment;

/// A time on its way to or from a column. Rows hold a plain `DateTime<Utc>`, which no crate but diesel may teach
/// a column type.
#[derive(Debug, Clone, Copy, AsExpression, FromSqlRow)]
#[diesel(sql_type = Moment)]
pub struct Stamp(pub(crate) DateTime<Utc>);

/// The same where a column may be empty: a plain `Option<DateTime<Utc>>` in rows.
#[derive(Debug, Clone, Copy, FromSqlRow)]
pub struct MaybeStamp(pub(crate) Option<DateTime<Utc>>);

impl From<DateTime<Utc>> for Stamp {
    fn from(time: DateTime<Utc>) -> Stamp {
        Stamp(to_stored_precision(time))
    }
}

impl From<Stamp> for DateTime<Utc> {
    fn from(stamp: Stamp) -> DateTime<Utc> {
        stamp.0
    }
}

impl From<Option<DateTime<Utc>>> for MaybeStamp {
    fn from(time: Option<DateTime<Utc>>) -> MaybeStamp {
        MaybeStamp(time.map(to_stored_precision))
    }
}

impl From<MaybeStamp> for Option<DateTime<Utc>> {
    fn from(stamp: MaybeStamp) -> Option<DateTime<Utc>> {
        stamp.0
    }
}

impl AsExpression<Nullable<Moment>> for MaybeStamp {
    type Expression = <Option<Stamp> as AsExpression<Nullable<Moment>>>::Expression;

    fn as_expression(self) -> Self::Expression {
        self.0.map(Stamp).as_expression()
    }
}

impl<DB> FromSql<Nullable<Moment>, DB> for MaybeStamp
where
    DB: Backend,
    Stamp: FromSql<Moment, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Stamp::from_sql(value).map(|stamp| MaybeStamp(Some(stamp.0)))
    }

    fn from_nullable_sql(value: Option<DB::RawValue<'_>>) -> deserialize::Result<Self> {
        value.map_or(Ok(MaybeStamp(None)), Self::from_sql)
    }
}

impl HasSqlType<Moment> for MultiBackend {
    fn metadata(lookup: &mut Self::MetadataLookup) -> Self::TypeMetadata {
        MultiBackend::lookup_sql_type::<Moment>(lookup)
    }
}

impl FromSql<Moment, MultiBackend> for Stamp {
    fn from_sql(value: <MultiBackend as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        value.from_sql::<Stamp, Moment>()
    }
}

impl ToSql<Moment, MultiBackend> for Stamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
        out.set_value((Moment, self));
        Ok(IsNull::No)
    }
}

impl FromSql<Moment, Pg> for Stamp {
    fn from_sql(value: <Pg as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        <DateTime<Utc> as FromSql<Timestamptz, Pg>>::from_sql(value).map(Stamp)
    }
}

impl ToSql<Moment, Pg> for Stamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Timestamptz, Pg>::to_sql(&self.0, out)
    }
}

impl FromSql<Moment, Sqlite> for Stamp {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
        Ok(Stamp(NaiveDateTime::parse_from_str(&text, SQLITE_FORMAT)?.and_utc()))
    }
}

impl ToSql<Moment, Sqlite> for Stamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.format(SQLITE_FORMAT).to_string());
        Ok(IsNull::No)
    }
}

/// A list of texts as it goes into a column: a JSON array. Rows hold a plain `Vec<String>`.
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
