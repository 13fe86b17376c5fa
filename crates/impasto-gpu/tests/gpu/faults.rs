//! Faults: a device without memory is answered with smaller bands and the same bytes, a lost one with a sentence.

use impasto_gpu::{GpuEngine, SimulatedFaults};
use impasto_vgg::{Border, Engine, EngineError, Layer, Pooling, Session, SessionRequest, Weights};

use crate::device;
use crate::evaluation::evaluate;
use crate::support::conformance::{named, request};
use crate::support::random::Random;

fn small() -> SessionRequest {
    let style: Vec<Layer> = ["conv1_1", "conv2_1"].map(named).to_vec();
    request((75, 21), (Pooling::Max, Border::Zero), &style, &[named("conv2_2")])
}

fn faulty(faults: SimulatedFaults) -> Option<GpuEngine> {
    Some(GpuEngine::with_faults(device()?, Weights::embedded(), faults))
}

#[test]
fn too_little_memory_is_answered_with_a_plan_that_takes_less() {
    let Some(ample) = faulty(SimulatedFaults::default()) else { return };
    let expected = evaluate(&ample, &small()).unwrap();
    let bytes = ample.session_bytes(&small()).unwrap();
    let tight = faulty(SimulatedFaults { memory_bytes: Some(bytes - 1), ..SimulatedFaults::default() }).unwrap();
    let ours = evaluate(&tight, &small()).unwrap();
    assert!(ours.0 == expected.0, "other bytes");
    assert_ne!(ours.1, expected.1);
    let none = faulty(SimulatedFaults { memory_bytes: Some(1000), ..SimulatedFaults::default() }).unwrap();
    let error = evaluate(&none, &small()).unwrap_err();
    assert!(matches!(&error, EngineError::Device(said) if said.contains("too little free memory")), "{error}");
}

/// In the content image, on the way forward, on the way back, and after the last submission.
#[test]
fn memory_that_ends_in_the_middle_changes_no_byte() {
    let Some(ample) = faulty(SimulatedFaults::default()) else { return };
    let expected = evaluate(&ample, &small()).unwrap();
    let mut met = 0;
    for at in [1, 3, 5, 40] {
        let faults = SimulatedFaults { out_of_memory_at: Some(at), ..SimulatedFaults::default() };
        let ours = evaluate(&faulty(faults).unwrap(), &small()).unwrap();
        assert!(ours.0 == expected.0, "other bytes after memory ended at submission {at}");
        met += usize::from(ours.1 != expected.1);
    }
    assert!(met >= 2, "it did not end in the middle: {met}");
}

/// Also while features are brought out for inspection: the device is as good as before.
#[test]
fn memory_that_ends_beside_a_session_leaves_no_fault_behind() {
    let Some(ample) = faulty(SimulatedFaults::default()) else { return };
    let picture = Random(3).picture(small().height, small().width);
    let expected = ample.open(&small()).unwrap().feature_map(&picture, named("conv2_2")).unwrap();
    for at in [1, 3] {
        let faults = SimulatedFaults { out_of_memory_at: Some(at), ..SimulatedFaults::default() };
        let engine = faulty(faults).unwrap();
        let mut session = engine.open(&small()).unwrap();
        let ours = session.feature_map(&picture, named("conv2_2"));
        assert!(ours.as_ref() == Ok(&expected), "memory ended at submission {at}: {:?}", ours.err());
        assert_eq!(engine.device().fault(), None, "memory ended at submission {at}");
        session.set_content(&picture).unwrap();
        session.forward(&picture).unwrap();
    }
}

#[test]
fn a_lost_device_is_a_sentence_whenever_it_is_lost() {
    for after in 0..6 {
        let Some(engine) = faulty(SimulatedFaults { lost_after: Some(after), ..SimulatedFaults::default() }) else {
            return;
        };
        match evaluate(&engine, &small()) {
            Err(EngineError::Device(said)) => assert!(said.contains("was lost in the middle of its work"), "{said}"),
            Err(other) => panic!("lost after {after}: {other}"),
            // An evaluation of few submissions.
            Ok(_) => assert!(after >= 3, "lost after {after} submissions, and nobody noticed"),
        }
        if engine.device().fault().is_some() {
            assert!(engine.open(&small()).is_err(), "nothing can be done on a lost device");
        }
    }
}
