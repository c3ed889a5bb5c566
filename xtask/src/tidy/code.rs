//! Rust text without its comments and without what its strings say, line by line; and those strings apart.
//! Just enough of a lexer that a rule does not take a comment for code. Knows no rule.

/// A Rust file taken apart.
pub(super) struct Code {
    /// The text with comments and the insides of strings blanked; lines stay where they are.
    pub(super) text: String,
    /// What each string literal says, with the line on which it begins.
    pub(super) strings: Vec<(usize, String)>,
}

impl Code {
    /// Takes `source` apart. Text that is not Rust gives something, too.
    pub(super) fn of(source: &str) -> Self {
        let characters: Vec<char> = source.chars().collect();
        let mut lexer = Lexer { characters, at: 0, line: 1, text: String::new(), strings: Vec::new() };
        lexer.run();
        Self { text: lexer.text, strings: lexer.strings }
    }

    /// The lines of code with their numbers, from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

struct Lexer {
    characters: Vec<char>,
    at: usize,
    line: usize,
    text: String,
    strings: Vec<(usize, String)>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.characters.get(self.at + ahead).copied().unwrap_or('\0')
    }

    /// Takes one character; what is not kept becomes a blank, so that columns and lines stay.
    fn take(&mut self, keep: bool) -> char {
        let character = self.peek(0);
        self.at += 1;
        if character == '\n' {
            self.line += 1;
        }
        self.text.push(if keep || character == '\n' { character } else { ' ' });
        character
    }

    fn run(&mut self) {
        while self.at < self.characters.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '/') => {
                    while self.at < self.characters.len() && self.peek(0) != '\n' {
                        self.take(false);
                    }
                }
                ('/', '*') => self.block_comment(),
                ('"', _) => self.string(),
                ('r', '"' | '#') if !self.in_word() && self.raw_hashes(1).is_some() => self.raw_string(1),
                ('b' | 'c', 'r') if !self.in_word() && self.raw_hashes(2).is_some() => self.raw_string(2),
                ('\'', _) => self.character(),
                _ => {
                    self.take(true);
                }
            }
        }
    }

    /// Whether the character before belongs to a word, so that an `r` here is only a letter.
    fn in_word(&self) -> bool {
        self.at
            .checked_sub(1)
            .and_then(|before| self.characters.get(before))
            .is_some_and(|before| before.is_alphanumeric() || *before == '_')
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.characters.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.take(false);
                    continue;
                }
            }
            self.take(false);
            self.take(false);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        let line = self.line;
        let mut said = String::new();
        self.take(true);
        while self.at < self.characters.len() && self.peek(0) != '"' {
            if self.peek(0) == '\\' {
                said.push(self.take(false));
            }
            said.push(self.take(false));
        }
        self.take(true);
        self.strings.push((line, said));
    }

    /// The number of `#` of a raw string that begins `ahead` characters from here.
    fn raw_hashes(&self, ahead: usize) -> Option<usize> {
        let mut hashes = 0;
        while self.peek(ahead + hashes) == '#' {
            hashes += 1;
        }
        (self.peek(ahead + hashes) == '"').then_some(hashes)
    }

    fn raw_string(&mut self, prefix: usize) {
        let line = self.line;
        let hashes = self.raw_hashes(prefix).unwrap_or(0);
        for _ in 0..=prefix + hashes {
            self.take(true);
        }
        let mut said = String::new();
        while self.at < self.characters.len() {
            if self.peek(0) == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == '#') {
                break;
            }
            said.push(self.take(false));
        }
        for _ in 0..=hashes {
            self.take(true);
        }
        self.strings.push((line, said));
    }

    /// A character literal, or the mark of a lifetime.
    fn character(&mut self) {
        let escaped = self.peek(1) == '\\';
        if !escaped && self.peek(2) != '\'' {
            self.take(true);
            return;
        }
        self.take(true);
        if escaped {
            // The mark and what it escapes, which may be a quote.
            self.take(false);
            self.take(false);
        }
        while self.at < self.characters.len() && self.peek(0) != '\'' {
            self.take(false);
        }
        self.take(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blanked_and_lines_stay() {
        let code = Code::of(
            "use a::b; // use c::d;\n/* x /* nested */ todo!()\n */ let s = \"dbg!(1) \\\" // no\";\nlet r = r#\"raw \" one\"#;\n",
        );
        let lines: Vec<&str> = code.lines().map(|(_, line)| line.trim_end()).collect();
        assert_eq!(lines[0], "use a::b;");
        assert_eq!(lines[1], "");
        assert!(lines[2].trim_start().starts_with("let s = \"") && !lines[2].contains("dbg"));
        assert!(lines[3].starts_with("let r = r#\"") && lines[3].ends_with("\"#;"));
        assert_eq!(code.strings, [(3, "dbg!(1) \\\" // no".to_owned()), (4, "raw \" one".to_owned())]);
    }

    #[test]
    fn lifetimes_and_characters_are_told_apart() {
        let code =
            Code::of("fn f<'a>(c: &'a str) -> char { '\"' } // '\nlet q = '\\''; let n = '\\n'; done(\"x\")");
        assert!(code.text.contains("fn f<'a>(c: &'a str) -> char { ' ' }"), "{}", code.text);
        assert!(code.text.contains("let n = '") && code.text.contains("done(\" \")"), "{}", code.text);
        assert_eq!(code.strings, [(2, "x".to_owned())]);
    }
}
