//! Who looks on: streams, and pictures that are made only for who asks.

use serde_json::json;

use crate::support::{Client, Stream, TOKEN, Workshop};

const FOR_EVER: u32 = 1_000_000;

#[test]
fn a_browser_has_two_streams_and_a_third_is_sent_away_with_a_snapshot() {
    let workshop = Workshop::new();
    let browser = Client::browser(workshop.address(), TOKEN);
    let mut streams: Vec<Stream> = (0..2).map(|_| Stream::open(&browser, "/api/events")).collect();
    for stream in &mut streams {
        assert_eq!(stream.next().unwrap().1, json!(1000));
        stream.find("snapshot", |_| true);
    }
    let mut third = Stream::open(&browser, "/api/events");
    assert_eq!(third.next().unwrap(), ("retry".to_owned(), json!(5000)));
    assert_eq!(third.next().unwrap().0, "snapshot");
    assert_eq!(third.next(), None);
    // Another browser has its own.
    let other = Client::browser(workshop.address(), TOKEN);
    assert_eq!(Stream::open(&other, "/api/events").next().unwrap().1, json!(1000));
}

#[test]
fn a_picture_is_encoded_once_and_never_replaced() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let run = workshop.begin(FOR_EVER);
    let mut events = Stream::open(&client, &format!("/api/events?run={run}"));
    let told = events.find("preview", |_| true);
    let path = format!("/api/runs/{run}/preview/{}.jpg", told["revision"]);
    let first = client.get(&path);
    assert_eq!(first.status, 200, "{}", first.text());
    let own: u64 = first.header("x-impasto-revision").unwrap().parse().unwrap();
    assert!(own >= told["revision"].as_u64().unwrap());
    let next = events.find("preview", |told| told["revision"].as_u64() > Some(own));
    let path = format!("/api/runs/{run}/preview/{}.jpg?long_edge=32", next["revision"]);
    let small = client.get(&path);
    assert_eq!(small.status, 200);
    let read = impasto::read::decode_picture(&small.body, "small".as_ref(), &Default::default()).unwrap();
    assert_eq!((read.picture.width, read.picture.height), (32, 27));
    // At most two pictures a second are told of.
    let begun = std::time::Instant::now();
    (0..4).for_each(|_| drop(events.find("preview", |_| true)));
    assert!(begun.elapsed().as_millis() > 1200, "{:?}", begun.elapsed());
    for wrong in ["preview/x.jpg", "preview/1.png", "preview/-1.jpg", "preview/1.jpg.jpg"] {
        assert_eq!(client.get(&format!("/api/runs/{run}/{wrong}")).status, 404, "{wrong}");
    }
    for wrong in ["0", "8193", "x", "-1", ""] {
        assert_eq!(
            client.get(&format!("{}?long_edge={wrong}", path.split('?').next().unwrap())).status,
            400,
            "{wrong}"
        );
    }
}

/// Where nobody looks on no picture is made, and who comes later gets one nevertheless.
#[test]
fn who_comes_later_gets_a_picture_of_then() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let run = workshop.begin(FOR_EVER);
    let seen = || client.get(&format!("/api/runs/{run}")).json();
    while seen()["evaluation"].as_u64().unwrap() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let first = seen()["revision"].as_u64().unwrap();
    assert!(first <= 4, "pictures were made for nobody: {first}");
    let shown = client.get(&format!("/api/runs/{run}/preview/{}.jpg", first + 20));
    assert_eq!(shown.status, 200);
    assert!(shown.header("x-impasto-revision").unwrap().parse::<u64>().unwrap() >= first + 20);
}
