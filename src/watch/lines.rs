//! Lines out of a response body.
//!
//! A line that came in one piece is handed on without being copied. What follows the last line
//! break when the body ends is the remains of a cut connection, never a line.

use bytes::Bytes;
use http_body_util::BodyExt;

/// Reads a body line by line.
pub(super) struct Lines<B> {
    body: B,
    /// Received and not yet handed on.
    chunk: Bytes,
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
    /// That line is too long already: the rest of it is dropped as it comes.
    too_long: bool,
    /// No line may be longer, in bytes.
    limit: usize,
}

/// Why a line cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinesError<E> {
    /// The line is skipped; the one after it can be read.
    #[error("a line of more than {limit} bytes")]
    TooLong { limit: usize },
    #[error(transparent)]
    Body(E),
}

impl<B> Lines<B>
where
    B: BodyExt<Data = Bytes> + Unpin,
{
    pub(super) fn new(body: B, limit: usize) -> Self {
        Self {
            body,
            chunk: Bytes::new(),
            begun: Vec::new(),
            too_long: false,
            limit,
        }
    }

    /// The next line without its line break; `None`: the body ended.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, LinesError<B::Error>> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.chunk) {
                let mut rest = self.chunk.split_to(end + 1);
                rest.truncate(end);
                return self.end_line(rest).map(Some);
            }
            self.go_on_with_line();
            self.chunk = match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(LinesError::Body(error)),
                // Trailers are not lines.
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
        }
    }

    fn end_line(&mut self, rest: Bytes) -> Result<Bytes, LinesError<B::Error>> {
        let mut begun = std::mem::take(&mut self.begun);
        if std::mem::take(&mut self.too_long) || begun.len() + rest.len() > self.limit {
            return Err(LinesError::TooLong { limit: self.limit });
        }
        if begun.is_empty() {
            return Ok(rest);
        }
        begun.extend_from_slice(&rest);
        Ok(begun.into())
    }

    fn go_on_with_line(&mut self) {
        self.too_long |= self.begun.len() + self.chunk.len() > self.limit;
        if self.too_long {
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(&self.chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;

    use super::*;

    async fn lines_of(chunks: &[&str]) -> Vec<String> {
        let chunks = chunks
            .iter()
            .map(|c| Ok::<_, Infallible>(Bytes::from((*c).to_owned())));
        let body = Body::from_stream(futures::stream::iter(chunks.collect::<Vec<_>>()));
        let mut lines = Lines::new(body, 10);
        let mut read = Vec::new();
        loop {
            match lines.next().await {
                Ok(Some(line)) => read.push(String::from_utf8_lossy(&line).into_owned()),
                Ok(None) => return read,
                Err(error) => read.push(error.to_string()),
            }
        }
    }

    #[tokio::test]
    async fn lines_come_whole_however_they_are_cut() {
        let whole = ["one", "two", "", "three"];
        assert_eq!(lines_of(&["one\ntwo\n\nthree\n"]).await, whole);
        assert_eq!(
            lines_of(&["o", "ne", "\ntw", "o\n\nthr", "", "ee\n"]).await,
            whole
        );
    }

    #[tokio::test]
    async fn the_remains_of_a_cut_connection_are_no_line() {
        assert_eq!(lines_of(&["one\n{\"type\""]).await, ["one"]);
    }

    #[tokio::test]
    async fn a_line_over_the_limit_is_skipped_and_the_next_one_read() {
        let too_long = "a line of more than 10 bytes";
        assert_eq!(lines_of(&["0123456789\n"]).await, ["0123456789"]);
        assert_eq!(lines_of(&["0123456789a\nb\n"]).await, [too_long, "b"]);
        assert_eq!(
            lines_of(&["01234567", "89a", "more and more", "\nb\n"]).await,
            [too_long, "b"]
        );
    }

    proptest::proptest! {
        #[test]
        fn lines_are_the_same_whatever_the_chunks(
            lines in proptest::collection::vec("[a-z]{0,14}", 0..8),
            size in 1_usize..9,
        ) {
            let mut text = lines.join("\n");
            if !lines.is_empty() {
                text.push('\n');
            }
            let cut: Vec<&str> = text.as_bytes().chunks(size)
                .map(|chunk| std::str::from_utf8(chunk).expect("the text is ASCII"))
                .collect();
            let whole = futures::executor::block_on(lines_of(&[&text]));
            let in_pieces = futures::executor::block_on(lines_of(&cut));
            proptest::prop_assert_eq!(whole.len(), lines.len());
            proptest::prop_assert_eq!(whole, in_pieces);
        }
    }
}
