//! Data of small integers, so that every order of summation gives exactly the same: results must be equal.

use proptest::prelude::*;

use super::*;
use crate::cpu::buffer::{FeatureRows, SignRows};

fn integers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 60) as f32 - 8.0
    };
    (0..count).map(|_| next()).collect()
}

/// Weights and a mean of integers.
fn convolution(seed: u64) -> (FirstConvolution, Vec<f32>) {
    let kernel = integers(64 * 27, seed);
    let weights = ConvolutionWeights::from_values(64, 3, kernel.clone(), integers(64, seed ^ 1));
    (FirstConvolution { mean: [3.0, -2.0, 5.0], ..FirstConvolution::new(&weights) }, kernel)
}

/// Where pixel (y, x) beyond the picture is taken from.
fn source(y: isize, x: isize, height: usize, width: usize, border: Border) -> Option<(usize, usize)> {
    let inside = (y.clamp(0, height as isize - 1), x.clamp(0, width as isize - 1));
    (border == Border::Replicate || inside == (y, x)).then_some((inside.0 as usize, inside.1 as usize))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn forward_and_back_are_exact_on_integers(
        (height, width) in (1usize..41, 1usize..41),
        (cut, threads) in (0usize..12, 1usize..5),
        (replicate, seed) in (any::<bool>(), any::<u64>()),
    ) {
        let border = if replicate { Border::Replicate } else { Border::Zero };
        let (convolution, kernel) = convolution(seed);
        let pixels = integers(3 * height * width, seed ^ 2);
        let gradient_values = integers(64 * height * width, seed ^ 3);
        let mut expected_map = vec![0.0f32; 64 * height * width];
        let mut expected_pixels = vec![0.0f32; 3 * height * width];
        for (output, y, x) in (0..64 * height * width).map(|i| (i / (height * width), i / width % height, i % width)) {
            let mut sum = convolution.bias[output];
            for (colour, ky, kx) in (0..27).map(|i| (i / 9, i / 3 % 3, i % 3)) {
                let place = source((y + ky) as isize - 1, (x + kx) as isize - 1, height, width, border);
                let Some((source_y, source_x)) = place else { continue };
                let weight = kernel[(output * 3 + colour) * 9 + ky * 3 + kx];
                let pixel = (colour * height + source_y) * width + source_x;
                sum += weight * (pixels[pixel] - convolution.mean[colour]);
                expected_pixels[pixel] += weight * gradient_values[(output * height + y) * width + x];
            }
            expected_map[(output * height + y) * width + x] = sum.max(0.0);
        }

        let mut gradient_map = FeatureRows::new(64, height, width, height);
        for (block, y) in (0..4).flat_map(|block| (0..height).map(move |y| (block, y))) {
            for (x, lanes) in gradient_map.row_mut(block, y).iter_mut().enumerate() {
                lanes.0 = std::array::from_fn(|lane| gradient_values[((block * LANES + lane) * height + y) * width + x]);
            }
        }
        let tile_rows = height.div_ceil(TILE);
        let cut = cut % (tile_rows + 1);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for set in InstructionSet::available() {
            let mut map = FeatureRows::new(64, height, width, height);
            let mut signs = SignRows::new(64, height, width, height);
            let mut pixel_gradient = vec![f32::NAN; 3 * height * width];
            let gradient = Gradient { height, width, direct: Some(&gradient_map), pooled: None, signs: None };
            for rows in [cut..tile_rows, 0..cut] {
                let picture = Picture { pixels: &pixels, height, width, border };
                let outputs =
                    ForwardOutputs { bias: &[], map: Some(&mut map), signs: Some(&mut signs), pooled: None };
                pool.install(|| convolution.forward(set, picture, rows.clone(), outputs));
                pool.install(|| convolution.backward(set, &gradient, border, rows, &mut pixel_gradient));
            }
            prop_assert_eq!(&pixel_gradient, &expected_pixels, "{}", set.name());
            for (output, y) in (0..64).flat_map(|output| (0..height).map(move |y| (output, y))) {
                for x in 0..width {
                    let feature = map.row(output / LANES, y)[x].0[output % LANES];
                    let wanted = expected_map[(output * height + y) * width + x];
                    prop_assert_eq!(feature, wanted, "{} {} {} {}", set.name(), output, y, x);
                    prop_assert_eq!(signs.row(output / LANES, y)[x] >> (output % LANES) & 1 == 1, wanted > 0.0);
                }
            }
        }
    }
}

#[test]
fn the_mean_is_subtracted_once() {
    let (height, width) = (5, 3);
    let weights = ConvolutionWeights::from_values(64, 3, vec![1.0; 64 * 27], vec![2.5; 64]);
    let convolution = FirstConvolution::new(&weights);
    let pixels: Vec<f32> = MEAN_RGB.iter().flat_map(|&mean| vec![mean; height * width]).collect();
    let mut map = FeatureRows::new(64, height, width, height);
    let picture = Picture { pixels: &pixels, height, width, border: Border::Zero };
    let outputs = ForwardOutputs { bias: &[], map: Some(&mut map), signs: None, pooled: None };
    convolution.forward(InstructionSet::best(), picture, 0..2, outputs);
    assert!((0..height).all(|y| map.row(3, y).iter().all(|lanes| lanes.0 == [2.5; LANES])));
}
