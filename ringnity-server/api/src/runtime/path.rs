//! Matches the paths of requests with the path templates of operations.

use http::Method;

use super::decode::percent_decode;
use super::operation::Operation;

/// Variables of `template` in `path`. One that cannot be decoded is `None`.
pub fn path_variables<'t>(template: &'t str, path: &str) -> Vec<(&'t str, Option<String>)> {
    let expected = template.split('/').filter(|segment| !segment.is_empty());
    let actual = path.split('/').filter(|segment| !segment.is_empty());
    expected
        .zip(actual)
        .filter_map(|(expected, actual)| Some((variable(expected)?, percent_decode(actual, false))))
        .collect()
}

/// Name of the variable that a segment of a template is.
pub fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// How well `path` matches `template`: whether each segment is a literal, so that literals sort above variables. `None`
/// where it does not match.
fn specificity(template: &str, path: &str) -> Option<Vec<bool>> {
    let expected: Vec<&str> = template.split('/').filter(|segment| !segment.is_empty()).collect();
    let actual: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if expected.len() != actual.len() {
        return None;
    }
    expected
        .iter()
        .zip(&actual)
        .map(|(expected, actual)| match variable(expected) {
            Some(_) => Some(false),
            None => (percent_decode(actual, false).as_deref() == Some(*expected)).then_some(true),
        })
        .collect()
}

/// The operations on the path of a request. Literal segments come before variables.
pub fn operations_on_path(operations: &'static [&'static Operation], path: &str) -> Vec<&'static Operation> {
    let mut best: Option<(Vec<bool>, Vec<&'static Operation>)> = None;
    for operation in operations {
        let Some(rank) = specificity(operation.path, path) else { continue };
        match &mut best {
            Some((known, found)) if *known == rank => found.push(operation),
            Some((known, _)) if *known > rank => {}
            _ => best = Some((rank, vec![operation])),
        }
    }
    best.map_or_else(Vec::new, |(_, found)| found)
}

/// The operation of a request, where a literal and a variable share a position in the path.
pub fn match_operation(
    operations: &'static [&'static Operation],
    method: &Method,
    path: &str,
) -> Option<&'static Operation> {
    operations_on_path(operations, path).into_iter().find(|operation| operation.method == method.as_str())
}
