//! The hardware of Spaces and jobs: the Hub's names; nothing costs anything here.

use axum::response::Response;
use serde_json::{Value, json};

use super::super::error::ApiError;
use super::super::response;

/// A flavor: its name, processors, memory and disk in GB, and its accelerators: model, number,
/// memory in GB.
struct Flavor {
    name: &'static str,
    title: &'static str,
    size: (u32, u32, u32),
    accelerator: Option<(&'static str, u32, u32)>,
}

const fn cpu(name: &'static str, title: &'static str, size: (u32, u32, u32)) -> Flavor {
    Flavor { name, title, size, accelerator: None }
}

const fn gpu(
    name: &'static str,
    title: &'static str,
    size: (u32, u32, u32),
    accelerator: (&'static str, u32, u32),
) -> Flavor {
    Flavor { name, title, size, accelerator: Some(accelerator) }
}

/// Shared hardware for the apps of one SDK only.
const ZERO_GPU: &str = "zero-a10g";

static FLAVORS: [Flavor; 21] = [
    cpu("cpu-basic", "CPU Basic", (2, 16, 50)),
    cpu("cpu-upgrade", "CPU Upgrade", (8, 32, 50)),
    gpu(ZERO_GPU, "ZeroGPU", (0, 0, 0), ("H200", 1, 70)),
    gpu("t4-small", "Nvidia T4 - small", (4, 15, 50), ("T4", 1, 16)),
    gpu("t4-medium", "Nvidia T4 - medium", (8, 30, 100), ("T4", 1, 16)),
    gpu("l4x1", "1x Nvidia L4", (8, 30, 400), ("L4", 1, 24)),
    gpu("l4x4", "4x Nvidia L4", (48, 186, 3200), ("L4", 4, 96)),
    gpu("l40sx1", "1x Nvidia L40S", (8, 62, 380), ("L40S", 1, 48)),
    gpu("l40sx4", "4x Nvidia L40S", (48, 382, 3200), ("L40S", 4, 192)),
    gpu("l40sx8", "8x Nvidia L40S", (192, 1534, 6500), ("L40S", 8, 384)),
    gpu("a10g-small", "Nvidia A10G - small", (4, 15, 110), ("A10G", 1, 24)),
    gpu("a10g-large", "Nvidia A10G - large", (12, 46, 200), ("A10G", 1, 24)),
    gpu("a10g-largex2", "2x Nvidia A10G - large", (24, 92, 1000), ("A10G", 2, 48)),
    gpu("a10g-largex4", "4x Nvidia A10G - large", (48, 184, 2000), ("A10G", 4, 96)),
    gpu("a100-large", "Nvidia A100 - large", (12, 142, 1000), ("A100", 1, 80)),
    gpu("a100x4", "4x Nvidia A100", (48, 568, 4000), ("A100", 4, 320)),
    gpu("a100x8", "8x Nvidia A100", (96, 1136, 8000), ("A100", 8, 640)),
    gpu("rtx-pro-6000", "Nvidia RTX PRO 6000", (22, 225, 1000), ("RTX PRO 6000", 1, 96)),
    gpu("rtx-pro-6000x2", "2x Nvidia RTX PRO 6000", (44, 450, 2000), ("RTX PRO 6000", 2, 192)),
    gpu("rtx-pro-6000x4", "4x Nvidia RTX PRO 6000", (88, 900, 4000), ("RTX PRO 6000", 4, 384)),
    gpu("rtx-pro-6000x8", "8x Nvidia RTX PRO 6000", (176, 1800, 8000), ("RTX PRO 6000", 8, 768)),
];

/// What only jobs can have.
static OF_JOBS: [Flavor; 6] = [
    cpu("cpu-performance", "CPU Performance", (32, 256, 500)),
    cpu("cpu-xl", "CPU XL", (16, 124, 1000)),
    gpu("h200", "Nvidia H200", (23, 256, 3000), ("H200", 1, 141)),
    gpu("h200x2", "2x Nvidia H200", (46, 512, 6000), ("H200", 2, 282)),
    gpu("h200x4", "4x Nvidia H200", (92, 1024, 12000), ("H200", 4, 564)),
    gpu("h200x8", "8x Nvidia H200", (184, 2048, 24000), ("H200", 8, 1128)),
];

/// Handles `/api/spaces/hardware`.
pub(super) fn of_spaces() -> Response {
    response::json(&FLAVORS.iter().map(shown).collect::<Vec<_>>())
}

/// Handles `/api/jobs/hardware`.
pub(super) fn of_jobs() -> Response {
    response::json(&for_jobs().map(shown).collect::<Vec<_>>())
}

fn for_jobs() -> impl Iterator<Item = &'static Flavor> + Clone {
    FLAVORS.iter().filter(|flavor| flavor.name != ZERO_GPU).chain(&OF_JOBS)
}

fn shown(flavor: &Flavor) -> Value {
    let (processors, memory, disk) = flavor.size;
    let accelerator = flavor.accelerator.map(|(model, quantity, vram)| {
        json!({
            "type": "gpu", "model": model, "quantity": quantity.to_string(),
            "vram": format!("{vram} GB"), "manufacturer": "Nvidia",
        })
    });
    json!({
        "name": flavor.name,
        "prettyName": flavor.title,
        "cpu": format!("{processors} vCPU"),
        "ram": format!("{memory} GB"),
        "ephemeralStorage": format!("{disk} GB"),
        "accelerator": accelerator,
        "unitCostMicroUSD": 0,
        "unitCostUSD": 0.0,
        "unitLabel": "minute",
    })
}

/// Checks that a Space can have this hardware.
pub(super) fn check_for_space(flavor: &str, sdk: Option<&str>) -> Result<(), ApiError> {
    check(flavor, FLAVORS.iter())?;
    if flavor == ZERO_GPU && sdk != Some("gradio") {
        return Err(ApiError::bad_request(
            "ZeroGPU is only available for Spaces with the Gradio SDK",
        ));
    }
    Ok(())
}

/// Checks that a job can have this hardware.
pub(super) fn check_for_job(flavor: &str) -> Result<(), ApiError> {
    check(flavor, for_jobs())
}

fn check(
    flavor: &str,
    known: impl Iterator<Item = &'static Flavor> + Clone,
) -> Result<(), ApiError> {
    if known.clone().any(|known| known.name == flavor) {
        return Ok(());
    }
    let names = known.map(|known| known.name).collect::<Vec<_>>().join(", ");
    Err(ApiError::bad_request(format!(
        "Invalid hardware flavor \"{flavor}\". Must be one of [{names}]"
    )))
}
