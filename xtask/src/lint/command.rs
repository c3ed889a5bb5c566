//! The command line of `cargo xtask lint`.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::rules::RULES;
use super::{Finding, Severity, lint};
use crate::source::{self, Inputs};

/// Arguments of `cargo xtask lint`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The document to check, without an overlay [default: openapi.json with its overlay applied]
    file: Option<PathBuf>,
    /// Print findings as JSON, including notes
    #[arg(long)]
    json: bool,
    /// Also print notes: constructs that are correct but need special handling by generators
    #[arg(long)]
    notes: bool,
    /// Print the rules and exit
    #[arg(long)]
    rules: bool,
}

/// Checks the document and prints findings. Exit code 1 if there are errors.
///
/// # Errors
///
/// When the document cannot be read.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.rules {
        print_rules(args.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (name, document) = match &args.file {
        Some(path) => (path.display().to_string(), source::read_document(path)?),
        None => {
            let inputs = Inputs { contract: None, overlay: None, settings: None };
            ("openapi.json + openapi.overlay".to_owned(), source::load(&inputs)?.effective)
        }
    };
    if !document.is_object() {
        anyhow::bail!("{name}: # is not an object, so this is not an OpenAPI document");
    }
    let findings = lint(&document);
    let counts = Counts::of(&findings);
    if args.json {
        let report = json!({
            "document": name,
            "counts": {"errors": counts.errors, "warnings": counts.warnings, "notes": counts.notes},
            "findings": findings,
        });
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", text(&findings, args.notes));
        println!("{name}: {}", counts.sentence(args.notes));
    }
    Ok(if counts.errors > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

struct Counts {
    errors: usize,
    warnings: usize,
    notes: usize,
}

impl Counts {
    fn of(findings: &[Finding]) -> Self {
        let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
        }
    }

    fn sentence(&self, notes_shown: bool) -> String {
        let hint = if notes_shown || self.notes == 0 { "" } else { " (--notes shows them)" };
        let many = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        format!(
            "{}, {}, {}{hint}",
            many(self.errors, "error"),
            many(self.warnings, "warning"),
            many(self.notes, "note")
        )
    }
}

/// One line per finding, with an empty line between errors, warnings and notes.
fn text(findings: &[Finding], notes: bool) -> String {
    let mut text = String::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        if severity == Severity::Note && !notes {
            continue;
        }
        let before = text.len();
        for finding in findings.iter().filter(|finding| finding.severity == severity) {
            text.push_str(&finding.to_string());
            text.push('\n');
        }
        if text.len() > before {
            text.push('\n');
        }
    }
    text
}

fn print_rules(as_json: bool) -> anyhow::Result<()> {
    if as_json {
        println!("{}", serde_json::to_string_pretty(RULES)?);
        return Ok(());
    }
    for rule in RULES {
        let stop = if rule.blocks_generation { " [blocks code generation]" } else { "" };
        println!("{:<8} {:<28} {}{stop}", rule.severity.word(), rule.id, rule.summary);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_severity_rule_pointer_message_and_remedy() {
        let finding = |severity, rule| Finding {
            severity,
            rule,
            pointer: "#/paths/~1a".to_owned(),
            message: "is wrong".to_owned(),
            remedy: "correct it".to_owned(),
        };
        let findings = [
            finding(Severity::Error, "path-form"),
            finding(Severity::Warning, "tag-unused"),
            finding(Severity::Note, "path-servers"),
        ];
        assert_eq!(
            text(&findings, false),
            "error    path-form  #/paths/~1a: is wrong; correct it\n\n\
             warning  tag-unused  #/paths/~1a: is wrong; correct it\n\n"
        );
        assert!(text(&findings, true).contains("note     path-servers"));
        assert_eq!(Counts::of(&findings).sentence(false), "1 error, 1 warning, 1 note (--notes shows them)");
    }
}
