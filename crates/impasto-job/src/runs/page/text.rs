//! Texts and numbers as they stand in a page.

/// The text with everything that HTML takes for its own made harmless, between tags and in quoted attributes alike.
pub fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            // Neither HTML nor XML has these.
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => html.push('\u{fffd}'),
            letter => html.push(letter),
        }
    }
    html
}

/// JSON as it may stand within a `script` element.
pub fn json_in_script(value: &impl serde::Serialize) -> String {
    // Numbers and texts: this cannot fail.
    let json = serde_json::to_string(value).unwrap_or_default();
    json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

/// The number with so many digits, as people write it: `0.0123`, `512`, `8.34e9`.
pub fn number(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let scientific = format!("{value:.*e}", digits.saturating_sub(1));
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    match exponent {
        -3..=5 => trimmed(&format!("{value:.*}", (digits as i32 - 1 - exponent).max(0) as usize)),
        _ => format!("{}e{exponent}", trimmed(mantissa)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out() {
        assert_eq!(escaped("</p>\"'&\u{0}é"), "&lt;/p&gt;&quot;&#39;&amp;\u{fffd}é");
        assert_eq!(json_in_script(&"</script>&<!--"), r#""\u003c/script\u003e\u0026\u003c!--""#);
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (0.0123456, "0.0123"),
            (-12.5, "-12.5"),
            (512.0, "512"),
            (99_960.0, "99960"),
            (8.339e9, "8.34e9"),
            (1e6, "1e6"),
            (2e-5, "2e-5"),
            (9.9996, "10"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value, 3), text);
        }
    }
}
