//! A line of output built in place: there is no heap, and `core::fmt` would be half of the binary.

/// Up to `N` bytes; what does not fit is left out, and a final newline always fits.
pub struct Line<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Line<N> {
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub fn push(&mut self, text: &[u8]) -> &mut Self {
        // The last byte is kept for a newline.
        let ends = text.ends_with(b"\n");
        let room = if ends { N } else { N - 1 }.saturating_sub(self.len);
        let kept = text.len().min(room);
        self.bytes[self.len..self.len + kept].copy_from_slice(&text[..kept]);
        self.len += kept;
        if ends && kept < text.len() && self.len > 0 {
            self.bytes[self.len - 1] = b'\n';
        }
        self
    }

    pub fn number(&mut self, mut value: u64) -> &mut Self {
        let mut digits = [0; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                return self.push(&digits[at..]);
            }
        }
    }
}
