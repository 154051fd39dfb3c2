//! The hardware of endpoints: some of the Hub's; nothing costs anything here.

use serde_json::{Value, json};

use super::super::super::call::{Call, Reply};
use super::super::super::response;
use super::super::owned;
use super::{WHAT, config};
use crate::store::{Endpoint, EndpointState as State};

const VENDOR: &str = "aws";
const REGIONS: [(&str, &str); 2] = [("us-east-1", "N. Virginia"), ("eu-west-1", "Ireland")];
/// The quota of accelerators of each kind.
const QUOTA: u64 = 16;

/// Hardware: accelerator, type and size of the instance, description; number of accelerators and of
/// processors, memory and memory of the GPUs in GB.
type Unit = (&'static str, &'static str, &'static str, &'static str, [u64; 4]);

const UNITS: [Unit; 9] = [
    ("cpu", "intel-icl", "x1", "Intel Ice Lake", [1, 1, 2, 0]),
    ("cpu", "intel-icl", "x2", "Intel Ice Lake", [2, 2, 4, 0]),
    ("cpu", "intel-icl", "x4", "Intel Ice Lake", [4, 4, 8, 0]),
    ("gpu", "nvidia-t4", "x1", "Nvidia T4", [1, 3, 14, 14]),
    ("gpu", "nvidia-l4", "x1", "Nvidia L4", [1, 7, 30, 24]),
    ("gpu", "nvidia-l4", "x4", "Nvidia L4", [4, 45, 186, 96]),
    ("gpu", "nvidia-a10g", "x1", "Nvidia A10G", [1, 6, 30, 24]),
    ("gpu", "nvidia-a100", "x1", "Nvidia A100", [1, 11, 145, 80]),
    ("neuron", "inf2", "x1", "Inferentia2", [2, 3, 14, 32]),
];

/// Handles `GET /v2/provider/{namespace}`.
pub(super) fn list(call: &Call) -> Reply {
    let endpoints = call.hub.store.endpoints().list(owned::reader(call, WHAT)?)?;
    let now = call.hub.clock.now();
    let running = endpoints.into_iter().filter(|endpoint| {
        !matches!(endpoint.state(now), State::Paused | State::ScaledToZero | State::Failed)
    });
    let running = running.collect::<Vec<_>>();
    let regions = REGIONS.map(|(region, label)| {
        let computes = UNITS.map(|unit| shown(&unit, region, &running));
        json!({ "name": region, "label": label, "status": "available", "computes": computes })
    });
    let vendor = json!({ "name": VENDOR, "status": "available", "regions": regions });
    Ok(response::json(&json!({ "vendors": [vendor] })))
}

fn shown(unit: &Unit, region: &str, running: &[Endpoint]) -> Value {
    let (accelerator, kind, size, architecture, [number, processors, memory, gpu_memory]) = unit;
    let used = running.iter().filter_map(|endpoint| {
        let compute = endpoint.config.get("compute")?;
        let of_size =
            UNITS.iter().find(|unit| compute["instanceSize"] == unit.2 && unit.1 == *kind);
        let is_same = compute["instanceType"] == *kind;
        is_same.then(|| of_size.map_or(1, |unit| unit.4[0]) * config::replicas(&endpoint.config))
    });
    json!({
        "id": format!("{VENDOR}-{region}-{kind}-{size}"),
        "accelerator": accelerator,
        "instanceType": kind,
        "instanceSize": size,
        "architecture": architecture,
        "numAccelerators": number,
        "numCpus": processors,
        "memoryGb": memory,
        "gpuMemoryGb": Some(gpu_memory).filter(|size| **size > 0),
        "pricePerHour": 0.0,
        "status": "available",
        "quota": { "maxAccelerators": QUOTA, "usedAccelerators": used.sum::<u64>() },
    })
}
