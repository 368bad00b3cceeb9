//! Simulated histories that every check runs.

use simulation::{Run, STEPS, run, run_seeds, run_sessions, run_wills, scenario};

/// Seeds of every check; more are run by hand.
const SEEDS: u64 = 500;
/// Seeds of sessions, and steps of each.
const SESSION_SEEDS: u64 = 150;
const SESSION_STEPS: usize = 30;
/// Seeds of wills, which take longer.
const WILL_SEEDS: u64 = 24;

#[test]
fn every_property_holds_in_five_hundred_histories() {
    let failed: Vec<String> = run_seeds(run, 0..SEEDS, STEPS).iter().map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn sessions_are_kept_as_promised_in_a_hundred_and_fifty_histories() {
    let failed: Vec<String> =
        run_seeds(run_sessions, 0..SESSION_SEEDS, SESSION_STEPS).iter().map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn one_seed_gives_one_history() {
    for (run, steps) in [(run as Run, STEPS), (run_sessions, SESSION_STEPS)] {
        for seed in 0..8 {
            let [once, again] = [(); 2].map(|()| run(seed, steps).unwrap_or_else(|failure| panic!("{failure}")));
            assert_eq!(once, again, "seed {seed}");
        }
    }
}

#[test]
fn a_device_is_disconnected_when_its_certificate_is_given_to_another() {
    let trace = scenario::a_certificate_is_given_to_another_device().unwrap_or_else(|failure| panic!("{failure}"));
    let trace = trace.join("\n");
    assert!(trace.contains("dev-a disconnected: device_mismatch"), "{trace}");
    assert!(trace.contains("accepted as dev-b"), "{trace}");
}

#[test]
fn a_device_is_disconnected_when_a_ca_above_it_is_distrusted_and_comes_back_when_it_is_verified_again() {
    let trace = scenario::a_ca_below_another_is_distrusted().unwrap_or_else(|failure| panic!("{failure}"));
    let trace = trace.join("\n");
    assert!(trace.contains("sensor_0 disconnected: ca_distrusted"), "{trace}");
    assert!(trace.contains("  ca_distrusted; connected"), "{trace}");
    assert_eq!(trace.matches("accepted as sensor_0").count(), 2, "{trace}");
}

#[test]
fn a_will_is_published_once_if_its_session_ends_without_a_goodbye_and_never_after_one() {
    let failed: Vec<String> = run_seeds(run_wills, 0..WILL_SEEDS, STEPS).iter().map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
