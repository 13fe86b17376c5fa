//! How much a history holds on the device, and how it is cut into buffers and into what workgroups make.

use std::ops::Range;

use super::pyramid;
use crate::recorder::Recorder;

/// Values of an octet.
pub const OCTET: usize = 8;
/// Bytes of an octet in bfloat16 and in f32.
const PAIR_OCTET_BYTES: u64 = 16;
pub const VECTOR_OCTET_BYTES: u64 = 32;
/// Octets of a segment: what a workgroup multiplies.
pub const SEGMENT_OCTETS: usize = 1024;
/// Octets that a workgroup adds to.
pub const ADDED_OCTETS: usize = 256;
/// Bytes of a segment's two sums.
pub const PARTIAL_BYTES: usize = 2 * size_of::<f32>();

/// How much a history holds, and how it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryShape {
    /// Pairs that are remembered.
    pub capacity: usize,
    /// Values of a vector.
    pub values: usize,
    /// Slots in a buffer that a shader sees at once.
    pub slots_at_once: usize,
}

impl HistoryShape {
    /// Of so many pairs of vectors, where a shader sees no more than `binding_bytes` at once; `None` where that is too
    /// little for one vector.
    pub fn new(capacity: usize, values: usize, binding_bytes: u64) -> Option<HistoryShape> {
        let shape = HistoryShape { capacity, values, slots_at_once: 0 };
        let slots_at_once = capacity.min((binding_bytes / shape.slot_bytes().max(1)) as usize);
        let is_seen = shape.vector_bytes().max(shape.partial_bytes()) <= binding_bytes;
        (is_seen && slots_at_once > 0 && values > 0).then_some(HistoryShape { slots_at_once, ..shape })
    }

    /// Octets of a vector.
    pub fn octets(&self) -> usize {
        self.values.div_ceil(OCTET)
    }

    /// Segments of a vector.
    pub fn segments(&self) -> usize {
        self.octets().div_ceil(SEGMENT_OCTETS)
    }

    /// Bytes of a vector of a pair.
    pub fn slot_bytes(&self) -> u64 {
        self.octets() as u64 * PAIR_OCTET_BYTES
    }

    /// Bytes of a vector in f32.
    pub fn vector_bytes(&self) -> u64 {
        self.octets() as u64 * VECTOR_OCTET_BYTES
    }

    /// Bytes of the sums of all segments of all pairs.
    pub fn partial_bytes(&self) -> u64 {
        (self.capacity * self.segments() * PARTIAL_BYTES) as u64
    }

    /// Bytes of a factor for each pair.
    pub fn factor_bytes(&self) -> u64 {
        (self.capacity * size_of::<f32>()) as u64
    }

    /// The pairs alone.
    pub fn pair_bytes(&self) -> u64 {
        2 * self.capacity as u64 * self.slot_bytes()
    }

    /// All that it takes on the device, with what the host writes and reads.
    pub fn bytes(&self) -> u64 {
        // The pairs, the newest change once more, and a pair on its way.
        let slots = self.pair_bytes() + 3 * self.slot_bytes();
        let sums = 2 * self.partial_bytes() + self.factor_bytes();
        slots + 3 * self.vector_bytes() + pyramid::bytes(self.values) + sums + Recorder::BYTES
    }

    /// Pairs in neighbouring slots of one buffer, in the order of their age: the buffer, the first slot in it, and the
    /// places among all `count` pairs, the oldest of which is in slot `oldest`.
    pub fn runs(&self, oldest: usize, count: usize) -> impl Iterator<Item = (usize, usize, Range<usize>)> {
        let (capacity, at_once) = (self.capacity, self.slots_at_once);
        let mut place = 0;
        std::iter::from_fn(move || {
            let slot = (oldest + place) % capacity;
            let end_of_buffer = ((slot / at_once + 1) * at_once).min(capacity);
            let run = place..count.min(place + end_of_buffer - slot);
            place = run.end;
            (!run.is_empty()).then_some((slot / at_once, slot % at_once, run))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_hold_each_pair_once_in_the_order_of_their_age() {
        for (capacity, at_once) in [(1, 1), (5, 5), (5, 2), (7, 3)] {
            let shape = HistoryShape { capacity, values: 10, slots_at_once: at_once };
            for oldest in 0..capacity {
                for count in 0..=capacity {
                    let mut slots = Vec::new();
                    for (buffer, first, places) in shape.runs(oldest, count) {
                        assert!(first + places.len() <= at_once && places.start == slots.len());
                        slots.extend(places.enumerate().map(|(offset, _)| buffer * at_once + first + offset));
                    }
                    let expected: Vec<usize> = (0..count).map(|place| (oldest + place) % capacity).collect();
                    assert_eq!(slots, expected, "{capacity} {at_once} {oldest} {count}");
                }
            }
        }
    }

    #[test]
    fn a_vector_that_no_shader_sees_at_once_is_not_kept() {
        assert!(HistoryShape::new(4, 1000, 4000).is_some());
        assert_eq!(HistoryShape::new(4, 1000, 3999), None);
        assert_eq!(HistoryShape::new(0, 1000, 4000), None);
        assert_eq!(HistoryShape::new(4, 1000, 4000).unwrap().slots_at_once, 2);
    }
}
