// Octets of a history's vectors; dots.wgsl and add_scaled.wgsl go before it.
//
// A vector of the history is in bfloat16, two values a word, the first in the lower half: an octet is vec4<u32>. A vector
// that it is multiplied with is in f32: an octet is two vec4<f32>. Behind the last value of a vector stand zeros up to a
// whole octet. Arithmetic is on the even values of an octet and on its odd ones, which is how shifts give them.

fn even(octet: vec4<u32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(octet << vec4<u32>(16u));
}

fn odd(octet: vec4<u32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(octet & vec4<u32>(0xffff0000u));
}
