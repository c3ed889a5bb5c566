//! The violations that the library can be started with, and the rules that they violate. They are implemented in the
//! other modules.

use serde_json::{Value, json};

macro_rules! seeds {
    ($($name:ident: $says:literal => $($rule:literal)+;)*) => {
        /// A kind of violation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Seed {
            $(#[doc = $says] $name,)*
        }

        impl Seed {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// A description in one line.
            pub fn description(self) -> &'static str {
                match self { $(Self::$name => $says),* }
            }

            /// The rules of which the checker must report at least one.
            pub fn rules(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($rule),+]),* }
            }
        }
    };
}

seeds! {
    // Responses that violate the contract.
    MemberMissing: "getBook leaves the required member status out" => "body";
    TypeWrong: "getBook returns the year as text" => "body";
    NullGiven: "getBook returns null for the genre, which is not nullable" => "body";
    EnumUnknown: "getLoan returns a state that is not listed" => "body";
    MemberExtra: "getLoan returns a member that a closed object does not have" => "body";
    NumberTooSmall: "updateBook answers with zero copies, where one is the minimum" => "body";
    TextTooLong: "createBook answers with a title longer than maxLength" => "body";
    MomentBroken: "getLoan returns a createdAt that is no date-time" => "body";
    ConstantOther: "getHealth returns another status than the constant" => "body";
    MediaTypeOther: "getBook says text/plain of its JSON" => "content-type";
    NotFoundAsPage: "getBook answers 404 with a page of HTML" => "content-type" "not-json";
    BodyEmpty: "getBook answers 200 with nothing" => "not-json" "body" "content-type";
    BodyBroken: "listLoans answers JSON that breaks off" => "not-json";
    StatusUndocumented: "returnLoan answers 202, which is not documented" => "status";
    CreatedAsOk: "createLoan answers 200 instead of 201" => "status";
    ExportFormatIgnored: "exportBooks answers CSV whatever the format" => "content-type" "refused" "effect";

    // Requests that crash the server.
    LongestCrashes: "createBook answers 500 to the longest title" => "server-error";
    EmptyCrashes: "createBook answers 500 to an empty subtitle" => "server-error";
    UnicodeCrashes: "createBook answers 500 to a title that is not ASCII" => "server-error";
    BrokenJsonCrashes: "createLoan answers 500 to malformed JSON" => "server-error";
    TypeCrashes: "updateBook answers 500 to a title of another type" => "server-error";
    CursorCrashes: "listLoans answers 500 to a cursor that it never gave" => "server-error";
    UnknownCrashes: "returnLoan answers 500 to an id that does not exist" => "server-error";
    AnswerNeverComes: "getHealth never answers" => "time-out";

    // Invalid requests that are accepted, and valid ones that are rejected.
    MaxLengthIgnored: "createBook accepts a title longer than maxLength, and cuts it" => "accepted";
    MinimumIgnored: "listBooks accepts page 0 for page 1" => "accepted";
    MaximumCut: "lists take a limit above the maximum, and cut it" => "accepted";
    QueryEnumIgnored: "listBooks accepts a genre that is not listed" => "accepted";
    QueryRequiredIgnored: "exportBooks does not need its format" => "accepted";
    RequiredIgnored: "createBook does not need a genre" => "accepted";
    EnumIgnored: "createBook accepts a genre that is not listed, and makes it a novel" => "accepted";
    PatternIgnored: "createBook accepts an isbn that does not match its pattern" => "accepted";
    FormatIgnored: "createLoan accepts a borrower that is no email address" => "accepted";
    TypeCoerced: "createBook accepts copies as text" => "accepted";
    NullAccepted: "updateBook accepts null for the title, which is not nullable" => "accepted";
    ExtraAccepted: "createBook accepts members that a closed object does not have" => "accepted";
    HeaderPatternIgnored: "createLoan accepts any Idempotency-Key" => "accepted";
    BrokenJsonAccepted: "updateBook accepts malformed JSON for no change" => "accepted";
    EmptyAccepted: "updateBook accepts an empty body for no change" => "accepted";
    TooLargeAccepted: "bodies of any size are accepted" => "accepted";
    MediaTypeIgnored: "createBook reads JSON whatever the content type" => "media-type";
    MediaTypeUnneeded: "createLoan reads JSON without a content type" => "media-type";
    ExtraRefused: "createLoan rejects members that an open object allows" => "refused";
    LongestRefused: "createBook rejects the longest title" => "refused";
    EmptyRefused: "createBook rejects an empty subtitle" => "refused";

    // Credentials.
    AnonymousAccepted: "listBooks needs no credential" => "credential";
    GarbageAccepted: "getLoan accepts any text for a key" => "credential";
    OtherKindAccepted: "getOwner accepts a server key" => "credential";
    RevokedAccepted: "listLoans accepts a revoked key" => "credential";
    AnonymousForbidden: "listBooks answers 403 where there is no credential" => "credential" "status" "code";
    ReadScopeLost: "getBook asks for no scope" => "scope";
    WriteScopeLost: "updateBook asks for no scope" => "scope";
    RoleLost: "exportBooks asks for no role" => "scope";
    ScopeAsUnauthenticated: "listLoans answers 401 where a scope is missing" => "scope";
    TenantLostOnRead: "getBook reads the books of every town" => "tenant";
    TenantLostOnChange: "updateBook changes the books of every town" => "tenant";
    TenantLostOnDelete: "deleteBook deletes the books of every town" => "tenant";
    TenantLostInQuery: "exportBooks returns the book that is asked for, of every town" => "tenant";
    TenantLostInBody: "createLoan lends the books of every town" => "tenant";
    ForeignForbidden: "getLoan answers 403 to the id of another town's loan" => "tenant";
    ForeignListed: "listLoans lists the loans of every town" => "tenant";
    HashShown: "getOwner shows the hash of the password" => "secret";
    KeyRepeated: "a rejection for lack of scope repeats the key" => "secret";

    // Headers and methods.
    RequestIdMissing: "errors have no X-Request-Id" => "request-id" "header";
    RequestIdRepeated: "every answer has the same X-Request-Id" => "request-id";
    LocationMissing: "createBook returns no Location" => "header";
    CacheControlMissing: "loginOwner returns no Cache-Control" => "header";
    CacheControlOther: "loginOwner lets its answer be kept for a minute" => "header";
    ChallengeMissing: "answers of 401 have no WWW-Authenticate" => "header";
    LimitLost: "getLoan may be asked any number of times" => "limit";
    AgainMissing: "answers of 429 have no Retry-After" => "header";
    AllowMissing: "answers of 405 have no Allow" => "allow";
    AllowTooMuch: "Allow lists methods that are not served" => "allow";
    MethodBodyEmpty: "answers of 405 have no body" => "not-json" "body" "code" "content-type";
    PutAccepted: "PUT of a book does what PATCH does" => "method" "allow";

    // Effects.
    LoanLost: "createLoan answers and does not store the loan" => "effect" "refused";
    DeleteKeeps: "deleteBook answers 204 and keeps the book" => "effect" "refused";
    PatchLost: "updateBook answers with the change and does not store it" => "effect" "refused";
    PatchClears: "updateBook clears the subtitle when it is not sent" => "effect" "refused";
    NullLost: "updateBook answers with a null and does not store it" => "effect" "refused";
    RefusedPatchWrites: "updateBook writes what is valid of a request that it rejects" => "effect";
    RefusedCreateStores: "createBook stores a book for a request that it rejects" => "effect";
    DeniedDeleteDeletes: "deleteBook deletes, then rejects for lack of scope" => "effect";

    // Pages.
    LimitIgnored: "listBooks returns twenty books to a page whatever the limit" => "page";
    PageIgnored: "listBooks returns the first page whatever the page" => "page";
    TotalWrong: "listBooks returns a total of one more" => "page";
    HasMoreWrong: "listBooks says of the last page that more follows" => "page";
    CursorSkips: "listLoans leaves out a loan between two pages" => "page";
    CursorRepeats: "listLoans returns the last loan of a page again on the next" => "page";
    CursorEndless: "listLoans returns a cursor for ever" => "page";

    // Idempotency keys.
    RepeatLendsAgain: "createLoan ignores the Idempotency-Key" => "idempotency";
    RepeatAnsweredAnew: "createLoan answers a repeat with another createdAt" => "idempotency";
    OtherBodyAccepted: "createLoan answers another body with the same key as if it were a repeat" => "idempotency";

    // Errors.
    InvalidCodeOther: "createBook returns invalid input the code of a missing thing" => "code";
    DeniedCodeOther: "a missing scope has the code of a wrong key" => "code";
    LimitCodeOther: "answers of 429 have the code of a missing thing" => "code";
    MethodCodeOther: "answers of 405 have the code of a missing thing" => "code";
    CodeUnknown: "getLoan answers 404 with a code that is not listed" => "body" "code";
    MessageMissing: "getLoan answers 404 without a message" => "body";
}

impl Seed {
    /// The changes to the contract that the server obeys: a pointer and the new value.
    pub fn edits(self) -> Vec<(&'static str, Option<Value>)> {
        match self {
            Self::MaxLengthIgnored => {
                vec![("/components/schemas/BookInput/properties/title/maxLength", None)]
            }
            Self::MinimumIgnored => vec![("/components/parameters/Page/schema/minimum", None)],
            Self::MaximumCut => vec![("/components/parameters/Limit/schema/maximum", None)],
            Self::QueryEnumIgnored => {
                vec![("/paths/~1books/get/parameters/2/schema", Some(json!({ "type": "string" })))]
            }
            Self::QueryRequiredIgnored => {
                vec![("/paths/~1exports~1books/get/parameters/0/required", Some(json!(false)))]
            }
            Self::RequiredIgnored => {
                vec![("/components/schemas/BookInput/required", Some(json!(["title", "year"])))]
            }
            Self::EnumIgnored => {
                vec![("/components/schemas/BookInput/properties/genre", Some(json!({ "type": "string" })))]
            }
            Self::PatternIgnored => vec![("/components/schemas/BookInput/properties/isbn/pattern", None)],
            Self::FormatIgnored => vec![("/components/schemas/LoanInput/properties/borrower/format", None)],
            Self::TypeCoerced => vec![(
                "/components/schemas/BookInput/properties/copies",
                Some(json!({ "anyOf": [
                    { "type": "integer", "minimum": 1, "maximum": 1000 },
                    { "type": "string", "pattern": "^[1-9][0-9]{0,2}$" },
                ] })),
            )],
            Self::NullAccepted => {
                vec![("/components/schemas/BookPatch/properties/title/type", Some(json!(["string", "null"])))]
            }
            Self::ExtraAccepted => vec![("/components/schemas/BookInput/additionalProperties", None)],
            Self::HeaderPatternIgnored => {
                vec![("/paths/~1loans/post/parameters/0/schema", Some(json!({ "type": "string" })))]
            }
            Self::ExtraRefused => {
                vec![("/components/schemas/LoanInput/additionalProperties", Some(json!(false)))]
            }
            Self::LongestRefused => {
                vec![("/components/schemas/BookInput/properties/title/maxLength", Some(json!(119)))]
            }
            Self::EmptyRefused => {
                vec![("/components/schemas/BookInput/properties/subtitle/minLength", Some(json!(1)))]
            }
            _ => Vec::new(),
        }
    }

    /// Applies the changes. Panics if a pointer does not exist.
    pub fn edit(self, document: &mut Value) {
        for (pointer, value) in self.edits() {
            let (parent, name) = pointer.rsplit_once('/').expect("a pointer has a last part");
            let parent = document.pointer_mut(parent).and_then(Value::as_object_mut);
            let parent = parent.expect("the contract has the place that a seed edits");
            match value {
                Some(value) => drop(parent.insert(name.to_owned(), value)),
                None => drop(parent.shift_remove(name).expect("the contract says what a seed removes")),
            }
        }
    }
}
