//! Guided kernels on every instruction set that this processor has, tile registers too: with small integers and weights that
//! are powers of two every product and every sum is exact, so the answers have to be.

mod support;

use impasto_vgg::cpu::buffer::FeatureRows;
use impasto_vgg::cpu::guides::RegionGuides;
use impasto_vgg::cpu::injection::{Injection, MomentPanel, MomentPull, inject};
use impasto_vgg::cpu::isa::{InstructionSet, LANES, Lanes};
use impasto_vgg::cpu::moments::MomentSums;
use impasto_vgg::{Layer, MomentGradients, Precision};
use support::random::Random;

/// Channels, height, width: a few positions, and a row longer than a chunk.
const SHAPES: [(usize, usize, usize); 4] = [(64, 7, 21), (128, 6, 150), (256, 5, 35), (64, 1, 300)];
const REGIONS: usize = 3;

/// Small integers in a map, and as planes.
fn integers(random: &mut Random, channels: usize, height: usize, width: usize) -> (FeatureRows, Vec<Vec<f64>>) {
    let mut map = FeatureRows::new(channels, height, width, height);
    let mut planes = vec![vec![0.0; height * width]; channels];
    for (channel, plane) in planes.iter_mut().enumerate() {
        for (position, value) in plane.iter_mut().enumerate() {
            *value = (random.next() % 8) as f64;
            map.row_mut(channel / LANES, position / width)[position % width].0[channel % LANES] = *value as f32;
        }
    }
    (map, planes)
}

/// Runs of 0, 1/2 and 1; the last region is 1 everywhere but in its first row.
fn guides(random: &mut Random, height: usize, width: usize) -> Vec<f32> {
    let mut values = Vec::new();
    while values.len() < REGIONS * height * width {
        let run = 1 + random.next() as usize % 40;
        values.extend(std::iter::repeat_n([0.0, 0.5, 1.0][random.next() as usize % 3], run));
    }
    values.truncate(REGIONS * height * width);
    let last = (REGIONS - 1) * height * width;
    values[last + width.min(height * width - 1)..].fill(1.0);
    values
}

#[test]
fn guided_moments_of_integers_are_exact() {
    for (seed, (channels, height, width)) in SHAPES.into_iter().enumerate() {
        let mut random = Random(seed as u64);
        let (map, planes) = integers(&mut random, channels, height, width);
        let values = guides(&mut random, height, width);
        let regions = RegionGuides::new(REGIONS, height, width, values.clone());
        for (set, region) in
            InstructionSet::available().into_iter().flat_map(|set| (0..REGIONS).map(move |region| (set, region)))
        {
            let mut sums = MomentSums::new(channels);
            sums.clear();
            let cut = 4.min(height);
            sums.add(set, &map, Some(regions.region(region)), 0..cut);
            if cut < height {
                sums.add(set, &map, Some(regions.region(region)), cut..height);
            }
            let moments = sums.finish(Layer::all().next().unwrap(), 1, 2.0);
            let guide = &values[region * height * width..][..height * width];
            let sum = |product: &dyn Fn(usize) -> f64| -> f64 {
                guide.iter().enumerate().map(|(position, &t)| f64::from(t) * product(position)).sum()
            };
            for a in (0..channels).step_by(3) {
                assert_eq!(moments.mean[a], sum(&|position| planes[a][position]) / 2.0, "{} {a}", set.name());
                for b in (0..channels).step_by(5) {
                    let expected = sum(&|position| planes[a][position] * planes[b][position]) / 2.0;
                    assert_eq!(moments.second[a * channels + b], expected, "{} {a} {b}", set.name());
                    assert_eq!(moments.second[b * channels + a], expected, "{} {b} {a}", set.name());
                }
            }
        }
    }
}

#[test]
fn guided_gradients_of_integers_are_exact() {
    for (seed, (channels, height, width)) in SHAPES.into_iter().enumerate() {
        let mut random = Random(seed as u64);
        let (map, planes) = integers(&mut random, channels, height, width);
        let values = guides(&mut random, height, width);
        let regions = RegionGuides::new(REGIONS, height, width, values.clone());
        let mut gradients = Vec::new();
        for _ in 0..REGIONS {
            let mean = (0..channels).map(|_| (random.next() % 8) as f64).collect();
            let mut second = vec![0.0; channels * channels];
            for (a, b) in (0..channels).flat_map(|a| (0..=a).map(move |b| (a, b))) {
                let value = (random.next() % 4) as f64;
                second[a * channels + b] = value;
                second[b * channels + a] = value;
            }
            gradients.push(MomentGradients { mean, second });
        }
        let precisions = [Precision::F32, Precision::Mixed, Precision::Bf16];
        let cases =
            InstructionSet::available().into_iter().flat_map(|set| precisions.map(|precision| (set, precision)));
        for (set, precision) in cases {
            let panels: Vec<MomentPanel> = gradients
                .iter()
                .map(|gradients| {
                    let mut panel = MomentPanel::new(set, channels);
                    panel.fill(gradients, 2.0, precision);
                    panel
                })
                .collect();
            let pull = |(region, panel)| MomentPull { panel, guide: Some(regions.region(region)) };
            let moments: Vec<MomentPull<'_>> = panels.iter().enumerate().map(pull).collect();
            let mut out = FeatureRows::new(channels, height, width, height);
            // Nothing may lean on what was there.
            out.fill(Lanes([f32::NAN; LANES]));
            inject(set, Injection { moments: &moments, content: None }, &map, &mut out, 0..height);
            for channel in (0..channels).step_by(7) {
                for position in 0..height * width {
                    let of_region = |(region, gradients): (usize, &MomentGradients)| {
                        let row = &gradients.second[channel * channels..][..channels];
                        let product: f64 = row.iter().zip(&planes).map(|(value, plane)| value * plane[position]).sum();
                        f64::from(values[region * height * width + position])
                            * (gradients.mean[channel] / 2.0 + product)
                    };
                    let expected: f64 = gradients.iter().enumerate().map(of_region).sum();
                    let line = &out.row(channel / LANES, position / width)[position % width];
                    let ours = f64::from(line.0[channel % LANES]);
                    assert_eq!(ours, expected, "{} {precision:?} {channel} {position}", set.name());
                }
            }
        }
    }
}
