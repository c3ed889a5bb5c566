//! Reports in every format: complete, escaped, and with a correct verdict.

#[path = "report/sample.rs"]
mod sample;
#[path = "report/xml.rs"]
mod xml;

use std::collections::BTreeSet;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum as _;
use conformance::report::{Cell, Coverage, Format, Report, Rule, State, Verdict};
use sample::{sample, violation};
use sha2::{Digest as _, Sha256};
use xml::{attribute, parsed};

/// Text that is harmful unless it is escaped.
const EVIL: &str = "</script></pre>\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;]]>|`\u{1b}[31m\u{202e}\u{0}@all";

/// A report with [`EVIL`] in every text member.
fn evil() -> Report {
    let mut report = sample();
    let text = || EVIL.to_owned();
    report.contract = text();
    report.base_url = text();
    report.started = text();
    report.cut_short = Some(text());
    report.notes = vec![text()];
    for operation in &mut report.operations {
        operation.tag = text();
        operation.method = text();
        operation.path = text();
        for cell in &mut operation.cells {
            cell.content_type = text();
        }
        operation.cells.push(Cell {
            status: text(),
            content_type: text(),
            code: text(),
            state: State::Unreachable(text()),
            answers: 1,
        });
    }
    report.operations[0].id = text();
    for operation in &mut report.operations[1..3] {
        operation.id = text();
        operation.built = false;
    }
    for violation in &mut report.violations {
        for field in [
            &mut violation.operation,
            &mut violation.tried,
            &mut violation.pointer,
            &mut violation.expected,
            &mut violation.seen,
            &mut violation.curl,
        ] {
            *field = text();
        }
        violation.request_id = Some(text());
    }
    report
}

fn empty() -> Report {
    Report {
        requests: 0,
        milliseconds: 0,
        operations: Vec::new(),
        violations: Vec::new(),
        notes: Vec::new(),
        ..sample()
    }
}

fn unreachable() -> Report {
    let mut report = sample();
    report.violations.clear();
    report.notes.clear();
    for operation in &mut report.operations {
        operation.built = true;
        for cell in &mut operation.cells {
            cell.state = State::Unreachable("nobody asks".to_owned());
        }
    }
    report
}

fn clean() -> Report {
    let mut report = sample();
    report.violations.clear();
    report.notes.clear();
    for operation in &mut report.operations {
        operation.built = true;
        for cell in &mut operation.cells {
            cell.state = State::Covered;
        }
    }
    report
}

fn last_line(report: &Report) -> String {
    Format::Text.render(report, false).lines().last().expect("a text has lines").to_owned()
}

#[test]
fn renders_text() {
    insta::assert_snapshot!(Format::Text.render(&sample(), false));
}

#[test]
fn renders_markdown() {
    insta::assert_snapshot!(Format::Markdown.render(&sample(), false));
}

#[test]
fn renders_junit() {
    insta::assert_snapshot!(Format::Junit.render(&sample(), false));
}

#[test]
fn leaves_out_empty_sections() {
    insta::assert_snapshot!(Format::Text.render(&empty(), false), @r#"
    Lending Library 2.3.0
    http://127.0.0.1:4010, 2026-03-14T09:26:53Z

    NOT CHECKED: no request was sent · nothing to cover · 0 requests · 0.0 s · seed 20260314
    "#);
    insta::assert_snapshot!(Format::Markdown.render(&empty(), false), @r#"
    ## ⚠️ NOT CHECKED: no request was sent

    **Lending Library 2.3.0** at `http://127.0.0.1:4010` · nothing to cover · 0 requests · 0.0 s · seed 20260314
    "#);
    let text = Format::Text.render(&clean(), false);
    for heading in ["MISSING", "NOT IMPLEMENTED", "NOTES", "✗"] {
        assert!(!text.contains(heading), "{heading} in\n{text}");
    }
}

#[test]
fn last_line_is_the_verdict() {
    insta::assert_snapshot!(last_line(&sample()), @"VIOLATED: 6 violations in 5 operations · 82.7 % covered (163 of 197) · 3,317 requests · 41.3 s · seed 20260314");
    insta::assert_snapshot!(last_line(&clean()), @"CLEAN · 100.0 % covered (239 of 239) · 3,317 requests · 41.3 s · seed 20260314");
    insta::assert_snapshot!(last_line(&unreachable()), @"CLEAN · nothing to cover · 3,317 requests · 41.3 s · seed 20260314");
    insta::assert_snapshot!(last_line(&empty()), @"NOT CHECKED: no request was sent · nothing to cover · 0 requests · 0.0 s · seed 20260314");
    let one = Report { violations: vec![violation(Rule::Body, "getBook", "one")], ..clean() };
    insta::assert_snapshot!(last_line(&one), @"VIOLATED: 1 violation in 1 operation · 100.0 % covered (239 of 239) · 3,317 requests · 41.3 s · seed 20260314");
    let cut = |report| Report { cut_short: Some("the time is up".to_owned()), ..report };
    insta::assert_snapshot!(last_line(&cut(clean())), @"CLEAN SO FAR: stopped early, the time is up · 100.0 % covered (239 of 239) · 3,317 requests · 41.3 s · seed 20260314");
    insta::assert_snapshot!(last_line(&cut(one)), @"VIOLATED: 1 violation in 1 operation; stopped early, the time is up · 100.0 % covered (239 of 239) · 3,317 requests · 41.3 s · seed 20260314");
}

#[test]
fn run_without_requests_is_not_clean() {
    assert_eq!(empty().verdict(), Verdict::Unchecked);
    assert_eq!(clean().verdict(), Verdict::Clean);
    assert_eq!(sample().verdict(), Verdict::Violated);
    assert!(!Format::Html.render(&empty(), false).contains(" passed."), "nothing was checked");
}

#[test]
fn only_full_coverage_is_100_percent() {
    let mut report = clean();
    let holes = report.operations.iter().flat_map(|operation| &operation.cells).count();
    report.operations[0].cells[0].state = State::Missing;
    assert!(last_line(&report).contains(&format!("({} of {holes})", holes - 1)));
    assert!(!last_line(&report).contains("100"));
}

#[test]
fn text_fits_into_110_columns() {
    let mut report = sample();
    report.notes.push("word ".repeat(100));
    report.notes.push("x".repeat(500));
    report.violations[0].seen = "y".repeat(2000);
    for line in Format::Text.render(&report, false).lines() {
        // Commands and the verdict line are never wrapped.
        if line.trim_start().starts_with("reproduce") || line.contains(" · seed ") {
            continue;
        }
        assert!(line.chars().count() <= 110, "{line}");
    }
}

#[test]
fn colors_only_on_request() {
    assert!(Format::Text.render(&sample(), true).contains("\u{1b}[1;31m✗ body ×3\u{1b}[0m"));
    for format in Format::value_variants() {
        let plain = format.render(&evil(), false);
        let steering = plain.chars().find(|character| {
            (character.is_control() && !matches!(character, '\n' | '\t')) || *character == '\u{202e}'
        });
        // JSON has its own escapes, and its readers need the original text.
        if *format != Format::Json {
            assert_eq!(steering, None, "{format:?}");
        }
    }
}

#[test]
fn json_round_trips() {
    for report in [sample(), evil(), empty(), unreachable()] {
        let text = Format::Json.render(&report, false);
        assert_eq!(serde_json::from_str::<Report>(&text).expect("a report"), report);
    }
    let value: serde_json::Value =
        serde_json::from_str(&Format::Json.render(&sample(), false)).expect("JSON");
    assert_eq!(value["verdict"], "violated");
    assert_eq!(value["totals"]["operations"], 41);
}

#[test]
fn junit_is_well_formed_and_its_totals_add_up() {
    for report in [sample(), evil(), empty(), unreachable(), clean()] {
        let (elements, texts) = parsed(&Format::Junit.render(&report, false));
        let count = |name: &str| elements.iter().filter(|(element, _)| element == name).count();
        let cells = report.operations.iter().map(|operation| operation.cells.len()).sum::<usize>();
        assert_eq!(count("testcase"), cells + report.violations.len());
        assert_eq!(count("failure"), report.violations.len());
        let (_, whole) = &elements[0];
        assert_eq!(attribute(whole, "tests"), count("testcase").to_string());
        assert_eq!(attribute(whole, "failures"), count("failure").to_string());
        let sum = |name: &str| {
            let suites = elements.iter().filter(|(element, _)| element == "testsuite");
            suites.map(|(_, it)| attribute(it, name).parse::<usize>().expect("a number")).sum::<usize>()
        };
        assert_eq!(sum("tests"), count("testcase"));
        assert_eq!(sum("failures"), count("failure"));
        assert_eq!(sum("skipped"), count("skipped"));
        for violation in &report.violations {
            assert!(texts.contains(&format!("rule: {}\n", violation.rule)));
        }
    }
}

#[test]
fn reports_violations_without_an_operation() {
    let lost = vec![violation(Rule::Method, "", "PUT /nowhere")];
    let report = Report { violations: lost, ..sample() };
    for format in Format::value_variants() {
        assert!(format.render(&report, false).contains("PUT /nowhere"), "{format:?}");
    }
}

#[test]
fn html_escapes_all_text() {
    let harmless = Format::Html.render(&sample(), false);
    let page = Format::Html.render(&evil(), false);
    // The only script is that of the page, and no text of the report became an element or an attribute.
    assert_eq!(page.matches("<script>").count(), 1);
    assert_eq!(page.matches("</script>").count(), 1);
    assert!(!page.contains("<img"));
    assert!(page.matches("&lt;script&gt;alert(1)").count() > 200, "and it is told");
    let tags = |page: &str| -> BTreeSet<String> {
        let opened =
            page.split('<').skip(1).filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
        opened.map(|rest| rest.split([' ', '>']).next().unwrap_or_default().to_owned()).collect()
    };
    assert!(tags(&page).is_subset(&tags(&harmless)), "{:?}", tags(&page));
    assert!(!page.contains(" onerror=alert(1)>"));
}

#[test]
fn html_loads_nothing_from_the_network() {
    let page = Format::Html.render(&sample(), false);
    for word in ["src=", "<link", "<img", "<iframe", "url(", "@import", "fetch(", "style=\""] {
        assert!(!page.contains(word), "{word}");
    }
    for address in page.match_indices("http").filter(|(place, _)| page[*place..].contains("://")) {
        let before = &page[..address.0];
        assert!(!before.ends_with("href=\"") && !before.ends_with("src=\""), "a link out of the page");
    }
    for link in page.split("href=\"").skip(1) {
        assert!(link.starts_with('#'), "a link out of the page");
    }
}

#[test]
fn html_allows_only_its_own_script_and_style() {
    let page = Format::Html.render(&sample(), false);
    let between = |open: &str, close: &str| -> String {
        let rest = page.split_once(open).expect("it is there").1;
        rest.split_once(close).expect("it ends").0.to_owned()
    };
    let policy = between("http-equiv=\"Content-Security-Policy\" content=\"", "\"").replace("&#39;", "'");
    assert!(policy.starts_with("default-src 'none'; "));
    for (directive, text) in
        [("style-src", between("<style>", "</style>")), ("script-src", between("<script>", "</script>"))]
    {
        let hash = STANDARD.encode(Sha256::digest(text));
        assert!(policy.contains(&format!("{directive} 'sha256-{hash}'")), "{directive} in {policy}");
    }
}

#[test]
fn html_links_resolve_and_ids_are_unique() {
    let page = Format::Html.render(&sample(), false);
    let mut ids = BTreeSet::new();
    for id in page.split(" id=\"").skip(1) {
        assert!(ids.insert(id.split('"').next().expect("an end")), "twice");
    }
    for place in ["href=\"#", "aria-labelledby=\""] {
        for target in page.split(place).skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(ids.contains(target), "{target}");
        }
    }
}

/// A line of Markdown without its code spans, which need no escaping.
fn without_code(mut line: &str) -> String {
    let mut text = String::new();
    while let Some((before, _)) = line.split_once('`') {
        let rest = &line[before.len()..];
        let ticks = &rest[..rest.len() - rest.trim_start_matches('`').len()];
        let after = &rest[ticks.len()..];
        text.push_str(before);
        line = match after.split_once(ticks) {
            Some((_, after)) if !before.ends_with('\\') => after,
            _ => after,
        };
    }
    text + line
}

#[test]
fn markdown_escapes_mentions_and_html() {
    let page = Format::Markdown.render(&evil(), false);
    let mut fence: Option<String> = None;
    for line in page.lines() {
        match &fence {
            Some(end) if line == end => fence = None,
            Some(_) => {}
            None if line.starts_with("```") => {
                fence = Some(line.chars().take_while(|character| *character == '`').collect());
            }
            None => {
                let text = without_code(line);
                assert!(!text.contains("@all") && !text.contains("<script>"), "{text}");
            }
        }
    }
    assert_eq!(fence, None, "every fence is closed");
}

#[test]
fn markdown_fits_into_a_comment() {
    let mut report = sample();
    let many = (0..500).map(|number| violation(Rule::Body, "getBook", &format!("try {number}")));
    report.violations.extend(many);
    report.violations[0].seen = "`".repeat(20_000);
    report.notes = vec!["note ".repeat(2_000); 20];
    let page = Format::Markdown.render(&report, false);
    assert!(page.chars().count() < 65_536, "{}", page.chars().count());
    assert!(page.contains("more, left out to stay within the size limit"));
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("coverage.json");
    (folder, path)
}

#[test]
fn coverage_file_round_trips() {
    let (_folder, path) = scratch();
    let coverage = Coverage::of(&sample());
    coverage.save(&path).expect("saved");
    assert_eq!(Coverage::load(&path).expect("loaded"), coverage);
    assert!(coverage.lost(&sample(), |_| true).is_empty());
    assert!(coverage.gained(&sample()).is_empty());
}

#[test]
fn coverage_file_is_sorted() {
    let (_folder, path) = scratch();
    let mut report = sample();
    report.operations.truncate(3);
    report.operations.reverse();
    Coverage::of(&report).save(&path).expect("saved");
    insta::assert_snapshot!(std::fs::read_to_string(&path).expect("text"), @r#"
    {
      "createBook": [
        "201 application/json",
        "401 application/json",
        "403 application/json",
        "413 application/json",
        "415 application/json"
      ],
      "getBook": [
        "200 application/json",
        "400 application/json",
        "401 application/json",
        "403 application/json",
        "404 application/json"
      ],
      "listBooks": [
        "200 application/json",
        "200 text/csv",
        "400 application/json",
        "401 application/json",
        "403 application/json"
      ]
    }
    "#);
}

#[test]
fn describes_lost_and_gained_coverage() {
    let before = sample();
    let mut after = sample();
    after.operations.retain(|operation| operation.id != "getHealth");
    let operation = |report: &mut Report, id: &str| {
        report.operations.iter().position(|operation| operation.id == id).expect("it is there")
    };
    let books = operation(&mut after, "listBooks");
    after.operations[books].cells[0].state = State::Missing;
    after.operations[books].cells[2].state = State::Violated;
    after.operations[books].cells[3].state = State::Unreachable("no keys".to_owned());
    after.operations[books].cells.remove(1);
    let session = operation(&mut after, "getSession");
    after.operations[session].built = false;
    after.operations[session].cells[0].state = State::Missing;
    let loan = operation(&mut after, "extendLoan");
    after.operations[loan].cells[5].state = State::Covered;

    let file = Coverage::of(&before);
    insta::assert_snapshot!(file.lost(&after, |_| true).join("\n"), @r#"
    getHealth: 200 application/json was covered, but the contract no longer has the operation
    getSession: 200 application/json was covered, but the operation is no longer implemented
    listBooks: 200 application/json was covered, but was not seen
    listBooks: 200 text/csv was covered, but was not seen, or is no longer documented
    listBooks: 400 application/json was covered, but is violated now
    listBooks: 401 application/json was covered, but is declared unreachable now: no keys
    "#);
    insta::assert_snapshot!(file.gained(&after).join("\n"), @"extendLoan: 409 application/json is newly covered");
    // A run of one operation loses no coverage of the others.
    assert_eq!(file.lost(&after, |id| id == "getSession").len(), 1);
    assert!(file.lost(&after, |_| false).is_empty());
}

#[test]
fn invalid_coverage_file_error_says_what_to_do() {
    let (_folder, path) = scratch();
    let absent = format!("{:#}", Coverage::load(&path).expect_err("it is not there"));
    assert!(absent.contains("coverage.json"), "{absent}");
    std::fs::write(&path, "{\"getBook\": 3}").expect("written");
    let wrong = format!("{:#}", Coverage::load(&path).expect_err("it is none"));
    assert!(wrong.contains("write it again"), "{wrong}");
}

/// The reports are kept in `tmp/report` of the target directory.
#[test]
fn every_format_lists_every_violation() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, report) in
        [("sample", sample()), ("clean", clean()), ("empty", empty()), ("unreachable", unreachable())]
    {
        for format in Format::value_variants() {
            let page = format.render(&report, *format == Format::Text);
            for violation in &report.violations {
                let id = violation.request_id.iter();
                for part in [&violation.operation, &violation.pointer].into_iter().chain(id) {
                    assert!(page.contains(part), "{format:?}: {part}");
                }
            }
            let ending = format!("{format:?}").to_lowercase();
            std::fs::write(folder.join(format!("{name}.{ending}")), page).expect("written");
        }
    }
}
