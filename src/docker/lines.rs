//! Bytes of a container's output into lines: frames taken apart, chunks put together, lengths capped.
//!
//! Which framing it is depends on whether the container has a terminal, and is told, never guessed: a program may print
//! what looks like a frame's header. Pure.

use std::collections::VecDeque;

/// Bytes of one line kept; the rest of a longer line is dropped.
const MAX_LINE: usize = 16 * 1024;

/// A line without its end, and whether it came from standard error.
pub(super) type Line = (bool, Vec<u8>);

/// How the engine sends output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// A terminal's bytes as they are.
    Plain,
    /// Frames of 8 bytes of header (stream, three zeros, length) and payload.
    Frames,
}

/// Takes bytes, gives lines.
pub(super) struct Lines {
    framing: Framing,
    header: Vec<u8>,
    /// Payload bytes still to come in this frame.
    left: usize,
    stderr: bool,
    out: Partial,
    err: Partial,
    ready: VecDeque<Line>,
}

/// A line that has not ended yet.
#[derive(Default)]
struct Partial {
    bytes: Vec<u8>,
    begun: bool,
}

impl Lines {
    pub(super) fn new(framing: Framing) -> Self {
        let (out, err) = (Partial::default(), Partial::default());
        Self { framing, header: Vec::with_capacity(8), left: 0, stderr: false, out, err, ready: VecDeque::new() }
    }

    /// The next complete line.
    pub(super) fn pop(&mut self) -> Option<Line> {
        self.ready.pop_front()
    }

    /// Takes the next bytes of the stream. The error says what is no frame.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        if self.framing == Framing::Plain {
            self.text(false, bytes);
            return Ok(());
        }
        while !bytes.is_empty() {
            if self.left == 0 {
                let (head, rest) = bytes.split_at(bytes.len().min(8 - self.header.len()));
                self.header.extend_from_slice(head);
                bytes = rest;
                let Ok(header) = <[u8; 8]>::try_from(self.header.as_slice()) else { continue };
                let [stream @ 0..=2, 0, 0, 0, a, b, c, d] = header else {
                    return Err(format!("the output is not framed as it should be: {header:02x?}"));
                };
                self.stderr = stream == 2;
                self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                self.header.clear();
            } else {
                let (text, rest) = bytes.split_at(bytes.len().min(self.left));
                self.left -= text.len();
                bytes = rest;
                self.text(self.stderr, text);
            }
        }
        Ok(())
    }

    /// Text of one stream, frames already taken apart.
    pub(super) fn text(&mut self, stderr: bool, text: &[u8]) {
        let partial = if stderr { &mut self.err } else { &mut self.out };
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            let (piece, ended) = piece.strip_suffix(b"\n").map_or((piece, false), |piece| (piece, true));
            let room = MAX_LINE - partial.bytes.len();
            partial.bytes.extend_from_slice(&piece[..piece.len().min(room)]);
            partial.begun = !ended;
            if ended {
                self.ready.push_back((stderr, std::mem::take(&mut partial.bytes)));
            }
        }
    }

    /// The stream has ended: what is left over is a line too.
    pub(super) fn end(&mut self) {
        for (stderr, partial) in [(false, &mut self.out), (true, &mut self.err)] {
            if std::mem::take(&mut partial.begun) {
                self.ready.push_back((stderr, std::mem::take(&mut partial.bytes)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    fn frame(stream: u8, text: &[u8]) -> Vec<u8> {
        let size = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[stream, 0, 0, 0], &size[..], text].concat()
    }

    fn all(lines: &mut Lines) -> Vec<(bool, String)> {
        lines.end();
        std::iter::from_fn(|| lines.pop()).map(|(stderr, text)| (stderr, String::from_utf8(text).unwrap())).collect()
    }

    proptest! {
        #[test]
        fn however_the_bytes_are_cut_the_lines_are_the_same(cut in 1_usize..40) {
            let bytes = [frame(1, b"one\ntw"), frame(2, b"bad\n"), frame(1, b""), frame(1, b"o\n\nend")].concat();
            let mut lines = Lines::new(Framing::Frames);
            for chunk in bytes.chunks(cut) {
                lines.feed(chunk).unwrap();
            }
            let mut seen = all(&mut lines);
            seen.sort();
            let text = |text: &str| (false, text.to_owned());
            prop_assert_eq!(seen, [text(""), text("end"), text("one"), text("two"), (true, "bad".to_owned())]);
        }
    }

    /// `PITSTOP_FUZZ_CASES` asks for more.
    fn cases() -> ProptestConfig {
        let more = std::env::var("PITSTOP_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok());
        let rng_seed = if more.is_some() { RngSeed::Random } else { RngSeed::Fixed(42) };
        ProptestConfig { cases: more.unwrap_or(500), rng_seed, failure_persistence: None, ..ProptestConfig::default() }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn whatever_comes_is_lines_or_an_error_and_no_line_is_too_long(
            chunks in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..40),
                    (0_u8..4, prop::collection::vec(prop::sample::select(&b"ab\n\r\0"[..]), 0..60))
                        .prop_map(|(stream, text)| frame(stream, &text)),
                    (0_usize..3 * MAX_LINE).prop_map(|size| frame(1, &vec![b'x'; size])),
                ],
                0..12,
            ),
            plain in any::<bool>(),
        ) {
            let mut lines = Lines::new(if plain { Framing::Plain } else { Framing::Frames });
            let fed: usize = chunks.iter().map(Vec::len).sum();
            for chunk in &chunks {
                if lines.feed(chunk).is_err() {
                    break;
                }
            }
            lines.end();
            let mut seen = 0;
            while let Some((_, line)) = lines.pop() {
                prop_assert!(line.len() <= MAX_LINE && !line.contains(&b'\n'));
                seen += line.len();
            }
            prop_assert!(seen <= fed);
        }
    }

    #[test]
    fn a_terminal_may_print_what_looks_like_a_header() {
        let mut lines = Lines::new(Framing::Plain);
        lines.feed(b"\x01\0\0\0\xff\xff").unwrap();
        lines.text(false, b"\nnext");
        lines.end();
        assert_eq!(lines.pop().unwrap().1, b"\x01\0\0\0\xff\xff");
        assert_eq!(lines.pop().unwrap().1, b"next");
        assert!(lines.pop().is_none());
    }

    #[test]
    fn what_is_no_frame_is_said_and_long_lines_are_cut() {
        assert!(Lines::new(Framing::Frames).feed(b"plain text").unwrap_err().contains("70, 6c"));
        let mut lines = Lines::new(Framing::Frames);
        for _ in 0..3 {
            lines.feed(&frame(1, &[b'x'; MAX_LINE])).unwrap();
        }
        lines.feed(&frame(1, b"\nshort\n")).unwrap();
        let seen = all(&mut lines);
        assert_eq!((seen[0].1.len(), seen[1].1.as_str(), seen.len()), (MAX_LINE, "short", 2));
    }
}
