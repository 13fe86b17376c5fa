//! Rendered scenes whose flow is known: the mean error of the end points, forth and back, and where the flow is trusted.

use impasto_flow::{Flow, Method, Plane, agreement, flow, reference_flow};

const WIDTH: usize = 160;
const HEIGHT: usize = 120;

/// A texture of no period within sight: waves of many lengths, and borders between them.
fn texture(x: f64, y: f64, seed: f64) -> f64 {
    if seed.is_nan() {
        let mark =
            if !(14.0..146.0).contains(&x) || !(10.0..110.0).contains(&y) { texture(x, y, 2.0) - 128.0 } else { 0.0 };
        return 60.0 + 0.3 * y + mark;
    }
    let mut value = 0.0;
    for wave in 0..9 {
        let number = f64::from(wave) + 1.0 + seed;
        let (angle, length) = (2.4 * number, 5.0 * 1.45_f64.powi(wave));
        let along = (x * angle.cos() + y * angle.sin()) * std::f64::consts::TAU / length;
        value += (along + 1.7 * number).sin() * (0.35 + 0.25 * f64::from(wave)).min(1.0);
    }
    let border = ((x * 0.11 + 0.07 * y + seed).sin() * 6.0).clamp(-1.0, 1.0);
    (128.0 + 16.0 * value + 18.0 * border).clamp(0.0, 255.0)
}

/// A place.
type Place = (f64, f64);

/// A thing in a scene: what it looks like where it lies in the first picture, and where each of its places is in the second.
struct Layer {
    seed: f64,
    /// Whether it covers a place of the first picture.
    covers: fn(Place) -> bool,
    /// From a place of the first picture to the second.
    forth: fn(Place) -> Place,
    /// From a place of the second to the first.
    back: fn(Place) -> Place,
}

/// The scene's two pictures, and for each pixel of the first where it is in the second, if it is seen there.
struct Scene {
    first: Plane,
    second: Plane,
    truth: Vec<(Place, bool)>,
}

fn everywhere(_: Place) -> bool {
    true
}

/// Layers from the back to the front.
fn scene(layers: &[Layer]) -> Scene {
    let seen_first = |place: Place| layers.iter().rposition(|layer| (layer.covers)(place));
    let seen_second = |place: Place| layers.iter().rposition(|layer| (layer.covers)((layer.back)(place)));
    let places = || (0..WIDTH * HEIGHT).map(|at| ((at % WIDTH) as f64, (at / WIDTH) as f64));
    // Four samples a pixel, so that borders of layers are as soft as a camera's.
    let drawn = |colour: &dyn Fn(Place) -> f64| {
        let samples = [(-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)];
        let pixel = |(x, y): Place| samples.iter().map(|(dx, dy)| colour((x + dx, y + dy))).sum::<f64>() / 4.0;
        Plane::new(WIDTH, HEIGHT, places().map(|place| pixel(place) as f32).collect()).unwrap()
    };
    let first = drawn(&|place| {
        let layer = &layers[seen_first(place).unwrap()];
        texture(place.0, place.1, layer.seed)
    });
    let second = drawn(&|place| {
        let layer = &layers[seen_second(place).unwrap()];
        let (x, y) = (layer.back)(place);
        texture(x, y, layer.seed)
    });
    let truth = places().map(|place| {
        let layer = seen_first(place).unwrap();
        let (x, y) = (layers[layer].forth)(place);
        let is_inside = (0.0..WIDTH as f64).contains(&x) && (0.0..HEIGHT as f64).contains(&y);
        ((x - place.0, y - place.1), is_inside && seen_second((x, y)) == Some(layer))
    });
    Scene { first, second, truth: truth.collect() }
}

impl Scene {
    /// The mean distance of a flow's end points from the true ones, in pixels, over pixels that `counts` says.
    fn error_px(&self, flow: &Flow, counts: impl Fn(usize, bool) -> bool) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for (place, (&((dx, dy), is_seen), vector)) in self.truth.iter().zip(&flow.vectors).enumerate() {
            if counts(place, is_seen) {
                sum += (f64::from(vector[0]) - dx).hypot(f64::from(vector[1]) - dy);
                count += 1.0;
            }
        }
        sum / count
    }
}

fn shifted() -> Scene {
    scene(&[Layer {
        seed: 0.0,
        covers: everywhere,
        forth: |(x, y)| (x + 6.3, y - 3.6),
        back: |(x, y)| (x - 6.3, y + 3.6),
    }])
}

/// By six degrees around a place beside the middle.
fn turned() -> Scene {
    fn turn((x, y): Place, angle: f64) -> Place {
        let (x, y) = (x - 70.0, y - 65.0);
        (70.0 + x * angle.cos() - y * angle.sin(), 65.0 + x * angle.sin() + y * angle.cos())
    }
    scene(&[Layer {
        seed: 3.0,
        covers: everywhere,
        forth: |place| turn(place, 0.105),
        back: |place| turn(place, -0.105),
    }])
}

fn zoomed() -> Scene {
    scene(&[Layer {
        seed: 5.0,
        covers: everywhere,
        forth: |(x, y)| (90.0 + (x - 90.0) * 1.1, 50.0 + (y - 50.0) * 1.1),
        back: |(x, y)| (90.0 + (x - 90.0) / 1.1, 50.0 + (y - 50.0) / 1.1),
    }])
}

/// A disc that moves to the right before a ground that moves to the left.
fn occluded() -> Scene {
    let ground =
        Layer { seed: 1.0, covers: everywhere, forth: |(x, y)| (x - 2.4, y + 0.7), back: |(x, y)| (x + 2.4, y - 0.7) };
    let disc = Layer {
        seed: 8.0,
        covers: |(x, y)| (x - 70.0).powi(2) + (y - 60.0).powi(2) < 30.0_f64.powi(2),
        forth: |(x, y)| (x + 5.5, y + 2.2),
        back: |(x, y)| (x - 5.5, y - 2.2),
    };
    scene(&[ground, disc])
}

/// The texture of a figure, or a smooth ground with a few marks at its border, as a sky between towers.
fn smooth() -> Scene {
    let ground =
        Layer { seed: f64::NAN, covers: everywhere, forth: |(x, y)| (x - 0.9, y), back: |(x, y)| (x + 0.9, y) };
    let disc = Layer {
        seed: 8.0,
        covers: |(x, y)| (x - 80.0).powi(2) + (y - 60.0).powi(2) < 24.0_f64.powi(2),
        forth: |(x, y)| (x - 3.4, y + 1.0),
        back: |(x, y)| (x + 3.4, y - 1.0),
    };
    scene(&[ground, disc])
}

#[test]
fn a_figure_does_not_take_a_smooth_ground_along() {
    let scene = smooth();
    let forth = flow(&scene.first, &scene.second, &Method::default()).unwrap();
    let back = flow(&scene.second, &scene.first, &Method::default()).unwrap();
    let error = scene.error_px(&forth, |_, is_seen| is_seen);
    let trust = agreement(&forth, &back).unwrap();
    let seen = (0..trust.len()).filter(|&at| scene.truth[at].1);
    let share = seen.clone().map(|at| f64::from(trust[at])).sum::<f64>() / seen.count() as f64;
    println!("smooth: {error:.3} px, {share:.3} of what is seen is trusted");
    assert!(error < 0.5 && share > 0.8, "{error} px, {share}");
}

#[test]
fn end_points_are_within_half_a_pixel_in_the_mean() {
    for (name, scene) in [("shifted", shifted()), ("turned", turned()), ("zoomed", zoomed()), ("occluded", occluded())]
    {
        let found = flow(&scene.first, &scene.second, &Method::default()).unwrap();
        let (all, seen) = (scene.error_px(&found, |_, _| true), scene.error_px(&found, |_, is_seen| is_seen));
        println!("{name}: {all:.3} px over all pixels, {seen:.3} px over those that are seen in both pictures");
        assert!(all < 0.5, "{name}: {all} px");
        assert!(seen < 0.3, "{name}: {seen} px");
    }
}

/// Dust on the film: a pixel in fifty is black or white, others in each picture.
fn dusty(plane: &Plane, picture: u32) -> Plane {
    let mut state = 0x9e37_79b9_u32.wrapping_mul(picture);
    let mut values = plane.values.clone();
    for value in &mut values {
        // A linear congruential sequence (Numerical Recipes), of which the high bits are used.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if state >> 16 < 65_536 / 50 {
            *value = if state & 0x8000 == 0 { 0.0 } else { 255.0 };
        }
    }
    Plane::new(WIDTH, HEIGHT, values).unwrap()
}

#[test]
fn dust_does_not_lead_astray() {
    for (name, scene) in [("shifted", shifted()), ("turned", turned())] {
        let (first, second) = (dusty(&scene.first, 1), dusty(&scene.second, 2));
        let found = flow(&first, &second, &Method::default()).unwrap();
        let seen = scene.error_px(&found, |_, is_seen| is_seen);
        println!("{name}, dusty: {seen:.3} px over those that are seen in both pictures");
        assert!(seen < 0.3, "{name}: {seen} px");
    }
}

#[test]
fn what_is_covered_is_not_trusted_and_the_rest_is() {
    let scene = occluded();
    let forth = flow(&scene.first, &scene.second, &Method::default()).unwrap();
    let back = flow(&scene.second, &scene.first, &Method::default()).unwrap();
    let trust = agreement(&forth, &back).unwrap();
    let share = |counts: &dyn Fn(usize) -> bool| {
        let of: Vec<f64> = (0..trust.len()).filter(|&at| counts(at)).map(|at| f64::from(trust[at])).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    let covered = share(&|at| !scene.truth[at].1);
    let seen = share(&|at| scene.truth[at].1);
    println!("trusted: {covered:.3} of what is covered, {seen:.3} of what is seen");
    assert!(covered < 0.1, "{covered}");
    assert!(seen > 0.85, "{seen}");
    let error = scene.error_px(&forth, |at, _| trust[at] > 0.0);
    println!("where it is trusted: {error:.3} px");
    assert!(error < 0.15, "{error} px");
}

#[test]
fn single_precision_is_as_good_as_double() {
    let scene = turned();
    let method = Method::default();
    let found = [flow, reference_flow].map(|found| found(&scene.first, &scene.second, &method).unwrap());
    let [single, double] = &found;
    let apart = |at: usize| {
        let ([x, y], [other_x, other_y]) = (single.vectors[at], double.vectors[at]);
        f64::from(x - other_x).hypot(f64::from(y - other_y))
    };
    // What is seen in one picture alone is guessed, and a guess may fall either way.
    let seen: Vec<f64> = (0..scene.truth.len()).filter(|&at| scene.truth[at].1).map(apart).collect();
    let apart = seen.iter().sum::<f64>() / seen.len() as f64;
    let [of_single, of_double] = found.each_ref().map(|found| scene.error_px(found, |_, is_seen| is_seen));
    println!("{apart:.5} px apart in the mean; {of_single:.4} and {of_double:.4} px from the truth");
    assert!((of_single - of_double).abs() < 0.005 && apart < 0.05, "{of_single} {of_double} {apart}");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let scene = occluded();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| flow(&scene.first, &scene.second, &Method::default()).unwrap())
    };
    let one = with(1);
    assert!([2, 3, 5].into_iter().all(|threads| with(threads) == one));
}

#[test]
fn nothing_moves_where_nothing_has() {
    let scene = shifted();
    let still = flow(&scene.first, &scene.first, &Method::default()).unwrap();
    assert!(still.vectors.iter().all(|&vector| vector == [0.0, 0.0]));
    // What cannot be told moves nowhere either: no colour, one pixel, one row.
    for (width, height) in [(30, 20), (1, 1), (40, 1)] {
        let grey = Plane::new(width, height, vec![77.0; width * height]).unwrap();
        let still = flow(&grey, &grey, &Method::default()).unwrap();
        assert!(still.vectors.iter().all(|&vector| vector == [0.0, 0.0]), "{width}x{height}");
    }
    let [one, other] = [(4, 6), (6, 4)].map(|(width, height)| Plane::new(width, height, vec![0.0; 24]).unwrap());
    assert!(flow(&one, &other, &Method::default()).is_err());
}
