//! Policies and modules that are swapped while attempts are under way: as a listener, and as a plugin that
//! is discovered.

use std::fs;
use std::path::{Path, PathBuf};

use stack::altered;
use stack::envoy::EdgeSettings;

use super::super::discovered::Plugin;
use super::super::{DEFAULT_DRAIN, Edge, VMS, rendered, verdict};
use super::{
    Guest, MODELS, TEAMS, assert_own_credentials, builder, start, under_load, wait_for,
    with_attempts,
};
use crate::wide::wait_until;
use tests::scene::Scene;

/// The same code in other bytes, so that Envoy starts another VM for it.
fn other_module(settings: &EdgeSettings, folder: &Path) -> PathBuf {
    let path = folder.join("other.wasm");
    fs::write(&path, altered::other_bytes(&fs::read(&settings.filter).unwrap())).unwrap();
    path
}

#[test]
fn replaced_policies_and_modules_leave_each_attempt_its_own_credential() {
    let mut edge = Edge::start_with(builder(), DEFAULT_DRAIN, Some(1), with_attempts);
    let folder = tempfile::tempdir().unwrap();
    let modules = [edge.settings.filter.clone(), other_module(&edge.settings, folder.path())];
    let mut listeners = edge.listeners.clone();
    let others = under_load(&edge.scene, edge.settings.listen, |answered| {
        for generation in 2..=7 {
            wait_for(20, answered);
            let mut settings = edge.settings.clone();
            // Each module gets two policies, one after the other.
            settings.filter.clone_from(&modules[(generation as usize / 2) % 2]);
            listeners.replace(&rendered(&settings, Some(generation), |_| {})).unwrap();
            wait_until("the generation in every VM", || edge.configured(generation) >= VMS);
        }
        wait_for(20, answered);
    });
    assert!(others.is_empty(), "denied for a reload: {others:?}");
    let arrived = assert_own_credentials(&edge.scene);
    assert!(arrived.iter().all(|count| *count >= 40), "{arrived:?}");
    edge.listeners = listeners;
    edge.envoy.stop().unwrap();
}

/// The judge's filter is discovered, and the attempts' filter stays with the module that it has.
#[test]
fn discovered_module_that_the_attempts_do_not_have_is_denied() {
    let scene = Scene::start(builder());
    let folder = tempfile::tempdir().unwrap();
    let mut settings = scene.stack.settings().clone();
    with_attempts(&mut settings);
    let plugin = Plugin::at(folder.path());
    let envoy =
        start(&scene, &plugin.split(&rendered(&settings, Some(1), |_| {})), 2, folder.path());
    let replace = |settings: &EdgeSettings, generation: u64| {
        plugin.replace(&rendered(settings, Some(generation), |_| {}));
        let line = format!("policy edge: generation {generation} is configured");
        wait_until("the generation in every VM", || {
            envoy.log().unwrap().matches(&line).count() >= VMS
        });
    };
    let edge = envoy.listen_address();
    let early = under_load(&scene, edge, |answered| {
        wait_for(20, answered);
        replace(&settings, 2);
        wait_for(20, answered);
    });
    assert!(early.is_empty(), "denied for a policy: {early:?}");
    let denied = (503, Some("not_configured".to_owned()));
    let mut swapped = settings.clone();
    swapped.filter = other_module(&settings, folder.path());
    let late = under_load(&scene, edge, |answered| {
        wait_for(20, answered);
        replace(&swapped, 3);
        wait_for(60, answered);
    });
    assert!(late.len() >= 20, "{} denied", late.len());
    for reply in &late {
        assert_eq!(verdict(reply), denied, "{}", reply.text());
    }
    let [red, blue] = TEAMS.map(|team| Guest::new(&scene, team));
    for guest in [&red, &blue] {
        assert_eq!(verdict(&guest.ask(edge, MODELS)), denied);
    }
    replace(&settings, 4);
    wait_until("the first module again", || {
        [&red, &blue].iter().all(|guest| verdict(&guest.ask(edge, MODELS)) == (200, None))
    });
    assert_own_credentials(&scene);
    envoy.stop().unwrap();
}
