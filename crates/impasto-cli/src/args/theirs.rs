//! What people type who come from another program, or copy a line from a page: known, and answered with ours.
//!
//! The names are those of jcjohnson/neural-style and neural-style-pt, anishathalye/neural-style, cysmith/neural-style-tf and
//! their kin. Only words that no command of ours takes are looked at, and no file's name.

use std::path::Path;

/// Where other programs have an option and this one has a place.
const IMAGES: &str = "images are given without options, the photo first: impasto paint PHOTO PAINTING -o PICTURE.png";

/// Options of other programs, without their dashes and with `-` for `_`, and what is said then.
const THEIRS: [(&[&str], &str); 9] = [
    (&["content", "content-image", "content-img", "content-path", "content-file"], IMAGES),
    (&["style", "styles", "style-image", "style-imgs", "style-img", "style-path", "style-file"], IMAGES),
    (&["output-image", "output-img", "output-path", "out"], "the picture is named by --output (-o)"),
    (&["num-iterations", "max-iterations", "max-iter", "num-steps", "steps", "epochs"], "that is --iterations here"),
    (
        &["image-size", "img-size", "max-size", "width", "height"],
        "that is --size here, the long edge (512) or both (400x300)",
    ),
    (&["gpu", "cuda", "use-gpu", "backend"], "that is --device here: cpu, gpu, gpu:0 or auto"),
    (&["preserve-colors", "preserve-color", "keep-colors"], "that is --original-colors here"),
    (&["model-file", "network", "vgg-path", "model-weights"], "that is --weights here"),
    (&["style-blend-weights", "style-imgs-weights"], "that is --style-blend here"),
];

/// Dashes that word processors and pages make of two.
const TYPESET_DASHES: [char; 3] = ['\u{2013}', '\u{2014}', '\u{2212}'];

/// Those of them that `batch plan` has of its own.
const OURS_IN_BATCH: [&str; 2] = ["out", "styles"];

/// What to say of the first of the words that another program knows and this one does not, as a sentence.
pub fn answer<'word>(words: impl Iterator<Item = &'word str>) -> Option<String> {
    let mut words = words.take_while(|word| *word != "--").peekable();
    let is_batch = words.peek() == Some(&"batch");
    words.find_map(|word| of_word(word, is_batch).filter(|_| !Path::new(word).exists()))
}

fn of_word(word: &str, is_batch: bool) -> Option<String> {
    if let Some(rest) =
        word.strip_prefix(TYPESET_DASHES).or_else(|| word.strip_prefix('-')?.strip_prefix(TYPESET_DASHES))
    {
        let rest = rest.trim_start_matches(TYPESET_DASHES).trim_start_matches('-');
        let is_option = rest.starts_with(|letter: char| letter.is_ascii_lowercase());
        return is_option.then(|| format!("{word} begins with a dash that was typeset; type two plain ones: --{rest}"));
    }
    if let Some(name) = word.strip_prefix('-') {
        let name = name.strip_prefix('-').unwrap_or(name).split('=').next().unwrap_or_default().replace('_', "-");
        if is_batch && OURS_IN_BATCH.contains(&name.as_str()) {
            return None;
        }
        let (_, said) = THEIRS.iter().find(|(names, _)| names.contains(&name.as_str()))?;
        return Some(format!("{word} is another program's option; {said}"));
    }
    let mut parts = word.split(',').peekable();
    let are_files = word.contains(',') && parts.all(|part| !part.is_empty() && Path::new(part).is_file());
    are_files.then(|| format!("{word} are several files; give them with spaces between, without commas"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Arguments;

    fn said(words: &[&str]) -> Option<String> {
        answer(words.iter().copied())
    }

    #[test]
    fn no_option_of_ours_is_another_s() {
        let mut ours = Vec::new();
        let command = Arguments::command();
        let mut commands = vec![&command];
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands());
            ours.extend(command.get_arguments().filter_map(|argument| argument.get_long()).map(str::to_owned));
        }
        assert!(ours.len() > 100 && ours.contains(&"weights-input".to_owned()));
        for option in ours {
            let is_batch = OURS_IN_BATCH.contains(&option.as_str());
            assert_eq!(of_word(&format!("--{option}"), is_batch), None);
        }
        for word in ["photo.png", "-o", "-", "-1", "-0.5", "-oout.png", "conv1_1=1,conv2_1", "1,2", "-h", ""] {
            assert_eq!(of_word(word, false), None, "{word}");
        }
    }

    #[test]
    fn other_programs_options_are_answered() {
        for (word, answer) in [
            ("--content", "the photo first"),
            ("-style_image", "the photo first"),
            ("-output_image", "--output (-o)"),
            ("--num_iterations=3", "--iterations"),
            ("--width", "--size"),
            ("-gpu", "--device"),
        ] {
            let said = said(&["paint", word]).unwrap_or_default();
            assert!(said.starts_with(word) && said.contains(answer), "{word}: {said}");
        }
        assert_eq!(said(&["paint", "--", "-gpu"]), None);
        assert_eq!(said(&["batch", "plan", "--styles", "a.png", "--out", "b"]), None);
        assert!(said(&["paint", "--styles"]).is_some() && said(&["batch", "run", "-gpu"]).is_some());
    }

    #[test]
    fn typeset_dashes_and_lists_with_commas_are_answered() {
        for word in ["\u{2014}output", "\u{2013}output", "-\u{2014}output", "\u{2212}\u{2212}output", "\u{2013}-output"]
        {
            let said = said(&[word]).unwrap_or_default();
            assert!(said.ends_with("type two plain ones: --output"), "{word}: {said}");
        }
        // A file may be called so.
        assert_eq!(said(&["\u{2014} a picture.png", "\u{2014}.png"]), None);
        assert!(said(&["Cargo.toml,Cargo.toml"]).is_some_and(|said| said.contains("spaces between")));
        assert_eq!(said(&["Cargo.toml,nowhere.png"]), None);
    }
}
