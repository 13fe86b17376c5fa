//! Pictures that are no photograph's and still have something to paint.

use impasto::Picture;

/// A picture of soft waves around mid-grey, `amplitude` high; another `phase`, another picture.
pub fn waves(width: usize, height: usize, phase: f64, amplitude: f64) -> Picture {
    let mut picture = Picture::filled(width, height, [0.0; 3]).unwrap();
    for (place, value) in picture.values.iter_mut().enumerate() {
        let (channel, y, x) = (place / (width * height), place / width % height, place % width);
        let angle = phase + 0.4 * x as f64 + 0.27 * y as f64 * (1.0 + channel as f64);
        *value = (127.0 + amplitude * libm::sin(angle)) as f32;
    }
    picture
}
