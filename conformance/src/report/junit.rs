//! A report as JUnit XML: a suite per tag, a test case per documented response, and a failed one per violation.
//!
//! A violated response is marked as skipped, because its violations are failures already. The time of a test case is
//! estimated from its number of responses.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::words::{cell_name, not_implemented, one_line, visible};
use super::{Cell, OperationReport, Report, State, Violation};

/// Renders the report as JUnit XML.
pub(super) fn junit(report: &Report) -> String {
    let xml = document(report).expect("writing to memory does not fail");
    String::from_utf8(xml).expect("what was written is text")
}

type Xml = Writer<Vec<u8>>;

/// A `testsuite`.
struct Suite<'a> {
    name: String,
    operations: Vec<&'a OperationReport>,
    violations: Vec<&'a Violation>,
}

impl Suite<'_> {
    fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.operations.iter().flat_map(|operation| &operation.cells)
    }

    fn tests(&self) -> usize {
        self.cells().count() + self.violations.len()
    }

    fn skipped(&self) -> usize {
        self.cells().filter(|cell| cell.state != State::Covered).count()
    }
}

fn document(report: &Report) -> io::Result<Vec<u8>> {
    let suites = suites(report);
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("testsuites")
        .with_attribute(("name", one_line(&report.contract).as_str()))
        .with_attribute(("tests", suites.iter().map(Suite::tests).sum::<usize>().to_string().as_str()))
        .with_attribute(("failures", report.violations.len().to_string().as_str()))
        .with_attribute(("errors", "0"))
        .with_attribute(("time", time(report.milliseconds).as_str()))
        .write_inner_content(|xml| {
            for suite in &suites {
                write_suite(xml, report, suite)?;
            }
            Ok(())
        })?;
    let mut bytes = xml.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}

fn suites(report: &Report) -> Vec<Suite<'_>> {
    let mut suites: Vec<Suite<'_>> = Vec::new();
    for tag in report.tags() {
        let operations: Vec<_> = report.operations.iter().filter(|operation| operation.tag == tag).collect();
        let of_tag = |violation: &&Violation| operations.iter().any(|it| it.id == violation.operation);
        let violations = report.violations.iter().filter(of_tag).collect();
        suites.push(Suite { name: one_line(tag), operations, violations });
    }
    let known = |violation: &Violation| report.operations.iter().any(|it| it.id == violation.operation);
    let others: Vec<_> = report.violations.iter().filter(|violation| !known(violation)).collect();
    if !others.is_empty() {
        suites.push(Suite { name: "(no operation)".to_owned(), operations: Vec::new(), violations: others });
    }
    suites
}

fn write_suite(xml: &mut Xml, report: &Report, suite: &Suite<'_>) -> io::Result<()> {
    let answers = suite.cells().map(|cell| cell.answers).sum();
    xml.create_element("testsuite")
        .with_attribute(("name", suite.name.as_str()))
        .with_attribute(("tests", suite.tests().to_string().as_str()))
        .with_attribute(("failures", suite.violations.len().to_string().as_str()))
        .with_attribute(("errors", "0"))
        .with_attribute(("skipped", suite.skipped().to_string().as_str()))
        .with_attribute(("timestamp", one_line(&report.started).as_str()))
        .with_attribute(("time", share(report, answers).as_str()))
        .write_inner_content(|xml| {
            xml.create_element("properties").write_inner_content(|xml| {
                property(xml, "server", &report.base_url)?;
                property(xml, "seed", &report.seed.to_string())?;
                property(xml, "requests", &report.requests.to_string())?;
                property(xml, "verdict", &report.headline())
            })?;
            for operation in &suite.operations {
                for cell in &operation.cells {
                    write_cell(xml, report, suite, operation, cell)?;
                }
            }
            for violation in &suite.violations {
                write_violation(xml, suite, violation)?;
            }
            let notes = notes(report, suite);
            if !notes.is_empty() {
                xml.create_element("system-out").write_text_content(BytesText::new(&notes))?;
            }
            Ok(())
        })?;
    Ok(())
}

fn property(xml: &mut Xml, name: &str, value: &str) -> io::Result<()> {
    xml.create_element("property")
        .with_attribute(("name", name))
        .with_attribute(("value", one_line(value).as_str()))
        .write_empty()?;
    Ok(())
}

fn write_cell(
    xml: &mut Xml,
    report: &Report,
    suite: &Suite<'_>,
    operation: &OperationReport,
    cell: &Cell,
) -> io::Result<()> {
    let reason = match &cell.state {
        State::Covered => None,
        State::Missing if !operation.built => Some("not implemented".to_owned()),
        State::Missing => Some("missing: not seen".to_owned()),
        State::Violated => Some("violated: see the failures of this operation".to_owned()),
        State::Unreachable(reason) => Some(format!("unreachable: {reason}")),
    };
    let case = xml
        .create_element("testcase")
        .with_attribute(("classname", class(suite, &operation.id).as_str()))
        .with_attribute(("name", one_line(&cell_name(cell)).as_str()))
        .with_attribute(("time", share(report, cell.answers).as_str()));
    match reason {
        None => case.write_empty()?,
        Some(reason) => case.write_inner_content(|xml| {
            xml.create_element("skipped")
                .with_attribute(("message", one_line(&reason).as_str()))
                .write_empty()?;
            Ok(())
        })?,
    };
    Ok(())
}

fn write_violation(xml: &mut Xml, suite: &Suite<'_>, violation: &Violation) -> io::Result<()> {
    // Two violations of one request differ by their pointer.
    let mut name = format!("{}: {}", violation.rule, violation.tried);
    if !violation.pointer.is_empty() {
        name.push_str(&format!(" [{}]", violation.pointer));
    }
    xml.create_element("testcase")
        .with_attribute(("classname", class(suite, &violation.operation).as_str()))
        .with_attribute(("name", one_line(&name).as_str()))
        .with_attribute(("time", "0.000"))
        .write_inner_content(|xml| {
            xml.create_element("failure")
                .with_attribute((
                    "message",
                    format!("{}: {}", violation.rule, violation.rule.statement()).as_str(),
                ))
                .with_attribute(("type", violation.rule.name()))
                .write_text_content(BytesText::new(&visible(&body(violation))))?;
            Ok(())
        })?;
    Ok(())
}

/// All members of a violation, as text.
fn body(violation: &Violation) -> String {
    let mut body = format!(
        "rule: {}\noperation: {}\ntried: {}\nat: {}\nexpected: {}\nseen: {}\ntimes: {}\n",
        violation.rule,
        violation.operation,
        violation.tried,
        violation.pointer,
        violation.expected,
        violation.seen,
        violation.times
    );
    if let Some(id) = &violation.request_id {
        body.push_str(&format!("request: {id}\n"));
    }
    body.push_str(&format!("reproduce: {}\n", violation.curl));
    body
}

/// The notes of the run, in its first suite, and the operations of this suite that are not implemented.
fn notes(report: &Report, suite: &Suite<'_>) -> String {
    let mut notes = String::new();
    if report.tags().first().is_some_and(|tag| one_line(tag) == suite.name) {
        for note in &report.notes {
            notes.push_str(&format!("{}\n", visible(note)));
        }
    }
    for (tag, operations) in not_implemented(report) {
        if one_line(tag) == suite.name {
            let names: Vec<_> = operations.iter().map(|operation| one_line(&operation.id)).collect();
            notes.push_str(&format!("not implemented: {}\n", names.join(", ")));
        }
    }
    notes
}

/// CI systems split class names at dots, so there is only one, between tag and operation.
fn class(suite: &Suite<'_>, operation: &str) -> String {
    format!("{}.{}", suite.name.replace('.', "_"), one_line(operation).replace('.', "_"))
}

fn share(report: &Report, answers: usize) -> String {
    let answers = answers as u128;
    let requests = (report.requests as u128).max(1);
    time(u64::try_from(u128::from(report.milliseconds) * answers / requests).unwrap_or(u64::MAX))
}

fn time(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}
