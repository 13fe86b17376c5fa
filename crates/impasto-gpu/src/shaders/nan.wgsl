// What is no number; after every shader.

// By the bits: compilers may take it that no float is none, and answer false at once.
fn is_nan(value: vec4<f32>) -> vec4<bool> {
    return (bitcast<vec4<u32>>(value) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
}
