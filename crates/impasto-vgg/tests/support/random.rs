//! Random numbers for tests: SplitMix64, so that a seed is a test case for ever.

use impasto_vgg::{Layer, MomentGradients, Moments, Observation, ObservationGradients};

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `-1.0..1.0`.
    pub fn symmetric(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// Uniform in `0.0..1.0`.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// A picture `[3, height, width]`: patches of colour with noise on them, 0..255.
    pub fn picture(&mut self, height: usize, width: usize) -> Vec<f32> {
        let mut picture = vec![0.0; 3 * height * width];
        for channel in 0..3 {
            let (base, slope_y, slope_x) = (128.0, self.symmetric() * 60.0, self.symmetric() * 60.0);
            for y in 0..height {
                for x in 0..width {
                    let place = slope_y * (y as f64 * 0.7).sin() + slope_x * (x as f64 * 0.4).cos();
                    let value = base + place + 60.0 * self.symmetric();
                    picture[(channel * height + y) * width + x] = value.clamp(0.0, 255.0) as f32;
                }
            }
        }
        picture
    }

    /// Derivatives of a loss that pulls on every mean, every second moment and every distance about equally.
    pub fn gradients(&mut self, observed: &Observation) -> ObservationGradients {
        let moments = observed.moments.iter().map(|moments| self.moment_gradients(moments)).collect();
        let distances = observed.distances.iter().map(|distance| {
            let root_mean_square = (distance.sum_of_squares / distance.elements as f64).sqrt();
            (1.5 + self.symmetric()) / (root_mean_square * (distance.elements as f64).sqrt()).max(1e-9)
        });
        let distances = distances.collect();
        let matched = observed.matched.iter().map(|_| 1.5 + self.symmetric()).collect();
        ObservationGradients { moments, distances, matched }
    }

    fn moment_gradients(&mut self, moments: &Moments) -> MomentGradients {
        let channels = moments.mean.len();
        let scale = moments.mean.iter().fold(1e-9, |largest: f64, value| largest.max(value.abs()));
        let mean = (0..channels).map(|_| self.symmetric()).collect();
        let mut second = vec![0.0; channels * channels];
        for a in 0..channels {
            for b in 0..=a {
                let value = self.symmetric() / (scale * channels as f64);
                second[a * channels + b] = value;
                second[b * channels + a] = value;
            }
        }
        MomentGradients { mean, second }
    }
}

/// All layers of the network.
pub fn all_layers() -> Vec<Layer> {
    Layer::all().collect()
}
