//! Any text as a line of a batch's tasks: refused in words, or read, and then written and read again as the same task.
#![no_main]

use impasto_batch::Task;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| {
    if let Ok((task, digest)) = Task::parse(line) {
        let (again, _) = Task::parse(&task.line()).unwrap();
        assert_eq!(again, task);
        assert_eq!(digest.len(), 64);
        assert!(task.output.starts_with("pictures/") && !task.output[9..].contains('/'));
    }
});
