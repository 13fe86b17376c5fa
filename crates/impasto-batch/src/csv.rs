//! Lists of pairs in CSV (RFC 4180): fields with commas between, in quotes where they hold commas, quotes or line ends.

/// A row: the line that it begins in, counted from 1, and its fields.
pub type Row = (usize, Vec<String>);

/// The rows of a text; empty lines are none.
///
/// # Errors
/// A quote that is not closed, or closed within a field; what is wrong and in which line.
pub fn rows(text: &str) -> Result<Vec<Row>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut rows, mut fields, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut begun) = (1, 1);
    let mut is_quoted = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' if is_quoted => {
                is_quoted = false;
                if letters.peek().is_some_and(|next| ![',', '\r', '\n'].contains(next)) {
                    return Err(format!(
                        "line {line} has letters behind a closed quote; double a quote within a field"
                    ));
                }
            }
            letter if is_quoted => {
                line += usize::from(letter == '\n');
                field.push(letter);
            }
            '"' if field.is_empty() => is_quoted = true,
            ',' => fields.push(std::mem::take(&mut field)),
            '\r' if letters.peek() == Some(&'\n') => {}
            '\n' => {
                fields.push(std::mem::take(&mut field));
                rows.push((begun, std::mem::take(&mut fields)));
                line += 1;
                begun = line;
            }
            letter => field.push(letter),
        }
    }
    if is_quoted {
        return Err(format!("line {begun} has a quote that is never closed; close it"));
    }
    fields.push(field);
    rows.push((begun, fields));
    rows.retain(|(_, fields): &Row| fields.iter().any(|field| !field.trim().is_empty()));
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_of_rfc_4180() {
        let text = "\u{feff}a.png,b.png\r\n\n\"with, comma\",\"with \"\"quotes\"\"\",\"two\nlines\"\nlast,";
        let rows = rows(text).unwrap();
        let expected: [(usize, &[&str]); 3] =
            [(1, &["a.png", "b.png"]), (3, &["with, comma", "with \"quotes\"", "two\nlines"]), (5, &["last", ""])];
        assert_eq!(rows.len(), 3);
        for ((line, fields), (expected_line, expected)) in rows.iter().zip(expected) {
            assert_eq!(
                (*line, fields.iter().map(String::as_str).collect::<Vec<_>>()),
                (expected_line, expected.to_vec())
            );
        }
        assert_eq!(super::rows(""), Ok(Vec::new()));
    }

    #[test]
    fn a_wrong_quote_is_named_with_its_line() {
        assert!(rows("a\n\"b").unwrap_err().contains("line 2"));
        assert!(rows("a\nb,\"c\"d").unwrap_err().contains("line 2"));
    }
}
