// Maps in 16 bits a value, two words a quad, by what every adapter has: arithmetic stays in f32.
//
// Features are in half precision, for its 11 significant bits; what is beyond 65504, the largest it has, becomes that.
// Their gradients, whose magnitude depends on the losses' factors, are in bfloat16, which has every magnitude of f32, and
// 8 bits: of what is rounded on the way back, optimisers feel little. Both are rounded to nearest, ties to even, with
// integers: how pack2x16float rounds is the adapter's affair, and is left to it only below 2^-14, where a half has fewer
// bits. What is no number stays none (nan.wgsl).

alias Feature = vec2<u32>;
alias Gradient = vec2<u32>;

const LARGEST: vec4<u32> = vec4<u32>(0x477fe000u);
const INFINITE: vec4<u32> = vec4<u32>(0x7f800000u);
const QUIET_NAN: vec4<u32> = vec4<u32>(0x7fc00000u);

// The bits of an f32 without the lowest `dropped`.
fn rounded(value: vec4<f32>, dropped: u32) -> vec4<u32> {
    let bits = bitcast<vec4<u32>>(value);
    let is_odd = (bits >> vec4<u32>(dropped)) & vec4<u32>(1u);
    let nearest = bits + is_odd + vec4<u32>((1u << (dropped - 1u)) - 1u);
    return select((nearest >> vec4<u32>(dropped)) << vec4<u32>(dropped), QUIET_NAN, is_nan(value));
}

fn feature(stored: Feature) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(stored.x), unpack2x16float(stored.y));
}

// Of a value that is not negative. By the bits, which stand in the order of the values: of a comparison of floats compilers
// make the smaller of the two, which is LARGEST where the value is no number.
fn stored_feature(value: vec4<f32>) -> Feature {
    let bits = rounded(value, 13u);
    let nearest = bitcast<vec4<f32>>(select(min(bits, LARGEST), bits, bits > INFINITE));
    return vec2<u32>(pack2x16float(nearest.xy), pack2x16float(nearest.zw));
}

fn gradient(stored: Gradient) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(stored.x << 16u, stored.x & 0xffff0000u, stored.y << 16u, stored.y & 0xffff0000u));
}

fn stored_gradient(value: vec4<f32>) -> Gradient {
    let bits = rounded(value, 16u);
    return vec2<u32>((bits.x >> 16u) | bits.y, (bits.z >> 16u) | bits.w);
}
