use super::*;

fn settings(posture: Posture) -> EdgeSettings {
    EdgeSettings {
        posture,
        listen: "127.0.0.1:1".parse().unwrap(),
        admin: "127.0.0.1:2".parse().unwrap(),
        filter: "/somewhere/module.wasm".into(),
        plugin: json!({"marker": "plugin"}),
        custody: Some(CustodyLink {
            address: "127.0.0.1:3".parse().unwrap(),
            tls: Some(MutualTls {
                server_ca: "/somewhere/ca.pem".into(),
                server_name: "custody.test".to_owned(),
                certificate: "/somewhere/edge.pem".into(),
                key: "/somewhere/edge.key".into(),
                secrets: concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tmp/sds").into(),
            }),
        }),
        custody_cluster: CustodyCluster::Shipped,
        issuer: Some("127.0.0.1:6".parse().unwrap()),
        retry: false,
        destinations: None,
        resolver: Some("127.0.0.1:4".parse().unwrap()),
        upstream_ca: "/somewhere/roots.pem".into(),
        access_log: Some("/somewhere/access.log".into()),
        private_upstreams: false,
    }
}

fn explicit() -> EdgeSettings {
    settings(Posture::Explicit { leaf_ca: LeafCaLink::Tcp("127.0.0.1:5".parse().unwrap()) })
}

fn both() -> [EdgeSettings; 2] {
    [explicit(), settings(Posture::Gateway)]
}

fn rendered(settings: &EdgeSettings) -> Value {
    serde_json::from_str(&settings.render().unwrap()).unwrap()
}

fn port(root: &mut Value, place: &str) -> u64 {
    at(root, &format!("{place}.socket_address.port_value")).unwrap().as_u64().unwrap()
}

#[test]
fn every_address_is_put_where_envoy_looks_for_it() {
    let endpoint = "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address";
    for settings in both() {
        let mut root = rendered(&settings);
        assert_eq!(port(&mut root, "static_resources.listeners[guests].address"), 1);
        assert_eq!(port(&mut root, "admin.address"), 2);
        let custody = "static_resources.clusters[custody]";
        assert_eq!(port(&mut root, &format!("{custody}.{endpoint}")), 3);
        assert_eq!(port(&mut root, &format!("static_resources.clusters[issuer].{endpoint}")), 6);
    }
    let mut root = rendered(&explicit());
    assert_eq!(port(&mut root, &format!("static_resources.clusters[leaf_ca].{endpoint}")), 5);
}

#[test]
fn no_path_and_no_name_of_the_shipped_file_is_left() {
    for settings in both() {
        let text = settings.render().unwrap();
        for left in ["/etc/", "/run/", "custody.internal", "control-plane.example", "Stdout"] {
            assert!(!text.contains(left), "{left} in {text}");
        }
    }
}

#[test]
fn every_filter_gets_the_module_and_the_same_plugin_configuration() {
    // Explicit: the requests for tunnels, what is in tunnels, and what is in tunnels of denied requests.
    for (settings, filters) in both().iter().zip([3, 1]) {
        let mut seen = 0;
        each_of_type(&mut rendered(settings), "Wasm", &mut |filter| {
            let module = at(filter, "config.vm_config.code.local.filename")?.clone();
            assert_eq!(module, json!("/somewhere/module.wasm"));
            let plugin = at(filter, "config.configuration.value")?.clone();
            assert_eq!(plugin, json!(r#"{"marker":"plugin"}"#));
            seen += 1;
            Some(())
        });
        assert_eq!(seen, filters);
    }
}

#[test]
fn every_name_is_resolved_by_the_given_server() {
    for settings in both() {
        each_of_type(&mut rendered(&settings), "CaresDnsResolverConfig", &mut |cares| {
            assert_eq!(at(cares, "resolvers[0].socket_address.port_value"), Some(&mut json!(4)));
            assert_eq!(
                at(cares, "dns_resolver_options.no_default_search_domain"),
                Some(&mut json!(true))
            );
            Some(())
        });
    }
}

#[test]
fn private_upstreams_are_refused_unless_asked_for() {
    let nets = ["resolved_address_filter", "envoy.filters.http.upstream_rbac"];
    for mut settings in both() {
        let text = settings.render().unwrap();
        assert!(nets.iter().all(|net| text.contains(net)));
        settings.private_upstreams = true;
        let text = settings.render().unwrap();
        assert!(!nets.iter().any(|net| text.contains(net)));
        assert!(text.contains("envoy.filters.http.upstream_codec"), "the chain keeps its end");
    }
}

#[test]
fn custody_without_tls_keeps_no_certificate() {
    for mut settings in both() {
        settings.custody = None;
        let mut root = rendered(&settings);
        assert_eq!(at(&mut root, "static_resources.clusters[custody].transport_socket"), None);
        assert!(!root.to_string().contains("edge-client"));
    }
}

/// What Envoy reads once ends with the first certificate.
#[test]
fn certificate_key_and_ca_are_files_that_envoy_watches() {
    let folder = tempfile::tempdir().unwrap();
    for mut settings in both() {
        let tls = settings.custody.as_mut().unwrap().tls.as_mut().unwrap();
        tls.secrets = folder.path().join("sds");
        let mut root = rendered(&settings);
        let common =
            "static_resources.clusters[custody].transport_socket.typed_config.common_tls_context";
        let common = at(&mut root, common).unwrap();
        assert!(!common.to_string().contains("filename"), "{common}");
        for (source, secret, files) in [
            (
                "tls_certificate_sds_secret_configs[edge-client]",
                "tls_certificate",
                [
                    ("certificate_chain.filename", "/somewhere/edge.pem"),
                    ("private_key.filename", "/somewhere/edge.key"),
                ]
                .as_slice(),
            ),
            (
                "combined_validation_context.validation_context_sds_secret_config",
                "validation_context",
                &[("trusted_ca.filename", "/somewhere/ca.pem")],
            ),
        ] {
            let source = at(common, source).unwrap();
            let name = source["name"].clone();
            let source = at(source, "sds_config.path_config_source").unwrap();
            assert_eq!(source["watched_directory"]["path"], json!(folder.path().join("sds")));
            let text = std::fs::read_to_string(source["path"].as_str().unwrap()).unwrap();
            let mut file: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(file["resources"][0]["name"], name);
            let secret = at(&mut file, &format!("resources[0].{secret}")).unwrap();
            assert_eq!(secret["watched_directory"]["path"], "/somewhere");
            for (place, path) in files {
                assert_eq!(at(secret, place), Some(&mut json!(path)), "{place}");
            }
        }
    }
}

#[test]
fn every_destination_can_lead_to_one_address() {
    for mut settings in both() {
        settings.destinations = Some("127.0.0.1:6".parse().unwrap());
        let mut root = rendered(&settings);
        for cluster in DESTINATIONS {
            let cluster = at(&mut root, &format!("static_resources.clusters[{cluster}]")).unwrap();
            assert_eq!(cluster.get("cluster_type"), None);
            assert_eq!(cluster["type"], "STATIC");
            let endpoint = at(cluster, "load_assignment.endpoints[0].lb_endpoints[0].endpoint");
            let address = at(endpoint.unwrap(), "address.socket_address.port_value");
            assert_eq!(address, Some(&mut json!(6)));
            assert!(cluster.get("transport_socket").is_some(), "TLS stays");
        }
    }
}

#[test]
fn custody_can_be_missing_in_two_ways() {
    for mut settings in both() {
        settings.custody_cluster = CustodyCluster::Empty;
        let place = "static_resources.clusters[custody].load_assignment.endpoints";
        assert_eq!(at(&mut rendered(&settings), place), Some(&mut json!([])));
        settings.custody_cluster = CustodyCluster::Absent;
        assert_eq!(at(&mut rendered(&settings), "static_resources.clusters[custody]"), None);
    }
}

#[test]
fn the_net_stands_right_behind_every_filter() {
    for (settings, expected) in both().iter().zip([vec!["connect", "request"], vec!["request"]]) {
        let mut permits = Vec::new();
        each_of_type(&mut rendered(settings), "HttpConnectionManager", &mut |http| {
            let filters = at(http, "http_filters")?.as_array()?;
            let ours = filters.iter().position(|filter| filter["name"] == "leasehold")?;
            let net = filters[ours + 1].clone();
            if http["stat_prefix"] == "refused" {
                // No net, and no way out either: Envoy itself answers every request.
                assert_eq!(net["name"], "envoy.filters.http.router");
                let routes = at(http, "route_config.virtual_hosts[0].routes")?.as_array()?;
                assert!(routes.iter().all(|route| route["direct_response"]["status"] == 403));
                return Some(());
            }
            assert_eq!(net["name"], "envoy.filters.http.rbac");
            let rules = &net["typed_config"]["rules"];
            assert_eq!(rules["action"], "ALLOW");
            assert_eq!(rules["policies"].as_object()?.len(), 1);
            let permit = &rules["policies"]["permit"]["principals"][0]["filter_state"];
            assert_eq!(permit["key"], "wasm.leasehold.permit");
            permits.push(permit["string_match"]["exact"].as_str()?.to_owned());
            Some(())
        });
        permits.sort();
        assert_eq!(permits, expected);
    }
}

/// Objects that cannot be hashed let Envoy hand a tunnel the inner connection of another guest.
#[test]
fn what_a_tunnel_carries_keeps_tunnels_apart() {
    let mut root = rendered(&explicit());
    let mut keys = Vec::new();
    each_of_type(&mut root, "set_filter_state.v3.Config", &mut |filter| {
        for object in at(filter, "on_request_headers")?.as_array()? {
            assert_eq!(object["factory_key"], "envoy.hashable_string");
            assert_eq!(object["shared_with_upstream"], "ONCE");
            keys.push(object["object_key"].as_str()?.to_owned());
        }
        Some(())
    });
    keys.sort();
    let expected = [
        "leasehold.connect_authority",
        "leasehold.connect_refusal",
        "leasehold.connect_session",
        "leasehold.guest_address",
    ];
    assert_eq!(keys, expected);
    for name in ["tunnel", "refused"] {
        let cluster = at(&mut root, &format!("static_resources.clusters[{name}]")).unwrap();
        assert_eq!(cluster["connection_pool_per_downstream_connection"], true, "{name}");
    }
}

#[test]
fn a_place_that_is_missing_is_named() {
    let mut shipped = Shipped::of(&Posture::Gateway).unwrap();
    let error = shipped.put_endpoint("leaf_ca", &json!({})).unwrap_err().to_string();
    assert!(error.contains("gateway.yaml") && error.contains("clusters[leaf_ca]"), "{error}");
}
