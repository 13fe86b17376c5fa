//! No vector operation is left as a call.
//!
//! A kernel that is compiled without its target feature calls `core::arch` for every single operation and is 17 times
//! slower, but right: no other test would notice. Such calls leave symbols in the binary, and this program holds every
//! kernel for every instruction set, so it reads its own symbol table (ELF's; other formats are skipped).

use impasto_vgg::cpu::{CpuEngine, CpuOptions};
use impasto_vgg::{
    Border, Engine, Guides, Layer, MomentGradients, ObservationGradients, Pooling, Precision, SessionRequest, Weights,
};

#[test]
fn no_vector_operation_is_a_call() {
    run_every_kernel();
    let program = std::env::current_exe().and_then(std::fs::read).expect("a program can read itself");
    let Some(names) = symbol_names(&program) else {
        println!("skipped: this program is no 64-bit little-endian ELF file with a symbol table");
        return;
    };
    if cfg!(target_arch = "x86_64") {
        assert!(
            names.iter().any(|name| name.contains("enter_avx2")),
            "the kernels themselves must be among the symbols"
        );
    }
    let calls: Vec<&String> = names.iter().filter(|name| is_vector_operation(name)).collect();
    assert!(calls.is_empty(), "left as calls: {calls:?}");
}

/// Whether a mangled name is an operation of `core::arch` on vectors: `_mm512_fmadd_ps`, `vfmaq_f32`.
fn is_vector_operation(name: &str) -> bool {
    name.contains("core_arch") && (name.contains("_mm") || name.contains("q_f32") || name.contains("q_u32"))
}

#[test]
fn names_of_operations_are_told_from_others() {
    assert!(is_vector_operation("_ZN4core9core_arch3x867avx512f15_mm512_fmadd_ps17h0123456789abcdefE"));
    assert!(is_vector_operation("_RNvNtNtNtCsgEmfK2I1SDS_4core9core_arch3x867avx512f15__mm512_fmadd_ps"));
    assert!(is_vector_operation("_ZN4core9core_arch8arm_shared4neon9vfmaq_f3217h0123456789abcdefE"));
    assert!(!is_vector_operation("_ZN4core9core_arch3x865xsave7_xgetbv17h0123456789abcdefE"));
}

/// One small evaluation with each instruction set, so that the linker keeps them all.
fn run_every_kernel() {
    let engine = CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(1), ..CpuOptions::default() }).unwrap();
    let style = Layer::named("conv1_1").unwrap();
    let guided = Guides { regions: 1, emphasis: true };
    let precisions = [Precision::F32, Precision::Bf16].into_iter();
    for (precision, guides) in precisions.flat_map(|precision| [(precision, Guides::default()), (precision, guided)]) {
        let request = SessionRequest {
            height: 8,
            width: 8,
            pooling: Pooling::Max,
            border: Border::Replicate,
            precision,
            style_taps: vec![style],
            content_taps: vec![Layer::named("conv1_2").unwrap()],
            matched_taps: Vec::new(),
            guides,
            way_back: true,
            memory_limit_bytes: None,
        };
        let image = vec![100.0; request.picture_len()];
        let mut session = engine.session(&request).unwrap();
        session.set_content(&image).unwrap();
        if guides.emphasis {
            let soft: Vec<f32> = (0..64).map(|place| place as f32 / 63.0).collect();
            session.set_masks(&soft).unwrap();
            session.set_emphasis(&soft).unwrap();
        }
        session.forward(&image).unwrap();
        let channels = style.channels();
        let moments = vec![MomentGradients { mean: vec![1.0; channels], second: vec![1.0; channels * channels] }];
        let mut pixels = vec![0.0; request.picture_len()];
        session
            .backward(&ObservationGradients { moments, distances: vec![1.0], matched: Vec::new() }, &mut pixels)
            .unwrap();
    }
}

/// The names in the symbol table of a 64-bit little-endian ELF file (System V ABI, chapter 4).
fn symbol_names(file: &[u8]) -> Option<Vec<String>> {
    const SYMBOL_TABLE: u64 = 2;
    const SYMBOL_LEN: usize = 24;
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let number = |at: usize, bytes: usize| {
        let mut value = [0; 8];
        value[..bytes].copy_from_slice(file.get(at..at + bytes)?);
        Some(u64::from_le_bytes(value))
    };
    let (sections, section_len, count) =
        (number(0x28, 8)? as usize, number(0x3a, 2)? as usize, number(0x3c, 2)? as usize);
    let section = |index: usize| {
        let at = sections + index * section_len;
        let (kind, linked) = (number(at + 4, 4)?, number(at + 40, 4)? as usize);
        let (offset, size) = (number(at + 24, 8)? as usize, number(at + 32, 8)? as usize);
        Some((kind, linked, file.get(offset..offset.checked_add(size)?)))
    };
    let (_, linked, symbols) = (0..count).filter_map(section).find(|(kind, ..)| *kind == SYMBOL_TABLE)?;
    let strings = section(linked)?.2?;
    let names = symbols?.chunks_exact(SYMBOL_LEN).filter_map(|symbol| {
        let start = u32::from_le_bytes(symbol[..4].try_into().ok()?) as usize;
        let name = strings.get(start..)?.split(|&byte| byte == 0).next()?;
        Some(String::from_utf8_lossy(name).into_owned())
    });
    Some(names.collect())
}
