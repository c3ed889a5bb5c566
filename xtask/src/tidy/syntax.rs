//! What the rules look at in a Rust file: the paths it names, its string literals, macro calls, attributes and modules,
//! each with its line. Parsed with `syn`; the arguments of macros are read as tokens. Comments do not count.

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// A path that code names: `use a::b;` or `a::b::c()`.
#[derive(Clone, Debug)]
pub(super) struct NamedPath {
    pub(super) line: usize,
    /// Segments without generic arguments; an imported path ends with the imported item.
    pub(super) segments: Vec<String>,
    /// The modules of the file that surround it, outermost first.
    pub(super) scope: Vec<String>,
    /// Whether it is imported with `use`, and so makes a name known to the file.
    pub(super) binds: Option<String>,
    /// Whether it is in a module that is compiled for tests only.
    pub(super) in_tests: bool,
}

impl NamedPath {
    /// The path from the root of the crate, in a file of `module`; `None` if it does not begin with `crate`, `self` or
    /// `super`.
    pub(super) fn absolute(&self, module: &[String]) -> Option<Vec<String>> {
        let mut at = [module, &self.scope].concat();
        let rest = match self.segments.first()?.as_str() {
            "crate" => {
                at.clear();
                &self.segments[1..]
            }
            "self" => &self.segments[1..],
            "super" => {
                let up = self.segments.iter().take_while(|segment| *segment == "super").count();
                at.truncate(at.len().checked_sub(up)?);
                &self.segments[up..]
            }
            _ => return None,
        };
        at.extend_from_slice(rest);
        Some(at)
    }
}

/// A module that is declared with `mod name;` or written inline.
#[derive(Clone, Debug)]
pub(super) struct Module {
    /// Name after those of the surrounding modules of the file.
    pub(super) path: Vec<String>,
    pub(super) for_tests: bool,
}

/// Something with the line on which it begins.
pub(super) type At<T> = (usize, T);

/// A Rust file, reduced to what rules look at.
#[derive(Clone, Debug, Default)]
pub(super) struct Syntax {
    pub(super) paths: Vec<NamedPath>,
    pub(super) strings: Vec<At<String>>,
    /// Macro calls, by the last segment of the macro's path.
    pub(super) macros: Vec<At<String>>,
    /// Attributes, by the first segment of their path. Documentation is left out.
    pub(super) attributes: Vec<At<String>>,
    pub(super) modules: Vec<Module>,
}

impl Syntax {
    /// Parses a file; on failure, the line and the parser's message.
    pub(super) fn parse(text: &str) -> Result<Self, At<String>> {
        let file = syn::parse_file(text).map_err(|error| (line(error.span()), error.to_string()))?;
        let mut reader = Reader { syntax: Self::default(), scope: Vec::new(), in_tests: false };
        reader.visit_file(&file);
        Ok(reader.syntax)
    }
}

fn line(span: Span) -> usize {
    span.start().line.max(1)
}

struct Reader {
    syntax: Syntax,
    scope: Vec<String>,
    in_tests: bool,
}

impl Reader {
    fn path(&mut self, line: usize, segments: Vec<String>, binds: Option<String>) {
        let (scope, in_tests) = (self.scope.clone(), self.in_tests);
        self.syntax.paths.push(NamedPath { line, segments, scope, binds, in_tests });
    }

    /// Every path that a `use` tree imports.
    fn tree(&mut self, prefix: &[String], tree: &syn::UseTree) {
        let with = |ident: &syn::Ident| [prefix, &[ident.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree),
            // `a::{self}` imports `a`.
            syn::UseTree::Name(name) if name.ident == "self" && !prefix.is_empty() => {
                self.path(line(name.ident.span()), prefix.to_vec(), prefix.last().cloned());
            }
            syn::UseTree::Name(name) => {
                self.path(line(name.ident.span()), with(&name.ident), Some(name.ident.to_string()));
            }
            syn::UseTree::Rename(name) => {
                let segments = if name.ident == "self" { prefix.to_vec() } else { with(&name.ident) };
                self.path(line(name.ident.span()), segments, Some(name.rename.to_string()));
            }
            syn::UseTree::Glob(glob) => {
                self.path(line(glob.star_token.spans[0]), prefix.to_vec(), None);
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(prefix, tree);
                }
            }
        }
    }

    /// Reads what no grammar describes: the arguments of macros and attributes.
    fn tokens(&mut self, stream: TokenStream, prefix: &[String]) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream(), &[]),
                TokenTree::Literal(literal) => self.literal(&syn::Lit::new(literal.clone())),
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let bang = usize::from(
                        matches!(tokens.get(at + 1), Some(TokenTree::Punct(punct)) if punct.as_char() == '!'),
                    );
                    if let Some(TokenTree::Group(group)) = tokens.get(at + 1 + bang)
                        && group.delimiter() == Delimiter::Bracket
                        && let Some(TokenTree::Ident(name)) = group.stream().into_iter().next()
                    {
                        at += 1 + bang;
                        if name != "doc" {
                            self.syntax.attributes.push((line(name.span()), name.to_string()));
                            self.tokens(group.stream(), &[]);
                        }
                    }
                }
                TokenTree::Punct(_) => {}
                TokenTree::Ident(first) => {
                    let follows = |end: &[char]| {
                        at >= end.len()
                            && end.iter().rev().zip(tokens[..at].iter().rev()).all(|(c, t)| is_punct(t, *c))
                    };
                    // `value.name` and `Type::<T>::name` do not begin a path.
                    let continues = (follows(&['.']) && !follows(&['.', '.'])) || follows(&['>', ':', ':']);
                    let begins = at == 0 || is_punct(&tokens[at - 1], ',');
                    let mut segments = if begins { prefix.to_vec() } else { Vec::new() };
                    segments.push(first.to_string());
                    while let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                        && is_path_separator(&tokens[at + 1], &tokens[at + 2])
                    {
                        segments.push(next.to_string());
                        at += 3;
                    }
                    if let (Some(one), Some(two), Some(TokenTree::Group(group))) =
                        (tokens.get(at + 1), tokens.get(at + 2), tokens.get(at + 3))
                        && is_path_separator(one, two)
                        && group.delimiter() == Delimiter::Brace
                    {
                        self.tokens(group.stream(), &segments);
                        at += 3;
                    } else if tokens.get(at + 1).is_some_and(|next| is_punct(next, '!'))
                        && matches!(tokens.get(at + 2), Some(TokenTree::Group(_)))
                    {
                        let name = segments.last().cloned().unwrap_or_default();
                        self.syntax.macros.push((line(first.span()), name));
                    }
                    if segments.len() > 1 && !continues {
                        self.path(line(first.span()), segments, None);
                    }
                }
            }
            at += 1;
        }
    }

    fn literal(&mut self, literal: &syn::Lit) {
        let value = match literal {
            syn::Lit::Str(value) => value.value(),
            syn::Lit::ByteStr(value) => String::from_utf8_lossy(&value.value()).into_owned(),
            _ => return,
        };
        self.syntax.strings.push((line(literal.span()), value));
    }
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn is_path_separator(one: &TokenTree, two: &TokenTree) -> bool {
    matches!(one, TokenTree::Punct(punct) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint)
        && is_punct(two, ':')
}

/// Whether an item is compiled for tests only: `#[cfg(test)]`, alone or with other conditions.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    fn requires_test(tokens: TokenStream) -> bool {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        tokens.iter().enumerate().any(|(index, token)| match token {
            TokenTree::Ident(ident) => ident == "test",
            TokenTree::Group(group) => {
                let all =
                    index > 0 && matches!(&tokens[index - 1], TokenTree::Ident(ident) if ident == "all");
                all && requires_test(group.stream())
            }
            _ => false,
        })
    }
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| requires_test(list.tokens.clone()))
    })
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        item.attrs.iter().for_each(|attribute| self.visit_attribute(attribute));
        self.tree(&[], &item.tree);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        self.path(line(item.ident.span()), vec![item.ident.to_string()], None);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let before = self.in_tests;
        self.in_tests |= is_for_tests(&item.attrs);
        self.scope.push(item.ident.to_string());
        self.syntax.modules.push(Module { path: self.scope.clone(), for_tests: self.in_tests });
        visit::visit_item_mod(self, item);
        self.scope.pop();
        self.in_tests = before;
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.path(line(path.segments[0].ident.span()), segments, None);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        if let Some(last) = call.path.segments.last() {
            self.syntax.macros.push((line(last.ident.span()), last.ident.to_string()));
        }
        self.tokens(call.tokens.clone(), &[]);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("doc") && !matches!(attribute.meta, syn::Meta::List(_)) {
            return;
        }
        if let Some(first) = attribute.path().segments.first() {
            self.syntax.attributes.push((line(first.ident.span()), first.ident.to_string()));
        }
        self.visit_path(attribute.path());
        match &attribute.meta {
            syn::Meta::Path(_) => {}
            syn::Meta::List(list) => self.tokens(list.tokens.clone(), &[]),
            syn::Meta::NameValue(pair) => self.visit_expr(&pair.value),
        }
    }

    fn visit_lit(&mut self, literal: &'ast syn::Lit) {
        self.literal(literal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Syntax {
        Syntax::parse(text).expect("is Rust")
    }

    fn paths(text: &str) -> Vec<(usize, String)> {
        parse(text).paths.into_iter().map(|path| (path.line, path.segments.join("::"))).collect()
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let syntax = parse(
            "//! dbg!(1)\nuse a::b; // use c::d;\n/* x /* nested */ todo!()\n */ const S: &str = \"dbg!(1) \\\" // no\";\n\
             const R: &str = r#\"raw \" one\"#;\nconst B: &[u8] = b\"bytes\";\n",
        );
        let paths: Vec<_> = syntax.paths.iter().map(|path| path.segments.join("::")).collect();
        assert_eq!(paths, ["a::b"]);
        assert!(syntax.macros.is_empty());
        let strings = [(4, "dbg!(1) \" // no"), (5, "raw \" one"), (6, "bytes")];
        assert_eq!(syntax.strings, strings.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn lifetimes_and_characters_are_not_strings() {
        let text = "fn f<'a>(c: &'a str) -> char { '\"' } // '\nfn g() { let q = '\\''; let n = '\\n'; done(\"x\"); }";
        assert_eq!(parse(text).strings, [(2, "x".to_owned())]);
    }

    #[test]
    fn reads_grouped_imports_with_their_lines() {
        let found =
            paths("use crate::{\n    app::{self, App},\n    auth as who,\n    *,\n};\nextern crate http;\n");
        let expected =
            [(2, "crate::app"), (2, "crate::app::App"), (3, "crate::auth"), (4, "crate"), (6, "http")];
        assert_eq!(found, expected.map(|(line, path)| (line, path.to_owned())));
    }

    #[test]
    fn reads_the_arguments_of_macros_and_attributes() {
        let text = "#[diesel(table = crate::a::b)]\n#[doc = \"words\"]\nstruct S;\n\
            fn f() {\n    assert!(self.http::x(), todo!(\"later\"), $crate::c::d);\n}\n\
            macro_rules! m { () => { use crate::{e::f, g}; #[ignore] fn t() {} } }\n";
        let syntax = parse(&text.replace("self.http::x()", "self.x()"));
        let paths: Vec<_> = syntax.paths.iter().map(|path| path.segments.join("::")).collect();
        assert_eq!(paths, ["crate::a::b", "crate::c::d", "crate::e::f", "crate::g"]);
        let macros: Vec<_> = syntax.macros.iter().map(|(line, name)| (*line, name.as_str())).collect();
        assert_eq!(macros, [(5, "assert"), (5, "todo"), (7, "macro_rules")]);
        let attributes: Vec<_> =
            syntax.attributes.iter().map(|(line, name)| (*line, name.as_str())).collect();
        assert_eq!(attributes, [(1, "diesel"), (7, "ignore")]);
        assert_eq!(syntax.strings, [(5, "later".to_owned())]);
    }

    #[test]
    fn knows_which_modules_are_for_tests() {
        let syntax = parse(
            "mod a;\n#[cfg(test)]\nmod b;\n#[cfg(any(test, unix))]\nmod c;\n\
             #[cfg(all(test, unix))]\nmod d { use super::x; mod e {} }\n",
        );
        let modules: Vec<_> =
            syntax.modules.iter().map(|module| (module.path.join("::"), module.for_tests)).collect();
        let expected = [("a", false), ("b", true), ("c", false), ("d", true), ("d::e", true)];
        assert_eq!(modules, expected.map(|(path, for_tests)| (path.to_owned(), for_tests)));
        assert!(syntax.paths[0].in_tests && syntax.paths[0].scope == ["d"]);
    }

    #[test]
    fn reports_the_line_of_a_syntax_error() {
        assert_eq!(Syntax::parse("fn f() {}\nfn g( {}\n").unwrap_err().0, 2);
    }
}
