//! Every operation of every instruction set that the processor has, against plain arithmetic.

use super::*;
use crate::bfloat16::bf16_bits;

/// A factor that leaves bits which bfloat16 has no room for.
const MORE_THAN_ONE: f32 = 1.0 + 1.0 / 1024.0;

/// What the operations make of three vectors, each result as sixteen values.
struct Operations {
    a: Lanes,
    b: Lanes,
    c: Lanes,
    bits: u16,
}

struct Results {
    vectors: Vec<(&'static str, [f32; LANES])>,
    greater: u16,
    sum: f32,
    upper: Lanes,
    pairs: Lanes,
}

impl Task for Operations {
    type Output = Results;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Results {
        let [a, b, c] = [isa.load(&self.a), isa.load(&self.b), isa.load(&self.c)];
        let values = |vector| {
            let mut lanes = Lanes::ZERO;
            isa.store(vector, &mut lanes);
            lanes.0
        };
        let mut packed_a = Lanes::ZERO;
        isa.store_bf16(a, &mut packed_a, true);
        let upper = packed_a;
        isa.store_bf16(b, &mut packed_a, false);
        let mut packed_c = Lanes::ZERO;
        isa.store_bf16(c, &mut packed_c, false);
        isa.store_bf16(c, &mut packed_c, true);
        isa.prefetch(&self.a);
        let mut pairs = Lanes::ZERO;
        isa.store(isa.mul_add_bf16(isa.load(&packed_a), isa.load(&packed_c), isa.splat(1.0)), &mut pairs);
        Results {
            vectors: vec![
                ("splat", values(isa.splat(self.a.0[3]))),
                ("add", values(isa.add(a, b))),
                ("sub", values(isa.sub(a, b))),
                ("mul", values(isa.mul(a, b))),
                ("mul_add", values(isa.mul_add(a, b, c))),
                ("neg_mul_add", values(isa.neg_mul_add(a, b, c))),
                ("max", values(isa.max(a, b))),
                ("relu", values(isa.relu(a))),
                ("keep", values(isa.keep(a, self.bits))),
                ("bf16_remainder", values(isa.bf16_remainder(isa.mul(a, isa.splat(MORE_THAN_ONE))))),
            ],
            greater: isa.greater_bits(a, b),
            sum: isa.sum(a),
            upper,
            pairs,
        }
    }
}

/// Small integers, exact in bfloat16 and in every order of summation.
fn integers(seed: i32) -> Lanes {
    Lanes(std::array::from_fn(|lane| ((lane as i32 * 37 + seed * 23) % 41 - 20) as f32))
}

fn check(set: InstructionSet, run: impl Fn(InstructionSet, Operations) -> Results) {
    let (a, b, c, bits) = (integers(1), integers(5), integers(9), 0b1010_0110_1100_0101);
    let results = run(set, Operations { a, b, c, bits });
    for (name, values) in results.vectors {
        let expected: [f32; LANES] = std::array::from_fn(|lane| {
            let [x, y, z] = [a.0[lane], b.0[lane], c.0[lane]];
            match name {
                "splat" => a.0[3],
                "add" => x + y,
                "sub" => x - y,
                "mul" => x * y,
                "mul_add" => x * y + z,
                "neg_mul_add" => z - x * y,
                "max" => x.max(y),
                "relu" => x.max(0.0),
                "keep" if bits >> lane & 1 == 1 => x,
                "keep" => 0.0,
                "bf16_remainder" => x * MORE_THAN_ONE - half::bf16::from_f32(x * MORE_THAN_ONE).to_f32(),
                _ => panic!("{name} has no expected value"),
            }
        });
        assert_eq!(values, expected, "{name} on {}", set.name());
    }
    for lane in 0..LANES {
        assert_eq!(results.greater >> lane & 1 == 1, a.0[lane] > b.0[lane], "lane {lane} on {}", set.name());
    }
    assert_eq!(results.sum, a.0.iter().sum::<f32>(), "{}", set.name());
    for word in 0..LANES / 2 {
        let bits = results.upper.0[LANES / 2 + word].to_bits();
        assert_eq!(bits, a.0[2 * word].to_bits() >> 16 | a.0[2 * word + 1].to_bits(), "{}", set.name());
        let products = |x: &Lanes| x.0[2 * word] * c.0[2 * word] + x.0[2 * word + 1] * c.0[2 * word + 1];
        assert_eq!(results.pairs.0[word], 1.0 + products(&b), "{}", set.name());
        assert_eq!(results.pairs.0[LANES / 2 + word], 1.0 + products(&a), "{}", set.name());
    }
}

#[test]
fn every_operation_does_what_its_name_says() {
    for set in InstructionSet::available() {
        check(set, |set, operations| set.run(operations));
        check(set, |set, operations| set.run_bf16(operations));
    }
}

#[test]
fn relu_lets_nothing_that_is_not_a_number_disappear() {
    struct Relu;
    impl Task for Relu {
        type Output = f32;

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) -> f32 {
            isa.sum(isa.relu(isa.splat(f32::NAN)))
        }
    }
    for set in InstructionSet::available() {
        assert!(set.run(Relu).is_nan(), "{}", set.name());
    }
}

#[test]
fn bfloat16_is_rounded_to_nearest_even() {
    // 1 + 2^-8 lies half-way between 1 and 1 + 2^-7, 1 + 3 * 2^-8 between odd and even the other way round.
    assert_eq!(bf16_bits(1.0 + 1.0 / 256.0), 0x3f80);
    assert_eq!(bf16_bits(1.0 + 3.0 / 256.0), 0x3f82);
    assert_eq!(bf16_bits(1.0 + 1.01 / 256.0), 0x3f81);
    assert_eq!(bf16_bits(f32::INFINITY), 0x7f80);
    assert!(f32::from_bits(bf16_bits(f32::NAN) << 16).is_nan());
}

#[test]
fn unknown_names_are_refused_and_known_ones_found() {
    for set in InstructionSet::available() {
        assert_eq!(InstructionSet::named(set.name()).unwrap().name(), set.name());
    }
    let error = InstructionSet::named("sse9").unwrap_err();
    assert!(error.to_string().contains("portable"), "{error}");
    let absent = if cfg!(target_arch = "x86_64") { "neon" } else { "avx2" };
    assert!(matches!(InstructionSet::named(absent), Err(EngineError::Isa { .. })));
}
