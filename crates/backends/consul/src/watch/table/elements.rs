//! A list in JSON, one element after the other, without reading what is in them.

/// The elements of a list, as they stand in the text.
pub(super) struct Elements<'a> {
    text: &'a [u8],
    at: usize,
    first: bool,
}

impl<'a> Elements<'a> {
    /// `null` is an empty list.
    pub(super) fn new(text: &'a [u8]) -> Option<Self> {
        let mut elements = Self { text, at: 0, first: true };
        elements.blank();
        if text[elements.at..].starts_with(b"null") {
            return Some(Self { text: b"]", at: 0, first: true });
        }
        (text.get(elements.at) == Some(&b'[')).then(|| {
            elements.at += 1;
            elements.blank();
            elements
        })
    }

    fn blank(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    /// Past the comma, if there is one more.
    fn advance(&mut self) {
        self.blank();
        if self.text.get(self.at) == Some(&b',') {
            self.at += 1;
            self.blank();
        }
        self.first = false;
    }

    /// The next bytes, if an element of that length may end there.
    pub(super) fn peek(&self, length: usize) -> Option<&'a [u8]> {
        let element = self.text.get(self.at..self.at + length)?;
        let after = *self.text.get(self.at + length)?;
        (matches!(after, b',' | b']') || after.is_ascii_whitespace()).then_some(element)
    }

    pub(super) fn skip(&mut self, length: usize) {
        self.at += length;
        self.advance();
    }

    /// The next element; an error when the text ends within it.
    pub(super) fn next(&mut self) -> Result<Option<&'a [u8]>, ()> {
        match self.text.get(self.at) {
            Some(b']') => return Ok(None),
            Some(b'{') => {}
            _ => return Err(()),
        }
        let (start, mut depth, mut at) = (self.at, 0_usize, self.at);
        while let Some(byte) = self.text.get(at) {
            match byte {
                b'"' => at = end_of_string(self.text, at + 1).ok_or(())?,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        let element = &self.text[start..=at];
                        self.at = at + 1;
                        self.advance();
                        return Ok(Some(element));
                    }
                }
                _ => {}
            }
            at += 1;
        }
        Err(())
    }
}

/// Where the quote is that ends a string.
fn end_of_string(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}
