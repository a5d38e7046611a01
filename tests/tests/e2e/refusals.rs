//! Every refusal, by two oracles: what the guest is told, and that the origin saw nothing. Each
//! table has an accepted twin, so that it can fail.

mod carriers;
mod configuration;
mod gateway;
mod headers;
mod in_tunnel;
mod of_envoy;
mod paths;
mod sessions;
mod telling;
mod tunnels;
mod under_way;
