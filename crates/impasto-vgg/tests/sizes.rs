//! The checked size that all readers of weights do their arithmetic with: right where the answer has 64 bits, an error
//! where it has not, checked against 128 bits around the powers of two where other readers have wrapped.

use impasto_vgg::formats::budget::{Budget, FILE_LIMIT_BYTES, Size, WORKING_BYTES};
use proptest::prelude::*;

/// Numbers around 2^0, 2^8, 2^16, 2^31, 2^32, 2^63 and 2^64.
fn edges() -> impl Strategy<Value = u64> {
    let power = prop_oneof![Just(0_u32), Just(8), Just(16), Just(31), Just(32), Just(62), Just(63), 0..64_u32];
    (power, -3_i64..=3, any::<bool>()).prop_map(|(power, off, inverted)| {
        let number = (1_u64 << power).wrapping_add_signed(off);
        if inverted { !number } else { number }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn arithmetic_is_that_of_128_bits(a in edges(), b in edges()) {
        let whole = |value: Option<u128>| value.and_then(|value| u64::try_from(value).ok());
        let (wide_a, wide_b) = (u128::from(a), u128::from(b));
        let size = Size::new(a);
        prop_assert_eq!(size.plus(b).ok().map(Size::get), whole(Some(wide_a + wide_b)));
        prop_assert_eq!(size.minus(b).ok().map(Size::get), whole(wide_a.checked_sub(wide_b)));
        prop_assert_eq!(size.times(b).ok().map(Size::get), whole(Some(wide_a * wide_b)));
        prop_assert_eq!(size.rounded_up(8).ok().map(Size::get), whole(Some(wide_a.div_ceil(8) * 8)));
    }

    #[test]
    fn a_shape_is_the_product_of_its_sides(sides in prop::collection::vec(edges(), 0..6)) {
        let product = sides.iter().try_fold(1_u128, |product, &side| {
            Some(product * u128::from(side)).filter(|&product| product <= u128::from(u64::MAX))
        });
        prop_assert_eq!(Size::product(&sides).ok().map(Size::get), product.map(|product| product as u64));
    }

    #[test]
    fn a_budget_never_gives_more_than_it_has(requests in prop::collection::vec(edges(), 1..40)) {
        let mut budget = Budget::for_tensors(1_000);
        let mut work = Budget::for_tensors(0);
        let (mut taken, mut worked) = (0_u128, 0_u128);
        for request in requests {
            if budget.take(request).is_ok() {
                taken += u128::from(request);
            }
            if work.work(request).is_ok() {
                worked += u128::from(request);
            }
        }
        prop_assert!(taken <= u128::from(WORKING_BYTES) + 1_000);
        prop_assert!(worked <= u128::from(FILE_LIMIT_BYTES));
        // What is too long for the budget is not allocated first.
        prop_assert!(budget.zeros(1 << 50).is_err());
        prop_assert!(budget.room_for::<f32>(u64::MAX).is_err());
    }
}
