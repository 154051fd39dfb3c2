# The configuration of ex_doc, see bin/docs.
[
  main: "readme",
  # These files mention internal and planned modules.
  skip_undefined_reference_warnings_on: ["ROADMAP.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"],
  source_ref: "main",
  extras: [
    "README.md",
    "guides/quickstart.livemd",
    "guides/configuration.livemd",
    "guides/downloads_and_cache.livemd",
    "guides/telemetry.livemd",
    "guides/uploads.livemd",
    "guides/branches_and_tags.livemd",
    "guides/buckets.livemd",
    "guides/spaces.livemd",
    "guides/community.livemd",
    "guides/inference.livemd",
    "guides/tensors.livemd",
    "guides/bumblebee.livemd",
    "guides/command_line.md",
    "guides/migrating_from_0_3.livemd",
    "ROADMAP.md",
    "CHANGELOG.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md"
  ],
  groups_for_modules: [
    Downloading: [~r/^HfHub\.(Download|DatasetFiles|Extract|Progress|Bandwidth)/],
    "The cache": [~r/^HfHub\.(Cache|FS)/],
    "Writing to the Hub": [~r/^HfHub\.(Commit|Repo(\.|$)|Git|LFS)/],
    "Reading the Hub": [~r/^HfHub\.(Api|Papers|Cards|GGUF|Safetensors|Spaces|Users|Organizations)/],
    "Settings and accounts": [~r/^HfHub\.(Auth|Config|Constants)/],
    "As in Bumblebee": [~r/^HfHub\.(Bumblebee|Hub|Repository|RepoFiles)$/],
    "In Livebook": [~r/^HfHub\.Kino$/],
    "Projects and releases": [~r/^HfHub\.(Lock|Preload|Release)/],
    "The Local Hub and tests": [~r/^HfHub\.(LocalHub|Test)(\.|$)/],
    "Errors and telemetry": [~r/^HfHub\.(Doctor|Telemetry|Error)/]
  ]
]
