//! The command `run`.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use conformance::flows::{self, Flows};
use conformance::report::{Coverage, Format, Report, Verdict};
use conformance::run::{Options, run};
use conformance::{inputs, ringnity};
use serde_json::Value;

use super::Documents;

/// Shown by `--help`.
pub const EXAMPLES: &str = "Examples:\n  \
    conformance run --demo                                    starts a ringnity-server\n  \
    conformance run --base-url http://127.0.0.1:8192 --inputs data/demo.json\n  \
    conformance run --base-url https://api.example.com --inputs mine.toml --report report.html\n  \
    conformance run --demo --only 'Server API' --only loginOwner --seed 7\n\n\
    README.md describes the inputs for other servers.";

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Base URL of the server [default: `baseUrl` of the inputs]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Credentials and other inputs of the flows, in JSON or TOML; accepts the output of `ringnity-server serve
    /// --demo-file`
    #[arg(long, alias = "demo-file", value_name = "FILE", required_unless_present = "demo")]
    inputs: Option<PathBuf>,
    /// Start a ringnity-server with demo tenants and check it
    #[arg(long, conflicts_with_all = ["base_url", "inputs"])]
    demo: bool,
    /// Program that --demo starts [default: ringnity-server next to this program, rebuilt]
    #[arg(long, value_name = "PROGRAM", requires = "demo")]
    server: Option<PathBuf>,
    #[command(flatten)]
    documents: Documents,
    /// Flows that create what operations need: Arazzo documents, or folders whose .json files are read in the order of
    /// their names; may be repeated
    #[arg(long, value_name = "PATH")]
    flows: Vec<PathBuf>,
    /// Check only operations with this tag or operationId; may be repeated
    #[arg(long, value_name = "TAG|ID")]
    only: Vec<String>,
    /// Seed of the random values
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Number of random values per body and parameter
    #[arg(long, value_name = "N", default_value_t = 6)]
    cases: usize,
    /// Stop after this many seconds; what was not tested counts as missing
    #[arg(long, value_name = "SECONDS")]
    max_time: Option<u64>,
    /// Number of operations to check concurrently, where this cannot change the result
    #[arg(long, value_name = "N", default_value_t = 4)]
    jobs: usize,
    /// Timeout of a response in seconds
    #[arg(long, alias = "patience", value_name = "SECONDS", default_value_t = 20)]
    timeout: u64,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Also write the report to a file: .html, .json, .xml (JUnit), .md or .txt; may be repeated
    #[arg(long, value_name = "FILE", value_parser = report_file)]
    report: Vec<(PathBuf, Format)>,
    /// Fail if a response listed in this file is no longer covered
    #[arg(long, value_name = "FILE")]
    coverage: Option<PathBuf>,
    /// Add newly covered responses to the --coverage file
    #[arg(long, requires = "coverage")]
    accept_coverage: bool,
    /// Fail if less than this share of the documented responses of implemented operations is covered
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    min_coverage: f64,
    /// Show secrets in curl commands instead of shell variables
    #[arg(long)]
    show_secrets: bool,
}

impl Run {
    /// Checks the server and writes the reports. Returns whether nothing is violated and coverage suffices.
    pub async fn run(&self) -> Result<bool> {
        let contract = self.documents.read()?;
        let flows = if self.flows.is_empty() && self.documents.are_built_in() {
            ringnity::flows(&contract)?
        } else {
            Flows::merge(flows::read(&self.flows)?, &contract)?
        };
        let mut server = None;
        let given: Value = match &self.inputs {
            Some(path) => inputs::read_file(path)?,
            None => {
                let program = match &self.server {
                    Some(program) => program.clone(),
                    None => inputs::build_server()?,
                };
                let started = server.insert(ringnity::start_demo(&program)?);
                started.inputs.clone()
            }
        };
        let Some(base) = self.base_url.as_deref().or_else(|| given["baseUrl"].as_str()) else {
            bail!("the inputs have no baseUrl; pass --base-url");
        };
        for only in &self.only {
            if !contract.operations.iter().any(|one| one.id == *only || one.tag == *only) {
                bail!("--only {only}: the contract has no such operationId or tag");
            }
        }
        let options = Options {
            only: self.only.clone(),
            seed: self.seed,
            cases: self.cases,
            max_time: self.max_time.map(Duration::from_secs),
            jobs: self.jobs,
            timeout: Duration::from_secs(self.timeout.max(1)),
            show_secrets: self.show_secrets,
            progress: std::io::stderr().is_terminal(),
            ..Options::default()
        };
        let report = run(contract, flows, &given, base, options).await?;
        print!("{}", self.format.render(&report, std::io::stdout().is_terminal()));
        for (path, format) in &self.report {
            std::fs::write(path, format.render(&report, false))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(self.check_coverage(&report)? && report.verdict() == Verdict::Clean && report.cut_short.is_none())
    }

    /// Whether coverage suffices. Prints what is missing to standard error.
    fn check_coverage(&self, report: &Report) -> Result<bool> {
        let mut enough = true;
        let percent = report.totals(|operation| operation.built).percent();
        if percent < self.min_coverage {
            eprintln!("coverage is {percent:.1} %, but --min-coverage is {} %", self.min_coverage);
            enough = false;
        }
        let Some(path) = &self.coverage else { return Ok(enough) };
        let known = if path.exists() { Coverage::load(path)? } else { Coverage::default() };
        let lost = known.lost(report, |id| report.operations.iter().any(|operation| operation.id == id));
        for line in &lost {
            eprintln!("{line}");
        }
        let gained = known.gained(report);
        if self.accept_coverage && lost.is_empty() && !gained.is_empty() {
            known.with(report).save(path)?;
            eprintln!("{}: added {} responses", path.display(), gained.len());
        } else if !gained.is_empty() {
            eprintln!(
                "{} responses are newly covered; add them to {} with --accept-coverage",
                gained.len(),
                path.display()
            );
        }
        Ok(enough && lost.is_empty())
    }
}

fn report_file(text: &str) -> Result<(PathBuf, Format), String> {
    let path = PathBuf::from(text);
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => Format::Html,
        Some("json") => Format::Json,
        Some("xml") => Format::Junit,
        Some("md") => Format::Markdown,
        Some("txt") => Format::Text,
        _ => return Err("use a file name that ends in .html, .json, .xml, .md or .txt".to_owned()),
    };
    Ok((path, format))
}
