//! The fault sweep of the Leasehold filter.
//!
//! Every host call it makes, made to answer every status; every way a callout can end; the guest gone
//! at every point; on one VM and on three. Whatever happens, nothing passes the net without a live
//! lease, no VM traps, nothing hangs, nobody is answered twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/mod.rs"]
mod support;

mod scene;
mod verdict;

use host_sim::{Answer, FaultPlan, Foreign, Module, Status};
use scene::{Ask, Scene};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use verdict::{Tally, judge};

/// One run: a scene and the fault in it.
#[derive(Clone)]
pub struct Run {
    pub scene: Scene,
    pub fault: Option<(&'static str, u64, Status)>,
}

#[test]
fn every_host_call_and_every_status() {
    let module = support::filter();
    let mut runs = Vec::new();
    for workers in [1, 3] {
        for ask in Ask::ALL {
            let scene = Scene { ask, workers, ..Scene::default() };
            // Starting is the same for all of them, but where keys are fetched; its calls are swept once
            // a number of workers.
            runs.extend(faults_of(&module, &scene, matches!(ask, Ask::Get | Ask::Fetched)));
        }
    }
    sweep(&module, &runs, "host calls x statuses");
}

#[test]
fn every_end_of_a_callout() {
    let module = support::filter();
    let mut runs = Vec::new();
    for workers in [1, 3] {
        for answer in scene::answers() {
            let scene = Scene { answer, workers, ..Scene::default() };
            runs.push(Run { scene: scene.clone(), fault: None });
            if workers == 1 {
                runs.extend(faults_of(&module, &scene, false));
            }
        }
    }
    sweep(&module, &runs, "ends of a callout x host calls x statuses");
}

#[test]
fn every_end_of_a_fetch_of_keys() {
    let module = support::filter();
    let mut runs = Vec::new();
    for workers in [1, 3] {
        let scene =
            |keys| Scene { ask: Ask::Fetched, workers, keys: Some(keys), ..Scene::default() };
        for scene in scene::useless_keys().into_iter().map(scene) {
            if workers == 1 {
                runs.extend(faults_of(&module, &scene, true));
            }
            runs.push(Run { scene, fault: None });
        }
        let more = scene::more_useless_keys().into_iter().map(scene);
        runs.extend(more.map(|scene| Run { scene, fault: None }));
    }
    sweep(&module, &runs, "ends of a fetch of keys x host calls x statuses");
}

#[test]
fn the_guest_is_gone_at_every_point() {
    let module = support::filter();
    let mut runs = Vec::new();
    for workers in [1, 3] {
        for (kind, answer) in scene::answers().into_iter().enumerate() {
            // Callout and upstream take 2 ms each: before, in, between and behind them.
            for gone_after in 0..8 {
                let wait = Duration::from_millis(2);
                let gone = Some(Duration::from_millis(gone_after));
                let answer = answer.clone().after(wait);
                let scene = Scene { answer, workers, gone, ..Scene::default() };
                runs.push(Run { scene: scene.clone(), fault: None });
                // Faults on top where they can matter: before, in and after the callout.
                if workers == 1 && kind < 2 && gone_after % 2 == 1 {
                    runs.extend(faults_of(&module, &scene, false));
                }
            }
        }
    }
    sweep(&module, &runs, "points to be gone at x ends of a callout x host calls x statuses");
}

/// Whatever else the host says of a signature than yes or no: it is found out without it.
#[test]
fn every_answer_about_a_signature() {
    let module = support::filter();
    let error = |text: &str| [&[0x12, text.len() as u8], text.as_bytes()].concat();
    let no = error("Failed to verify digest. Error code: 0");
    let answers = [
        vec![],
        vec![8],
        vec![1],
        vec![8, 0],
        vec![8, 2],
        vec![8, 0x81, 0],
        vec![8, 1, 8, 1],
        vec![8, 1, 0x12, 0],
        vec![0x12, 0],
        vec![0x10, 1],
        vec![0xff; 70_000],
        b"true".to_vec(),
        error("md5 is not supported."),
        error("Failed to initialize digest verify. Error code: 0"),
        [&no[..], &[8, 1]].concat(),
        [&[8, 1], &no[..]].concat(),
        no[..20].to_vec(),
    ];
    let mut others = vec![Foreign::Missing];
    others.extend(answers.map(Foreign::Gives));
    let mut tally = Tally::default();
    for ask in Ask::ASSISTED {
        let through = usize::from(!ask.is_forged());
        for other in &others {
            let scene = Scene { ask, signatures: Some(other.clone()), ..Scene::default() };
            let before = tally.through;
            judge(&Run { scene, fault: None }, &module, &mut tally);
            assert_eq!(tally.through - before, through, "{ask:?} {other:?}");
        }
        for status in Status::ALL {
            let fault = Some(("proxy_call_foreign_function", 1, status));
            let before = tally.through;
            judge(&Run { scene: Scene { ask, ..Scene::default() }, fault }, &module, &mut tally);
            assert_eq!(tally.through - before, through, "{ask:?} {status}");
        }
    }
    assert!(tally.wrong.is_empty(), "{}", tally.report());
    leave("answers about a signature", &tally);
    let refused =
        Scene { ask: Ask::Es256, signatures: Some(Foreign::Gives(no)), ..Scene::default() };
    refused.run(&module, FaultPlan::new()).unwrap().outcomes[0]
        .assert_replied(401)
        .assert_received_header("x-deny-reason", "session_signature");
}

/// A run for each call the scene makes and each status it could answer.
fn faults_of(module: &Module, scene: &Scene, with_start: bool) -> Vec<Run> {
    let scene_run = scene.run(module, FaultPlan::new());
    let scene_run = scene_run.unwrap_or_else(|error| panic!("{error}"));
    let mut runs = Vec::new();
    for (function, calls) in scene_run.host.transcript().calls() {
        // Random bytes and clocks of WASI have errnos, not statuses; the SDK's runtime reads them.
        if !function.starts_with("proxy_") {
            continue;
        }
        let before = scene_run.at_start.get(function).copied().unwrap_or_default();
        let first = if with_start { 1 } else { before + 1 };
        for nth in first..=*calls {
            for status in Status::ALL {
                runs.push(Run { scene: scene.clone(), fault: Some((function, nth, status)) });
            }
        }
    }
    runs
}

/// Plays all runs, two at a time, and fails with everything that went wrong.
fn sweep(module: &Module, runs: &[Run], what: &str) {
    let tally = Mutex::new(Tally::default());
    let half = runs.len().div_ceil(2).max(1);
    std::thread::scope(|scope| {
        for runs in runs.chunks(half) {
            let tally = &tally;
            scope.spawn(move || {
                let mut own = Tally::default();
                for run in runs {
                    judge(run, module, &mut own);
                }
                tally.lock().unwrap().add(own);
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    println!("{what}: {tally}");
    leave(what, &tally);
    assert!(tally.wrong.is_empty(), "{what}: {tally}\n{}", tally.report());
    assert_eq!(tally.runs, runs.len());
}

/// `cargo xtask test` adds these up: a test that passes is not heard.
fn leave(what: &str, tally: &Tally) {
    let folder = support::root().join("target/sweep");
    std::fs::create_dir_all(&folder).unwrap();
    let counts = format!("{} {}\n", tally.runs, tally.wrong.len());
    std::fs::write(folder.join(what.replace(' ', "-")), counts).unwrap();
}

/// What a plain run of each scene comes to: without this the sweep could pass on nothing.
#[test]
fn without_a_fault_every_scene_but_a_forged_one_is_let_through() {
    let module = support::filter();
    for workers in [1, 3] {
        for ask in Ask::ALL {
            let scene = Scene { ask, workers, ..Scene::default() };
            let scene_run = scene.run(&module, FaultPlan::new()).unwrap();
            assert_eq!(scene_run.outcomes.len(), workers * ask.at_once(), "{ask:?}");
            for outcome in &scene_run.outcomes {
                if ask.is_forged() {
                    outcome.assert_replied(401);
                } else {
                    outcome.assert_forwarded();
                }
            }
        }
    }
    let refused =
        Scene { answer: Answer::json(403, r#"{"code":"not_granted"}"#), ..Scene::default() };
    let scene_run = refused.run(&module, FaultPlan::new()).unwrap();
    scene_run.outcomes[0].assert_replied(403);
    let counts: BTreeMap<_, _> = scene_run.host.transcript().calls().clone();
    assert!(counts.contains_key("proxy_send_local_response"));
}

/// A guest that says yes to everything, permit and all: the sweep has to see it.
#[test]
fn a_filter_that_lets_everything_through_is_found_out() {
    let module = Module::new(
        br#"(module
          (import "env" "proxy_set_property" (func $set (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 64) "leasehold.permitrequest")
          (func (export "proxy_abi_version_0_2_1"))
          (func (export "malloc") (param i32) (result i32) (i32.const 4096))
          (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $set (i32.const 64) (i32.const 16) (i32.const 80) (i32.const 7))))"#,
    );
    let module = module.unwrap();
    let mut tally = Tally::default();
    for ask in [Ask::Get, Ask::Tunnelled] {
        judge(&Run { scene: Scene { ask, ..Scene::default() }, fault: None }, &module, &mut tally);
    }
    let [nothing, own] = tally.wrong.as_slice() else { panic!("{:?}", tally.wrong) };
    assert!(nothing.ends_with("passed with authorization None"), "{nothing}");
    assert!(own.ends_with("the guest's own credential reached the upstream"), "{own}");
}

fn faulty(function: &str, status: Status) -> FaultPlan {
    FaultPlan::new().nth(function, 1, status)
}

/// Each is refused and counted; the log has ten of them, and how many more there were.
#[test]
fn a_flood_of_forged_sessions_fills_no_log() {
    let module = support::filter();
    let scene = Scene { ask: Ask::Flood, ..Scene::default() };
    let scene_run = scene.run(&module, FaultPlan::new()).unwrap();
    assert_eq!(scene_run.outcomes.len(), 500);
    for outcome in &scene_run.outcomes {
        outcome.assert_replied(401).assert_received_header("x-deny-reason", "session_signature");
    }
    let transcript = scene_run.host.transcript();
    assert_eq!(transcript.calls()["proxy_increment_metric"], 500);
    let logs: Vec<_> = transcript.logs().map(|(_, text)| text).collect();
    assert_eq!(logs.len(), 11);
    let (more, lines) = logs.split_last().unwrap();
    assert_eq!(*more, "leasehold: denied reason=session_signature, 490 more in a second");
    assert!(lines.iter().all(|line| line.contains("reason=session_signature status=401")));
}

/// The host takes a callout and never answers it.
#[test]
fn a_request_does_not_wait_longer_than_its_deadline() {
    let module = support::filter();
    let scene_run = Scene::default().run(&module, faulty("proxy_http_call", Status::Ok)).unwrap();
    let outcome = &scene_run.outcomes[0];
    outcome.assert_replied(503).assert_received_header("x-deny-reason", "custody_timeout");
}

/// What the host would not take is said again a tick later.
#[test]
fn a_denial_that_could_not_be_said_is_said_again() {
    let module = support::filter();
    for function in ["proxy_set_effective_context", "proxy_continue_stream"] {
        let scene_run = Scene::default().run(&module, faulty(function, Status::Empty)).unwrap();
        scene_run.outcomes[0].assert_replied(503);
    }
    let refused =
        Scene { answer: Answer::json(403, r#"{"code":"not_granted"}"#), ..Scene::default() };
    let fault = faulty("proxy_send_local_response", Status::InternalFailure);
    refused.run(&module, fault).unwrap().outcomes[0].assert_replied(403);
}

/// Its answer comes to the root all the same, and the lease serves whoever asks next.
#[test]
fn a_lease_outlives_the_guest_who_asked_for_it() {
    let module = support::filter();
    let answer = Scene::default().answer.after(Duration::from_millis(2));
    let gone = Some(Duration::from_millis(1));
    let scene = Scene { ask: Ask::Twice, answer, gone, ..Scene::default() };
    let scene_run = scene.run(&module, FaultPlan::new()).unwrap();
    assert_eq!(scene_run.host.callouts("custody").len(), 1);
}
