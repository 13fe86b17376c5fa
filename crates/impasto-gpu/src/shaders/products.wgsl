// Products of 64 positions with 64 columns, for a workgroup of 128 threads: a thread has 4 positions (16 apart) by 8 columns.
// injection.wgsl and search.wgsl go before it: channels that come out there, and entries of a bank here.

// Four quads of 64 positions, and their sixteen channels' lines of 64 columns.
var<workgroup> feature_values: array<array<vec4<f32>, 64>, 4>;
var<workgroup> panel_values: array<array<vec4<f32>, 16>, 16>;

// The sums of the thread's four positions, columns 0 to 3 (a) and 4 to 7 (b) of its eight.
var<private> a0: vec4<f32>;
var<private> a1: vec4<f32>;
var<private> a2: vec4<f32>;
var<private> a3: vec4<f32>;
var<private> b0: vec4<f32>;
var<private> b1: vec4<f32>;
var<private> b2: vec4<f32>;
var<private> b3: vec4<f32>;

// Adds one channel: its values at the four positions, and its line's two quads.
fn multiply(f0: f32, f1: f32, f2: f32, f3: f32, lower: vec4<f32>, upper: vec4<f32>) {
    a0 = fma(vec4<f32>(f0), lower, a0);
    b0 = fma(vec4<f32>(f0), upper, b0);
    a1 = fma(vec4<f32>(f1), lower, a1);
    b1 = fma(vec4<f32>(f1), upper, b1);
    a2 = fma(vec4<f32>(f2), lower, a2);
    b2 = fma(vec4<f32>(f2), upper, b2);
    a3 = fma(vec4<f32>(f3), lower, a3);
    b3 = fma(vec4<f32>(f3), upper, b3);
}

// Adds the sixteen channels that stand in workgroup memory, in their order: for positions from lane on, and the columns of the
// quads lower and upper. Written out: a place that a compiler knows needs no check against the bounds.
fn multiply_all(lane: u32, lower: u32, upper: u32) {
    {
        let f0 = feature_values[0][lane];
        let f1 = feature_values[0][lane + 16u];
        let f2 = feature_values[0][lane + 32u];
        let f3 = feature_values[0][lane + 48u];
        multiply(f0.x, f1.x, f2.x, f3.x, panel_values[0][lower], panel_values[0][upper]);
        multiply(f0.y, f1.y, f2.y, f3.y, panel_values[1][lower], panel_values[1][upper]);
        multiply(f0.z, f1.z, f2.z, f3.z, panel_values[2][lower], panel_values[2][upper]);
        multiply(f0.w, f1.w, f2.w, f3.w, panel_values[3][lower], panel_values[3][upper]);
    }
    {
        let f0 = feature_values[1][lane];
        let f1 = feature_values[1][lane + 16u];
        let f2 = feature_values[1][lane + 32u];
        let f3 = feature_values[1][lane + 48u];
        multiply(f0.x, f1.x, f2.x, f3.x, panel_values[4][lower], panel_values[4][upper]);
        multiply(f0.y, f1.y, f2.y, f3.y, panel_values[5][lower], panel_values[5][upper]);
        multiply(f0.z, f1.z, f2.z, f3.z, panel_values[6][lower], panel_values[6][upper]);
        multiply(f0.w, f1.w, f2.w, f3.w, panel_values[7][lower], panel_values[7][upper]);
    }
    {
        let f0 = feature_values[2][lane];
        let f1 = feature_values[2][lane + 16u];
        let f2 = feature_values[2][lane + 32u];
        let f3 = feature_values[2][lane + 48u];
        multiply(f0.x, f1.x, f2.x, f3.x, panel_values[8][lower], panel_values[8][upper]);
        multiply(f0.y, f1.y, f2.y, f3.y, panel_values[9][lower], panel_values[9][upper]);
        multiply(f0.z, f1.z, f2.z, f3.z, panel_values[10][lower], panel_values[10][upper]);
        multiply(f0.w, f1.w, f2.w, f3.w, panel_values[11][lower], panel_values[11][upper]);
    }
    {
        let f0 = feature_values[3][lane];
        let f1 = feature_values[3][lane + 16u];
        let f2 = feature_values[3][lane + 32u];
        let f3 = feature_values[3][lane + 48u];
        multiply(f0.x, f1.x, f2.x, f3.x, panel_values[12][lower], panel_values[12][upper]);
        multiply(f0.y, f1.y, f2.y, f3.y, panel_values[13][lower], panel_values[13][upper]);
        multiply(f0.z, f1.z, f2.z, f3.z, panel_values[14][lower], panel_values[14][upper]);
        multiply(f0.w, f1.w, f2.w, f3.w, panel_values[15][lower], panel_values[15][upper]);
    }
}
