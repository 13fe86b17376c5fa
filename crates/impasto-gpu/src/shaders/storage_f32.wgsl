// Maps in f32, a vec4 a quad.

alias Feature = vec4<f32>;
alias Gradient = vec4<f32>;

fn feature(stored: Feature) -> vec4<f32> {
    return stored;
}

fn stored_feature(value: vec4<f32>) -> Feature {
    return value;
}

fn gradient(stored: Gradient) -> vec4<f32> {
    return stored;
}

fn stored_gradient(value: vec4<f32>) -> Gradient {
    return value;
}
