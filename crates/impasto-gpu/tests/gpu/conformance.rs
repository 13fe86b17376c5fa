//! What every engine has to do, checked on the GPU's.

use crate::support::conformance;
use crate::{is_whole_series, subjects};

#[test]
fn every_layer_tapped_at_once() {
    conformance::every_layer_tapped_at_once(&subjects());
}

#[test]
fn each_layer_as_the_only_tap() {
    conformance::each_layer_as_the_only_tap(&subjects());
}

#[test]
fn the_papers_taps() {
    conformance::the_papers_taps(&subjects());
}

#[test]
fn feature_maps_of_every_layer() {
    conformance::feature_maps_of_every_layer(&subjects());
}

#[test]
fn same_bytes_for_any_history() {
    conformance::same_bytes_for_any_threads_and_any_history(&subjects());
}

#[test]
fn without_a_way_back_the_same_is_seen() {
    if !is_whole_series() {
        return;
    }
    conformance::without_a_way_back_the_same_is_seen(&subjects());
}

#[test]
fn calls_out_of_order_are_errors_in_words() {
    conformance::calls_out_of_order_are_errors_in_words(&subjects());
}

#[test]
fn requests_and_lengths_that_do_not_fit_are_errors_in_words() {
    conformance::requests_and_lengths_that_do_not_fit_are_errors_in_words(&subjects());
}

#[test]
fn no_taps_at_all() {
    conformance::no_taps_at_all(&subjects());
}
