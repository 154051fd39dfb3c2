# The configuration of ex_doc, see bin/docs.
modules = fn names -> ~r/^HfHub\.(#{Enum.join(names, "|")})(\.|$)/ end

# The modules of a group, in the order of the sidebar. Structs are below the module that returns them.
groups = [
  "Downloads and the cache": ~w(Download Cache Progress Bandwidth Extract FS),
  "Repositories and uploads": ~w(Commit CommitScheduler Repo Git Revision LFS Attachments Cards Buckets),
  "Models, datasets and Spaces": ~w(Api Datasets DatasetFiles Spaces Papers),
  "Inference and compute": ~w(Inference InferenceEndpoints Jobs ScheduledJobs),
  "Tensors and notebooks": ~w(Safetensors GGUF DDUF Bumblebee Kino),
  Community: ~w(Discussions Collections Likes Users Organizations AccessRequests Webhooks),
  "Settings and errors": ~w(Auth Config Constants Error Doctor Telemetry),
  "Projects and releases": ~w(Lock Preload Release CLI),
  "The Local Hub and tests": ~w(LocalHub Test),
  "As in Bumblebee": ~w(Hub Repository RepoFiles)
]

# Long names in tables are broken and, on a phone, examples are wrapped, so that nothing is cut off.
style = """
<style>
  .content-inner td code { overflow-wrap: anywhere; }
  @media (max-width: 768px) {
    .content-inner pre code { white-space: pre-wrap; }
    .content-inner :is(p, li, td, th, h1, pre) { overflow-wrap: anywhere; }
  }
</style>
"""

[
  main: "readme",
  logo: "guides/images/logo.svg",
  # These files mention internal and planned modules.
  skip_undefined_reference_warnings_on: ["ROADMAP.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"],
  source_ref: "main",
  before_closing_head_tag: fn format -> if format == :html, do: style, else: "" end,
  annotations_for_docs: fn metadata ->
    if metadata[:python], do: ["Python: #{metadata[:python]}"], else: []
  end,
  assets: %{"guides/images" => "guides/images"},
  extras: [
    "README.md",
    "guides/quickstart.livemd",
    "guides/cheatsheet.cheatmd",
    "guides/from_python.livemd",
    "guides/configuration.livemd",
    "guides/command_line.md",
    "guides/downloads_and_cache.livemd",
    "guides/uploads.livemd",
    "guides/branches_and_tags.livemd",
    "guides/buckets.livemd",
    "guides/inference.livemd",
    "guides/datasets.livemd",
    "guides/tensors.livemd",
    "guides/bumblebee.livemd",
    "guides/spaces.livemd",
    "guides/community.livemd",
    "guides/telemetry.livemd",
    "guides/migrating_from_0_3.livemd",
    "CHANGELOG.md",
    "ROADMAP.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md"
  ],
  groups_for_extras: [
    "First steps": ~r/(quickstart|cheatsheet|from_python|configuration|command_line)\./,
    Guides: ~r"guides/",
    "The project": ~r/(CHANGELOG|ROADMAP|ARCHITECTURE|CONTRIBUTING)/
  ],
  groups_for_modules: for({title, names} <- groups, do: {title, modules.(names)}),
  nest_modules_by_prefix:
    for({_title, names} <- groups, name <- names, do: Module.concat(HfHub, name)) ++
      [HfHub.Commit.Operation, HfHub.Buckets.Operation, HfHub.Webhooks.Payload, Mix.Tasks.HfHub]
]
