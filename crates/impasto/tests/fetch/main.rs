//! Fetching against real HTTP and HTTPS servers on this machine that break off, lie and refuse.

mod secure;
mod server;

use std::path::PathBuf;

use impasto::Control;
use impasto::fetch::{FetchError, Release, fetch};
use server::{
    Behaviour, Server, anew_a_quarter, anew_a_third, cut, endless, garbage, hangs_up, honest, moved, moved_by_half,
    no_such_range, nobody, nonsense, not_found, round_in_circles, to_a_file, to_data, to_https, too_long, too_short,
    without_ranges, wrong_part,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const LENGTH: usize = 200_000;

/// The file, which no two pieces of are alike.
fn file() -> Vec<u8> {
    (0..LENGTH as u64).map(|place| (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

fn release() -> Release {
    let sum: String = Sha256::digest(file()).iter().map(|byte| format!("{byte:02x}")).collect();
    Release {
        name: "small",
        summary: "a test",
        file_name: "small.bin",
        length_bytes: LENGTH as u64,
        sha256: sum.leak(),
        urls: &[],
    }
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn target(&self) -> PathBuf {
        self.0.path().join("cache").join("small.bin")
    }

    fn part(&self) -> PathBuf {
        self.0.path().join("cache").join("small.bin.part")
    }

    fn fetch(&self, urls: &[&str]) -> Result<(), FetchError> {
        let urls: Vec<String> = urls.iter().map(|&url| url.to_owned()).collect();
        fetch(&release(), &urls, &self.target(), &mut |_| Control::Continue)
    }

    fn assert_whole(&self) {
        assert!(std::fs::read(self.target()).unwrap() == file());
        assert!(!self.part().exists());
    }
}

/// The environment belongs to the whole process, so a test that needs another one runs in another process: this program
/// again, with this test alone. Returns whether it is that process.
fn has_environment(test: &str, variables: &[(&str, &str)]) -> bool {
    const MARK: &str = "IMPASTO_TEST_AGAIN";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", test]).env(MARK, "1");
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        again.env_remove(name).env_remove(name.to_lowercase());
    }
    again.envs(variables.iter().copied());
    let output = again.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

#[test]
fn a_broken_connection_is_gone_on_with() {
    let folder = Folder::new();
    let server = Server::start(vec![cut, cut, honest]);
    folder.fetch(&[&server.address]).unwrap();
    folder.assert_whole();
    let requests = server.requests();
    assert_eq!((requests[0], requests.len()), (0, 3));
    assert!(requests[1] > 0 && requests[2] > requests[1], "{requests:?}");
}

#[test]
fn another_run_goes_on_where_the_last_one_ended() {
    let folder = Folder::new();
    let server = Server::start(vec![honest]);
    let urls = [server.address.clone()];
    let stop_at_half = &mut |arrived: u64| if arrived >= LENGTH as u64 / 2 { Control::Stop } else { Control::Continue };
    let stopped = fetch(&release(), &urls, &folder.target(), stop_at_half).unwrap_err();
    assert!(matches!(stopped, FetchError::Stopped { .. }), "{stopped}");
    assert!(!folder.target().exists());
    let there = std::fs::metadata(folder.part()).unwrap().len() as usize;
    folder.fetch(&[&server.address]).unwrap();
    folder.assert_whole();
    assert_eq!(server.requests(), [0, there]);
}

#[test]
fn a_server_without_ranges_is_good_enough() {
    let folder = Folder::new();
    let server = Server::start(vec![cut, without_ranges]);
    folder.fetch(&[&server.address]).unwrap();
    folder.assert_whole();
}

#[test]
fn a_server_without_ranges_that_never_gets_further_is_given_up() {
    let folder = Folder::new();
    // Now less, now more, but never more than before: it might be asked for ever.
    let server = Server::start([[anew_a_third as Behaviour, anew_a_quarter].repeat(10), vec![honest]].concat());
    let sentence = folder.fetch(&[&server.address]).unwrap_err().to_string();
    assert!(sentence.contains("keeps breaking") && sentence.contains("fetch again to go on"), "{sentence}");
    assert_eq!(server.requests().len(), 4);
    assert!(!folder.target().exists() && folder.part().exists());
}

#[test]
fn a_file_that_has_moved_is_followed() {
    let folder = Folder::new();
    let server = Server::start(vec![moved, moved_by_half, cut, moved, honest]);
    folder.fetch(&[&server.address]).unwrap();
    folder.assert_whole();
}

#[test]
fn a_part_of_another_file_is_found_out_and_dropped() {
    for there in [1000, LENGTH, LENGTH + 10] {
        let folder = Folder::new();
        std::fs::create_dir(folder.0.path().join("cache")).unwrap();
        std::fs::write(folder.part(), vec![9; there]).unwrap();
        let server = Server::start(vec![honest]);
        folder.fetch(&[&server.address]).unwrap();
        folder.assert_whole();
    }
}

#[test]
fn lies_and_refusals_are_sentences_and_the_next_mirror_is_asked() {
    let expect = |behaviour: Behaviour, needle: &str| {
        let folder = Folder::new();
        let server = Server::start(vec![behaviour]);
        let sentence = folder.fetch(&[&server.address]).unwrap_err().to_string();
        assert!(sentence.contains(needle) && sentence.contains(&server.address), "{needle}: {sentence}");
        assert!(!folder.target().exists(), "{needle}");
        let good = Server::start(vec![honest]);
        folder.fetch(&[&server.address, &good.address]).unwrap();
        folder.assert_whole();
    };
    expect(garbage, "SHA-256");
    expect(too_short, "another file (1000 bytes");
    expect(too_long, &format!("another file ({} bytes", LENGTH + 5));
    expect(endless, "another file");
    expect(hangs_up, "does not answer");
    expect(wrong_part, "another file");
    expect(not_found, "404");
    expect(no_such_range, "another file");
    expect(nonsense, "does not answer");
    expect(to_https, "does not answer");
    expect(to_a_file, "leads to file:///etc/hostname, where impasto does not follow");
    expect(to_data, "leads to data:text/plain,hello, where impasto does not follow");
    expect(round_in_circles, "does not answer");
}

#[test]
fn five_redirections_are_followed_and_no_more() {
    let folder = Folder::new();
    let server = Server::start(vec![moved, moved, moved, moved, moved, honest]);
    folder.fetch(&[&server.address]).unwrap();
    folder.assert_whole();
    // Six, and what lies behind them is never asked for; the address is tried three times in all.
    let folder = Folder::new();
    let six = [vec![moved as Behaviour; 6], vec![honest]].concat();
    let server = Server::start(six);
    folder.fetch(&[&server.address]).unwrap();
    let server = Server::start(vec![moved]);
    let sentence = Folder::new().fetch(&[&server.address]).unwrap_err().to_string();
    assert!(sentence.contains("without end"), "{sentence}");
    assert_eq!(server.requests().len(), 3 * 6);
}

#[test]
fn nobody_there_and_other_schemes_are_sentences() {
    let folder = Folder::new();
    let nobody = nobody();
    let sentence = folder.fetch(&[&nobody]).unwrap_err().to_string();
    assert!(sentence.contains(&nobody) && sentence.contains("check the network"), "{sentence}");
    for other in ["ftp://127.0.0.1/small.bin", "file:///etc/hostname", "/etc/hostname", "data:,hello", "", "https://"] {
        let error = folder.fetch(&[other]).unwrap_err();
        assert!(matches!(error, FetchError::Scheme { .. }), "{other}: {error}");
    }
    assert!(matches!(folder.fetch(&[]), Err(FetchError::NoAddress)));
    assert!(!folder.target().exists());
}

#[test]
fn two_fetches_do_not_mix() {
    let folder = Folder::new();
    let server = Server::start(vec![honest]);
    let urls = [server.address.clone()];
    let mut second = None;
    fetch(&release(), &urls, &folder.target(), &mut |_| {
        second.get_or_insert_with(|| folder.fetch(&[&server.address]));
        Control::Continue
    })
    .unwrap();
    let second = second.unwrap().unwrap_err().to_string();
    assert!(second.contains("another program"), "{second}");
    folder.assert_whole();
}

#[test]
fn every_variable_that_names_a_proxy_is_read() {
    for variable in ["ALL_PROXY", "all_proxy", "http_proxy", "HTTPS_PROXY"] {
        let behind = Server::start(vec![honest]);
        let proxy = Server::proxy(&behind);
        if has_environment("every_variable_that_names_a_proxy_is_read", &[(variable, &proxy.origin())]) {
            let folder = Folder::new();
            folder.fetch(&["http://files.invalid/small.bin"]).unwrap();
            return folder.assert_whole();
        }
        assert_eq!((proxy.requests().len(), behind.requests().len()), (1, 1), "{variable}");
    }
}

#[test]
fn a_host_that_needs_no_proxy_is_asked_without_one() {
    let behind = Server::start(vec![honest]);
    let proxy = Server::proxy(&behind);
    let environment = [("HTTP_PROXY", &*proxy.origin()), ("NO_PROXY", "other.invalid,files.invalid")];
    if has_environment("a_host_that_needs_no_proxy_is_asked_without_one", &environment) {
        // Nobody has that name, so without a proxy nobody answers.
        let sentence = Folder::new().fetch(&["http://files.invalid/small.bin"]).unwrap_err().to_string();
        assert!(sentence.contains("does not answer"), "{sentence}");
    } else {
        assert_eq!((proxy.requests().len(), behind.requests().len()), (0, 0));
    }
}

#[test]
fn a_proxy_of_the_environment_is_used() {
    let behind = Server::start(vec![honest]);
    let proxy = Server::proxy(&behind);
    if has_environment("a_proxy_of_the_environment_is_used", &[("HTTP_PROXY", &proxy.origin())]) {
        let folder = Folder::new();
        folder.fetch(&["http://files.invalid/small.bin"]).unwrap();
        folder.assert_whole();
    } else {
        assert_eq!((proxy.requests().len(), behind.requests().len()), (1, 1));
    }
}
