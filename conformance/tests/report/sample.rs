//! A made-up report of realistic size, as for a run over a lending library.

use conformance::report::{Cell, OperationReport, Report, Rule, State, Violation};

/// Tag, method, path, operationId, flags, cells. A cell is a status with `+n` covered by n responses, `?` missing,
/// `!n` violated, `-` unreachable; `csv` before the status is another media type, `0` after it means no body. Flags:
/// `n` not implemented, `a` addition.
const OPERATIONS: &str = "
Books|GET|/api/books|listBooks||200+31 csv200+4 400+118 401+9 403+3 429- 5XX-
Books|POST|/api/books|createBook||201+40 400!212 401+9 403+3 409? 413+2 415+6 5XX-
Books|GET|/api/books/{bookId}|getBook||200+52 400+14 401+9 403+3 404+11 5XX-
Books|PATCH|/api/books/{bookId}|updateBook||200+36 400+164 401+9 403+3 404+11 409? 415+6 5XX-
Books|DELETE|/api/books/{bookId}|deleteBook||204+8:0 400+14 401+9 403+3 404+11 409+2 5XX-
Books|PUT|/api/books/{bookId}/cover|uploadCover||201+6 400+8 401+9 403+3 404+11 413+2 415+6 5XX-
Books|GET|/api/books/{bookId}/cover|getCover||png200+5 304?:0 401+9 404+11 5XX-
Books|DELETE|/api/books/{bookId}/cover|deleteCover||204+4:0 401+9 403+3 404+11 5XX-
Books|GET|/api/books/export|exportBooks|a|200+6 csv200+6 400+22 401+9 403+3 5XX-
Loans|GET|/api/loans|listLoans||200!29 400+88 401+9 403+3 5XX-
Loans|POST|/api/loans|createLoan||201+22 400+141 401+9 403+3 404!11 409+5 415+6 422+2 5XX-
Loans|GET|/api/loans/{loanId}|getLoan||200+19 400+14 401+9 403+3 404+11 5XX-
Loans|POST|/api/loans/{loanId}/return|returnLoan||200+7 400+14 401+9 403+3 404+11 409+2 5XX-
Loans|POST|/api/loans/{loanId}/extend|extendLoan||200+7 400+36 401+9 403+3 404+11 409? 5XX-
Loans|POST|/api/loans/{loanId}/lost|reportLoanLost|n|200? 400? 401? 403? 404? 5XX-
Readers|GET|/api/readers|listReaders||200+24 400+90 401+9 403+3 5XX-
Readers|POST|/api/readers|createReader||201+33 400+239 401+9 403+3 409+3 415+6 5XX-
Readers|GET|/api/readers/{readerId}|getReader||200+21 400+14 401+9 403+3 404+11 5XX-
Readers|PATCH|/api/readers/{readerId}|updateReader||200+30 400+201 401+9 403+3 404+11 415+6 5XX-
Readers|DELETE|/api/readers/{readerId}|deleteReader||204+5:0 400+14 401+9 403+3 404+11 409? 5XX-
Readers|GET|/api/readers/{readerId}/loans|listReaderLoans||200+17 400+60 401+9 403+3 404+11 5XX-
Readers|GET|/api/readers/{readerId}/card|getReaderCard|n|pdf200? 401? 403? 404? 5XX-
Readers|POST|/api/readers/{readerId}/block|blockReader||200+6 400+33 401+9 403+3 404+11 5XX-
Readers|POST|/api/readers/{readerId}/unblock|unblockReader||200+6 400+14 401+9 403+3 404+11 5XX-
Staff sign-in|POST|/auth/login|signIn||200!12 400+66 401+14 415+6 429? 5XX-
Staff sign-in|POST|/auth/refresh|refreshSession||200+5 400+25 401+7 415+6 5XX-
Staff sign-in|POST|/auth/logout|signOut||204+3:0 401+5 5XX-
Staff sign-in|GET|/auth/me|getSession||200+6 401+7 5XX-
Staff sign-in|POST|/auth/password|changePassword||204+3:0 400+70 401+7 415+6 5XX-
Webhooks|GET|/api/webhooks|listWebhooks||200+8 400+40 401+9 403+3 5XX-
Webhooks|POST|/api/webhooks|createWebhook||201+12 400+133 401+9 403+3 415+6 422- 5XX-
Webhooks|PATCH|/api/webhooks/{webhookId}|updateWebhook||200+10 400+120 401+9 403+3 404+11 415+6 5XX-
Webhooks|DELETE|/api/webhooks/{webhookId}|deleteWebhook||204+4:0 400+14 401+9 403+3 404+11 5XX-
Webhooks|POST|/api/webhooks/{webhookId}/test|testWebhook||202+4 400+14 401+9 403+3 404+11 502- 5XX-
Webhooks|GET|/api/webhooks/{webhookId}/deliveries|listDeliveries||200+9 400+71 401+9 403+3 404!11 5XX-
Reports|GET|/api/reports/summary|getSummary||200+9 400+44 401+9 403+3 5XX-
Reports|GET|/api/reports/timeseries|getTimeseries|n|200? 400? 401? 403? 5XX-
Reports|GET|/api/reports/export|exportReport|n|200? csv200? 400? 401? 403? 5XX-
Reports|GET|/api/reports/overdue|getOverdue|n|200? 400? 401? 403? 5XX-
Service|GET|/health|getHealth||200+4
Service|GET|/.well-known/openapi.json|getContract|a|200+3 304?:0
";

/// The report.
pub fn sample() -> Report {
    let operations: Vec<OperationReport> =
        OPERATIONS.lines().filter(|line| !line.is_empty()).map(operation).collect();
    Report {
        checks: conformance::report::Rule::ALL.into_iter().map(|rule| (rule, 100)).collect(),
        contract: "Lending Library 2.3.0".to_owned(),
        base_url: "http://127.0.0.1:4010".to_owned(),
        started: "2026-03-14T09:26:53Z".to_owned(),
        milliseconds: 41_380,
        seed: 20_260_314,
        requests: operations.iter().map(|operation| operation.requests).sum(),
        cut_short: None,
        operations,
        violations: violations(),
        notes: vec![
            "No credential of state \"expired\" is in the inputs: expired keys were not tried.".to_owned(),
            "The flow \"coversOfABook\" could not run to its end: its step \"replace\" needs a file that the \
             inputs do not name."
                .to_owned(),
        ],
    }
}

fn operation(line: &str) -> OperationReport {
    let [tag, method, path, id, flags, cells] =
        line.split('|').collect::<Vec<_>>().try_into().expect("six columns");
    let cells: Vec<Cell> = cells.split(' ').map(cell).collect();
    OperationReport {
        id: id.to_owned(),
        tag: tag.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        built: !flags.contains('n'),
        addition: flags.contains('a'),
        requests: cells.iter().map(|cell| cell.answers).sum::<usize>().max(1),
        cells,
    }
}

fn cell(text: &str) -> Cell {
    let (text, empty) = text.strip_suffix(":0").map_or((text, false), |text| (text, true));
    let (text, content_type) = [("csv", "text/csv"), ("png", "image/png"), ("pdf", "application/pdf")]
        .into_iter()
        .find_map(|(short, long)| text.strip_prefix(short).map(|text| (text, long)))
        .unwrap_or((text, "application/json"));
    let (status, rest) = text.split_at(3);
    let (sign, answers) = rest.split_at(1);
    let state = match (sign, status) {
        ("+", _) => State::Covered,
        ("?", _) => State::Missing,
        ("!", _) => State::Violated,
        (_, "429") => State::Unreachable("the limit is a thousand requests a minute".to_owned()),
        (_, "422" | "502") => State::Unreachable("it takes a broken receiver of webhooks".to_owned()),
        _ => State::Unreachable("a fault of the server, which no request may cause".to_owned()),
    };
    Cell {
        status: status.to_owned(),
        content_type: if empty { String::new() } else { content_type.to_owned() },
        code: String::new(),
        state,
        answers: answers.parse().unwrap_or(0),
    }
}

/// A violation with short texts.
pub fn violation(rule: Rule, operation: &str, tried: &str) -> Violation {
    Violation {
        rule,
        operation: operation.to_owned(),
        tried: tried.to_owned(),
        pointer: String::new(),
        expected: "what the contract says".to_owned(),
        seen: "something else".to_owned(),
        curl: format!("curl -sS \"$BASE/{operation}\""),
        request_id: None,
        times: 1,
    }
}

fn violations() -> Vec<Violation> {
    vec![
        Violation {
            pointer: "/details/0/message".to_owned(),
            expected: "{\"type\": \"string\", \"maxLength\": 200}".to_owned(),
            seen: format!("a text of 1,046 characters: \"title must not be longer than 200 characters, but was {}…\"", "x".repeat(120)),
            curl: "curl -sS -X POST \"$BASE/api/books\" -H \"Authorization: Bearer $SERVER_KEY\" -H 'Content-Type: application/json' --data '{\"title\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",\"isbn\":\"9780000000002\",\"author\":{\"name\":\"A\"}}'".to_owned(),
            request_id: Some("0195a1f2-6c1e-7b3a-9f0e-1d2c3b4a5968".to_owned()),
            times: 3,
            ..violation(Rule::Body, "createBook", "body whose \"title\" is one character longer than maxLength")
        },
        Violation {
            pointer: "/paths/~1api~1books/post/requestBody/content/application~1json/schema/properties/isbn/pattern".to_owned(),
            expected: "400 REQUEST_INVALID: the contract asks for the pattern ^97[89][0-9]{10}$".to_owned(),
            seen: "201\n{\n  \"id\": \"bk_01\",\n  \"isbn\": \"<script>alert('not an isbn')</script>\",\n  \"title\": \"A | `title`\"\n}".to_owned(),
            curl: "curl -sS -X POST \"$BASE/api/books\" -H \"Authorization: Bearer $SERVER_KEY\" -H 'Content-Type: application/json' --data '{\"title\":\"A | `title`\",\"isbn\":\"<script>alert(1)</script>\"}'".to_owned(),
            request_id: Some("0195a1f2-6d02-7c11-8a77-5e6f70819203".to_owned()),
            times: 14,
            ..violation(Rule::Accepted, "createBook", "body whose \"isbn\" does not match its pattern")
        },
        Violation {
            pointer: "/items".to_owned(),
            expected: "3 items on pages of 2: every one on exactly one page".to_owned(),
            seen: "loan_7 on page 1 and on page 2; loan_9 on no page".to_owned(),
            curl: "curl -sS \"$BASE/api/loans?limit=2&cursor=bG9hbl83\" -H \"Authorization: Bearer $SERVER_KEY\"".to_owned(),
            request_id: Some("0195a1f2-7a90-7aa0-b1c2-000000000007".to_owned()),
            times: 1,
            ..violation(Rule::Page, "listLoans", "walk over all pages with limit=2")
        },
        Violation {
            pointer: "/paths/~1api~1loans/post".to_owned(),
            expected: "404: the book belongs to another tenant, so it does not exist".to_owned(),
            seen: "403 {\"code\":\"FORBIDDEN\",\"message\":\"This book belongs to tenant Südstadt.\"}".to_owned(),
            curl: "curl -sS -X POST \"$BASE/api/loans\" -H \"Authorization: Bearer $OTHER_SERVER_KEY\" -H 'Content-Type: application/json' --data '{\"bookId\":\"bk_01\"}'".to_owned(),
            request_id: None,
            times: 2,
            ..violation(Rule::Tenant, "createLoan", "bookId of another tenant in the body")
        },
        Violation {
            pointer: "/paths/~1auth~1login/post/responses/200/headers/Cache-Control".to_owned(),
            expected: "Cache-Control: no-store".to_owned(),
            seen: "no such header".to_owned(),
            curl: "curl -sS -D- -X POST \"$BASE/auth/login\" -H 'Content-Type: application/json' --data \"{\\\"email\\\":\\\"$OWNER_EMAIL\\\",\\\"password\\\":\\\"$OWNER_PASSWORD\\\"}\"".to_owned(),
            request_id: Some("0195a1f2-8001-7f00-a000-0a0b0c0d0e0f".to_owned()),
            times: 12,
            ..violation(Rule::Header, "signIn", "the flow's own request")
        },
        Violation {
            pointer: String::new(),
            expected: "application/json, as documented for 404".to_owned(),
            seen: "text/html; charset=utf-8\n<!doctype html>\n<html><body><h1>404 Not Found</h1></body></html>".to_owned(),
            curl: "curl -sS \"$BASE/api/webhooks/wh_none/deliveries\" -H \"Authorization: Bearer $SERVER_KEY\"".to_owned(),
            request_id: Some("0195a1f2-9abc-7def-8123-456789abcdef".to_owned()),
            times: 11,
            ..violation(Rule::ContentType, "listDeliveries", "webhookId that names nothing")
        },
    ]
}
