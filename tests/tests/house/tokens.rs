//! The tokens of a Rust file: as much of the language as it takes to find the paths in it.

/// One token. Literals and lifetimes are of no interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Word(String),
    Sign(char),
    Open(char),
    Close,
    Other,
}

/// Reads characters from the front.
struct Reader<'t> {
    rest: &'t str,
}

/// The tokens of `text`, without comments, attributes, and what an attribute makes code of tests or of the
/// documentation alone.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut reader = Reader { rest: text };
    let mut all = Vec::new();
    while reader.skip_blank() {
        all.push(reader.token());
    }
    without_attributes(&all)
}

// === impl Token ===

impl Token {
    pub fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }
}

// === impl Reader ===

impl Reader<'_> {
    /// Skips blanks and comments. False at the end.
    fn skip_blank(&mut self) -> bool {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.starts_with("//") {
                self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
            } else if self.rest.starts_with("/*") {
                self.rest = self.rest.split_once("*/").map_or("", |(_, rest)| rest);
            } else {
                return !self.rest.is_empty();
            }
        }
    }

    fn token(&mut self) -> Token {
        let first = self.rest.chars().next().unwrap();
        match first {
            '"' => self.string(),
            '\'' => self.after_apostrophe(),
            '(' | '[' | '{' => self.one(Token::Open(first)),
            ')' | ']' | '}' => self.one(Token::Close),
            '0'..='9' => self.number(),
            first if is_of_word(first) => self.word(),
            sign => self.one(Token::Sign(sign)),
        }
    }

    fn one(&mut self, token: Token) -> Token {
        let mut characters = self.rest.chars();
        characters.next();
        self.rest = characters.as_str();
        token
    }

    /// A word, or the literal that begins with it.
    fn word(&mut self) -> Token {
        let end = self.rest.find(|c| !is_of_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let is_quoted = rest[hashes..].starts_with('"');
        match word {
            "r" | "br" | "cr" if is_quoted => {
                let end = format!("\"{}", "#".repeat(hashes));
                self.rest = rest[hashes + 1..].split_once(&end).map_or("", |(_, rest)| rest);
                Token::Other
            }
            "b" | "c" if is_quoted && hashes == 0 => self.string(),
            "b" if rest.starts_with('\'') => self.after_apostrophe(),
            // `r#type` is a word.
            "r" if hashes == 1 => {
                self.rest = &rest[1..];
                self.word()
            }
            word => Token::Word(word.to_owned()),
        }
    }

    fn string(&mut self) -> Token {
        let mut is_escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == '"' && !is_escaped;
            is_escaped = *c == '\\' && !is_escaped;
            ends
        });
        self.rest = end.map_or("", |(at, _)| &self.rest[at + 1..]);
        Token::Other
    }

    /// A character (`'a'`, `'\n'`), or a lifetime (`'a`).
    fn after_apostrophe(&mut self) -> Token {
        let inside = &self.rest[1..];
        let length = match inside.chars().next() {
            // What is escaped may be an apostrophe.
            Some('\\') => inside[2..].find('\'').map_or(0, |at| at + 3),
            Some(c) if inside[c.len_utf8()..].starts_with('\'') => c.len_utf8() + 1,
            _ => inside.find(|c| !is_of_word(c)).unwrap_or(inside.len()),
        };
        self.rest = &inside[length..];
        Token::Other
    }

    fn number(&mut self) -> Token {
        let end = self.rest.find(|c| !is_of_word(c)).unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
        Token::Other
    }
}

fn is_of_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn without_attributes(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut n = 0;
    while let Some(token) = tokens.get(n) {
        let skipped = usize::from(tokens.get(n + 1) == Some(&Token::Sign('!')));
        match token {
            Token::Sign('#') if tokens.get(n + 1 + skipped) == Some(&Token::Open('[')) => {
                let start = n + 2 + skipped;
                n = end_of_group(tokens, start);
                if is_for_tests_or_documents(&tokens[start..n]) {
                    n = end_of_item(tokens, n);
                }
            }
            Token::Word(word) if word == "pub" && tokens.get(n + 1) == Some(&Token::Open('(')) => {
                // `pub(in crate::abi)` imports nothing.
                kept.extend([token.clone(), Token::Open('('), Token::Word("in".to_owned())]);
                kept.push(Token::Close);
                n = end_of_group(tokens, n + 2);
            }
            _ => {
                kept.push(token.clone());
                n += 1;
            }
        }
    }
    kept
}

/// Is this, up to its bracket, `cfg(test)` or `cfg(doc)`?
fn is_for_tests_or_documents(attribute: &[Token]) -> bool {
    let [cfg, Token::Open('('), what, Token::Close, Token::Close] = attribute else { return false };
    cfg.word() == Some("cfg") && matches!(what.word(), Some("test" | "doc"))
}

/// Behind the group that was opened in front of `start`.
fn end_of_group(tokens: &[Token], start: usize) -> usize {
    let mut depth = 1;
    let mut n = start;
    while let Some(token) = tokens.get(n).filter(|_| depth > 0) {
        match token {
            Token::Open(_) => depth += 1,
            Token::Close => depth -= 1,
            _ => {}
        }
        n += 1;
    }
    n
}

/// Behind an item: it ends with its braces, or with a semicolon.
fn end_of_item(tokens: &[Token], start: usize) -> usize {
    let mut n = start;
    while let Some(token) = tokens.get(n) {
        n += 1;
        match token {
            Token::Sign(';') => return n,
            Token::Open('{') => return end_of_group(tokens, n),
            Token::Open(_) => n = end_of_group(tokens, n),
            _ => {}
        }
    }
    n
}

#[test]
fn literals_comments_and_attributes_hide_no_code_and_show_none() {
    let text = r##"
        //! crate::comment /* " */
        /* crate::block " */ #[doc = "crate::attribute"]
        fn f<'a>(x: &'a str) -> char { let _ = ("crate::\"text", r#"crate::"raw"#, b'"', '\'', 0..1.5e3);
        '"' } #[cfg(test)] fn hidden() { crate::test(); }
        #[cfg(feature = "x")] pub(in crate::y) use r#type;
    "##;
    let tokens = tokens(text);
    let words: Vec<_> = tokens.iter().filter_map(Token::word).collect();
    let expected = ["fn", "f", "x", "str", "char", "let", "_", "pub", "in", "use", "type"];
    assert_eq!(words, expected);
}
