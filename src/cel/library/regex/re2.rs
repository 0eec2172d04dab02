//! From RE2's language, which CEL and Kubernetes have, to that of the `regex` crate. They differ
//! in little that one would notice: `\d`, `\w`, `\s` and `\b` are about ASCII, `\Q…\E` quotes, a
//! brace that counts nothing stands for itself, and a class has no classes or operators in it.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

/// The most repetitions that can be written.
const MOST: u32 = 1_000;

/// The same pattern in the other language.
///
/// # Errors
/// What RE2 does not have. What neither of them has is left to the other's compiler.
pub fn translated(pattern: &str) -> Result<String, String> {
    let mut reader = Reader {
        rest: pattern.chars().peekable(),
        out: String::with_capacity(pattern.len() + 8),
        repeated: false,
    };
    while let Some(c) = reader.rest.next() {
        reader.element(c)?;
    }
    Ok(reader.out)
}

struct Reader<'p> {
    rest: Peekable<Chars<'p>>,
    out: String,
    /// A repetition stands directly before this.
    repeated: bool,
}

impl Reader<'_> {
    fn element(&mut self, c: char) -> Result<(), String> {
        let repeated = std::mem::take(&mut self.repeated);
        match c {
            '\\' => self.escape()?,
            '[' => self.class()?,
            '(' => self.group()?,
            '*' | '+' | '?' => {
                self.out.push(c);
                self.repetition(repeated)?;
            }
            '{' => match self.count()? {
                Some(count) => {
                    self.out.push_str(&count);
                    self.repetition(repeated)?;
                }
                None => self.out.push_str(r"\{"),
            },
            '}' => self.out.push_str(r"\}"),
            c => self.out.push(c),
        }
        Ok(())
    }

    /// Behind a repetition: it may be lazy, and not be repeated itself.
    fn repetition(&mut self, repeated: bool) -> Result<(), String> {
        if repeated {
            return Err("a repetition cannot be repeated".to_owned());
        }
        if self.rest.next_if_eq(&'?').is_some() {
            self.out.push('?');
        }
        self.repeated = true;
        Ok(())
    }

    /// `{2}`, `{2,}` or `{2,3}`; nothing is read if it is none of them.
    fn count(&mut self) -> Result<Option<String>, String> {
        let mut ahead = self.rest.clone();
        let mut text = String::new();
        loop {
            match ahead.next() {
                Some('}') => break,
                Some(c) if c.is_ascii_digit() || c == ',' => text.push(c),
                _ => return Ok(None),
            }
        }
        let (least, most) = match text.split_once(',') {
            Some((least, most)) => (least, Some(most).filter(|most| !most.is_empty())),
            None => (&*text, None),
        };
        let is_number =
            |n: &str| !n.is_empty() && !n.contains(',') && (n == "0" || !n.starts_with('0'));
        if !is_number(least) || most.is_some_and(|most| !is_number(most)) {
            return Ok(None);
        }
        let within = |n: &str| n.parse::<u32>().is_ok_and(|n| n <= MOST);
        if !within(least) || most.is_some_and(|most| !within(most)) {
            return Err(format!("more than {MOST} repetitions"));
        }
        self.rest = ahead;
        Ok(Some(format!("{{{text}}}")))
    }

    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        self.out.push('?');
        if matches!(self.rest.peek(), Some('P' | '<')) {
            return Ok(());
        }
        for c in self.rest.by_ref() {
            match c {
                'i' | 'm' | 's' | 'U' | '-' => self.out.push(c),
                ':' | ')' => {
                    self.out.push(c);
                    return Ok(());
                }
                other => return Err(format!("'(?{other}' has no meaning")),
            }
        }
        Err("unclosed group".to_owned())
    }

    /// An escape outside of a class.
    fn escape(&mut self) -> Result<(), String> {
        match self.rest.peek() {
            Some('Q') => {
                self.rest.next();
                while let Some(c) = self.rest.next() {
                    if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                        break;
                    }
                    self.literal(c);
                }
                return Ok(());
            }
            Some('A' | 'z') => {
                self.out.push('\\');
                self.out.extend(self.rest.next());
                return Ok(());
            }
            Some('b' | 'B') => {
                self.out.push_str(r"(?-u:\");
                self.out.extend(self.rest.next());
                self.out.push(')');
                return Ok(());
            }
            _ => {}
        }
        if let Some(class) = self.named_class() {
            self.out.push_str(&class);
            return Ok(());
        }
        let c = self.escaped()?;
        self.literal(c);
        Ok(())
    }

    /// `\d` and `\pL` and the like, behind the backslash.
    fn named_class(&mut self) -> Option<String> {
        let name = *self.rest.peek()?;
        let class = match name {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            'w' => "[0-9A-Za-z_]",
            'W' => "[^0-9A-Za-z_]",
            's' => r"[\t\n\f\r ]",
            'S' => r"[^\t\n\f\r ]",
            'p' | 'P' => {
                self.rest.next();
                let mut class = format!("\\{name}");
                class.extend(self.rest.next());
                if class.ends_with('{') {
                    for c in self.rest.by_ref() {
                        class.push(c);
                        if c == '}' {
                            break;
                        }
                    }
                }
                return Some(class);
            }
            _ => return None,
        };
        self.rest.next();
        Some(class.to_owned())
    }

    /// The character that an escape stands for, behind the backslash.
    fn escaped(&mut self) -> Result<char, String> {
        let c = self.rest.next().ok_or("it ends in a backslash")?;
        Ok(match c {
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'x' => self.hexadecimal()?,
            '0'..='7' => {
                let octal = |c: &char| ('0'..='7').contains(c);
                if c != '0' && !self.rest.peek().is_some_and(octal) {
                    return Err(format!("'\\{c}' has no meaning"));
                }
                let mut code = c.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = self.rest.next_if(octal) else {
                        break;
                    };
                    code = code * 8 + digit.to_digit(8).unwrap_or(0);
                }
                char::from_u32(code).ok_or("no such character")?
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' => c,
            other => return Err(format!("'\\{other}' has no meaning")),
        })
    }

    fn hexadecimal(&mut self) -> Result<char, String> {
        let mut digits = String::new();
        if self.rest.next_if_eq(&'{').is_some() {
            while let Some(c) = self.rest.next_if(char::is_ascii_hexdigit) {
                digits.push(c);
            }
            if self.rest.next() != Some('}') {
                return Err("unclosed '\\x{'".to_owned());
            }
        } else {
            for _ in 0..2 {
                digits.extend(self.rest.next_if(char::is_ascii_hexdigit));
            }
            if digits.len() < 2 {
                return Err("'\\x' needs two digits".to_owned());
            }
        }
        let code = u32::from_str_radix(&digits, 16).map_err(|_| "no such character")?;
        char::from_u32(code).ok_or_else(|| "no such character".to_owned())
    }

    /// A class, behind its opening bracket.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let c = self.rest.next().ok_or("unclosed character class")?;
            if c == ']' && !first {
                self.out.push(']');
                return Ok(());
            }
            first = false;
            self.item(c)?;
        }
    }

    /// A character, a range, or a named class in a class.
    fn item(&mut self, c: char) -> Result<(), String> {
        if c == '[' && self.rest.peek() == Some(&':') {
            let rest: String = self.rest.clone().collect();
            if let Some(end) = rest.find(":]") {
                self.out.push('[');
                self.out
                    .extend(self.rest.by_ref().take(rest[..end].chars().count() + 2));
                return Ok(());
            }
        }
        if c == '\\'
            && let Some(class) = self.named_class()
        {
            self.out.push_str(&class);
            return Ok(());
        }
        let low = if c == '\\' { self.escaped()? } else { c };
        self.literal(low);
        let mut ahead = self.rest.clone();
        let range = ahead.next() == Some('-') && ahead.peek().is_some_and(|c| *c != ']');
        if range {
            self.rest = ahead;
            let high = match self.rest.next() {
                Some('\\') => self.escaped()?,
                Some(c) => c,
                None => return Err("unclosed character class".to_owned()),
            };
            self.out.push('-');
            self.literal(high);
        }
        Ok(())
    }

    /// A character that means nothing.
    fn literal(&mut self, c: char) {
        if c.is_alphanumeric() {
            self.out.push(c);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(self.out, "\\x{{{:x}}}", u32::from(c));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::translated;

    fn shown(patterns: &[&str]) -> String {
        let lines = patterns.iter().map(|pattern| match translated(pattern) {
            Ok(translated) => format!("{pattern} is {translated}"),
            Err(error) => format!("{pattern}: {error}"),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_means_something_else_is_written_otherwise() {
        insta::assert_snapshot!(shown(&[
            "^ab+c?$", r"\d\W", r"\bx", r"\Qa.b\Ec", "[]a]", "[[a&&b]", r"[\w-]", "[[:alpha:]_]", "a{2,3}", "a{,2}",
            r"\pL\p{Greek}", r"\x{e9}\101", "(?i:a)(?P<n>b)", r"\<", "a*?",
        ]), @r"
        ^ab+c?$ is ^ab+c?$
        \d\W is [0-9][^0-9A-Za-z_]
        \bx is (?-u:\b)x
        \Qa.b\Ec is a\x{2e}bc
        []a] is [\x{5d}a]
        [[a&&b] is [\x{5b}a\x{26}\x{26}b]
        [\w-] is [[0-9A-Za-z_]\x{2d}]
        [[:alpha:]_] is [[:alpha:]\x{5f}]
        a{2,3} is a{2,3}
        a{,2} is a\{,2\}
        \pL\p{Greek} is \pL\p{Greek}
        \x{e9}\101 is éA
        (?i:a)(?P<n>b) is (?i:a)(?P<n>b)
        \< is \x{3c}
        a*? is a*?
        ");
    }

    #[test]
    fn what_re2_does_not_have_is_refused() {
        insta::assert_snapshot!(shown(&[
            "a**", "a{2}{3}", "a{1001}", "(?=a)", "(?x)a", r"\1", r"\Z", r"\u0061", "[a", r"a\", r"\x{110000}",
        ]), @r"
        a**: a repetition cannot be repeated
        a{2}{3}: a repetition cannot be repeated
        a{1001}: more than 1000 repetitions
        (?=a): '(?=' has no meaning
        (?x)a: '(?x' has no meaning
        \1: '\1' has no meaning
        \Z: '\Z' has no meaning
        \u0061: '\u' has no meaning
        [a: unclosed character class
        a\: it ends in a backslash
        \x{110000}: no such character
        ");
    }
}
