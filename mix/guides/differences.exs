defmodule HfHub.Guides.Differences do
  # How the command line differs from `hf`, for its guide. A test compares `missing/0` with the installed `hf`.
  @moduledoc false

  @missing [
    {["extensions"],
     "they are programs and Python packages that add commands to `hf`; Mix tasks do that here"},
    {["skills"], "they install instructions about `hf` for assistants"},
    {["sandbox"], "the protocol of sandboxes belongs to the Python client, which runs its program in a job"},
    {["update", "version"], "`mix deps.update hf_hub` and `hf_hub --version`"},
    {["repos list --explore"], "a view of repositories as a city, in the browser"},
    {["spaces hot-reload --skip-summary", "spaces hot-reload --no-skip-summary"],
     "there is no summary, and no editor: `--local-file` is required; `spaces info` shows the state"},
    {["cache list --filter", "cache list -f", "cache list --sort", "cache list --limit"],
     "`cache ls --json` has all facts for programs such as `jq`"},
    {[
       "cache list --show-warnings",
       "cache list --no-show-warnings",
       "cache list --no-revisions",
       "cache rm --no-dry-run",
       "cache prune --no-dry-run"
     ], "warnings are always shown; the others are the defaults"},
    {["cache verify --type", "cache verify --repo-type", "cache verify --revision", "cache verify --token"],
     "a target names the type and the revision: `cache verify dataset/me/data`"}
  ]

  @others [
    {"JSON of `cache`", "rows of the table", "the structs of `HfHub.Cache`"},
    {"`cache rm` of a target that is not cached", "a warning", "an error"},
    {"exit status of `endpoints` after an error of the service", "the HTTP status modulo 256", "1"},
    {"`auth logout` with an unknown name", "exit status 0", "exit status 1"},
    {"`jobs ssh` and `spaces ssh`", "run `ssh`", "run it in `bin/hf_hub`; a Mix task prints the command"},
    {"`jobs uv run` of a script with a table `tool.hf-jobs`", "uses its settings", "ignores it"},
    {"`upload --every` after Ctrl-C", "exit status 0", "exit status 1"},
    {"cards, papers, diffs and dry runs with `--json`", "nothing", "an object"},
    {"secrets of webhooks in `webhooks info`", "shown", "never shown"},
    {"updates", "asks PyPI once a day", "never asks"}
  ]

  @doc "Returns what `hf` has and this command line lacks: commands, or options of a command, and the reason."
  @spec missing() :: [{[String.t()], String.t()}]
  def missing, do: @missing

  @doc "Returns what both have and do differently: what, `hf`, this command line."
  @spec others() :: [{String.t(), String.t(), String.t()}]
  def others, do: @others

  @doc "Returns the section of the guide."
  @spec markdown() :: String.t()
  def markdown do
    missing = for {names, why} <- @missing, do: "| #{Enum.map_join(names, ", ", &"`#{&1}`")} | #{why} |\n"
    others = for {what, hf, ours} <- @others, do: "| #{what} | #{hf} | #{ours} |\n"

    IO.iodata_to_binary([
      "## Differences from hf\n\n",
      "`hf` has these commands and options, which are missing here:\n\n",
      "| command or option of `hf` | instead, or why not |\n|---|---|\n",
      missing,
      "\nThese work in another way:\n\n",
      "| what | `hf` | here |\n|---|---|---|\n",
      others
    ])
  end
end
