defmodule HfHub.Rules.ArchitectureTest do
  # The invariants of ARCHITECTURE.md that a text search can check.
  use ExUnit.Case, async: true

  @root Path.expand("../..", __DIR__)

  defp files(pattern) do
    for path <- Path.wildcard(Path.join(@root, pattern)), Path.basename(path) != "tests.rs", do: path
  end

  # The source without comments and tests.
  defp code(path) do
    path
    |> File.read!()
    |> String.split("#[cfg(test)]\nmod tests {")
    |> hd()
    |> String.replace(~r/@(module)?doc """.*?"""/s, "")
    |> String.split("\n")
    |> Enum.reject(&(String.trim_leading(&1) =~ ~r{^(//|#\s)}))
    |> Enum.join("\n")
  end

  defp assert_only_in(allowed, pattern, regex) do
    found = for path <- files(pattern), code(path) =~ regex, do: Path.relative_to(path, @root)
    assert found -- allowed == [], "#{inspect(regex)} must only be in #{inspect(allowed)}"
    assert found != [], "#{inspect(regex)} is nowhere: this test has lost its subject"
  end

  test "the engine does not know the BEAM" do
    {tree, 0} = System.cmd("cargo", ~w(tree --offline --locked -p hf_hub_engine --prefix none), cd: @root)
    assert tree =~ "reqwest"
    refute tree =~ "rustler"
    refute tree =~ "hf_hub_server"
  end

  test "the oldest Rust, and the number of crates, are stated as they are, with each set of features" do
    manifest = File.read!(Path.join(@root, "Cargo.toml"))
    readme = File.read!(Path.join(@root, "README.md"))
    oldest = oldest()
    {without, slim} = needs(["--no-default-features"], oldest)
    {^without, some} = needs(["--no-default-features", "--features", "parquet"], oldest)
    {with, full} = needs([], oldest)
    assert manifest =~ ~s(\nrust-version = "#{without}"\n)
    assert manifest =~ "With the feature `xet`, #{with}:"
    assert readme =~ "| oldest Rust | #{with} | #{without} | #{without} |"
    # Where these tests run: other systems have other crates.
    if match?({:unix, :linux}, :os.type()),
      do: assert(readme =~ "| crates on Linux | #{full} | #{some} | #{slim} |")
  end

  # The Rust version that each crate requires.
  defp oldest do
    {rustc, 0} = System.cmd("rustc", ["-vV"])
    [_line, host] = Regex.run(~r/^host: (.+)$/m, rustc)
    metadata = ~w(metadata --offline --locked --format-version 1 --filter-platform) ++ [host]
    {json, 0} = System.cmd("cargo", metadata, cd: @root)
    crate = ~r/\{"name":"([^"]+)","version":"([^"]+)"(.*?)(?=\{"name":"[^"]+","version":|$)/s

    for [_match, name, version, rest] <- Regex.scan(crate, json),
        [_major, _minor] = rust <-
          [Regex.run(~r/"rust_version":"(\d+)\.(\d+)/, rest, capture: :all_but_first)],
        into: %{},
        do: {"#{name} v#{version}", Enum.map(rust, &String.to_integer/1)}
  end

  # The newest of the Rust versions that the crates of the boundary require, and their number.
  defp needs(features, oldest) do
    needed = for crate <- crates("normal,build", features), version = oldest[crate], do: version
    {needed |> Enum.max() |> Enum.join("."), length(crates("normal", features))}
  end

  defp crates(edges, features) do
    args = ~w(tree --offline --locked -p hf_hub_nif --prefix none -e) ++ [edges | features]
    {tree, 0} = System.cmd("cargo", args, cd: @root)
    lines = String.split(tree, "\n", trim: true)
    lines |> Enum.map(&(&1 |> String.split(" ") |> Enum.take(2) |> Enum.join(" "))) |> Enum.uniq()
  end

  test "native code reads no environment" do
    for path <- files("native/{hf_hub_engine,hf_hub_nif}/src/**/*.rs") do
      refute code(path) =~ ~r/\benv::var|\bvar_os\b/, path
    end
  end

  test "only HfHub.Config reads the environment and the application's" do
    assert_only_in(["lib/hf_hub/config/source.ex"], "lib/**/*.ex", ~r/System\.(get_env|fetch_env)/)

    assert_only_in(
      ["lib/hf_hub/config/source.ex"],
      "lib/**/*.ex",
      ~r/Application\.(get_env|fetch_env|compile_env)/
    )
  end

  test "no atom is created from data" do
    for path <- files("lib/**/*.ex"), do: refute(code(path) =~ ~r/to_atom\b|binary_to_atom/, path)
    assert_only_in(["native/hf_hub_nif/src/term.rs"], "native/hf_hub_nif/src/*.rs", ~r/Atom::from_str/)
  end

  # A request has a body, which is received by code that responds to the request.
  @server_cycle "cycle: serve::call serve::payload"

  test "files of Rust, and folders of the engine, have no import cycle" do
    assert imports(["hf_hub_nif"]) =~ " 0 cycles"
    assert imports(["hf_hub_engine"]) =~ " 0 cycles"

    assert for("cycle: " <> _ = line <- String.split(imports(["hf_hub_server"]), "\n"), do: line) == [
             @server_cycle
           ]

    folders = imports(["--folders"])
    assert folders =~ " 0 cycles"

    # The graph has edges: one without any would have no cycle.
    assert folders =~ "download: base cache hub transfer transport xet\n"
    assert folders =~ "base: -\n"
  end

  defp imports(args) do
    {arrows, _status} = System.cmd("python3", [Path.join(@root, "bin/imports") | args])
    arrows
  end

  test "only one file maps statuses to kinds" do
    pattern = "native/hf_hub_engine/src/**/*.rs"
    assert_only_in(["native/hf_hub_engine/src/transport.rs"], pattern, ~r/=> ErrorKind::RepoNotFound/)
  end

  test "only one file joins cache paths, and one locks" do
    pattern = "native/hf_hub_engine/src/**/*.rs"

    assert_only_in(
      ["native/hf_hub_engine/src/cache/layout.rs"],
      pattern,
      # A route of the Hub is named refs too.
      ~r/(?<!api_url\(repo, )"(blobs|snapshots|refs|\.no_exist|trees)"/
    )

    assert_only_in(["native/hf_hub_engine/src/base/lock.rs"], pattern, ~r/try_lock_exclusive|\.try_lock\(/)
  end

  # All lines, comments included. Logic belongs to the engine; structs are decoded here because they are made of terms.
  @boundary_lines 1665

  test "the boundary stays small" do
    lines = for path <- files("native/hf_hub_nif/src/**/*.rs"), _line <- File.stream!(path), do: path
    assert length(lines) <= @boundary_lines, inspect(Enum.frequencies_by(lines, &Path.basename/1))
  end

  test "the boundary repeats no spec of the engine and recognizes no type by its name" do
    for path <- files("native/hf_hub_nif/src/**/*.rs") do
      refute code(path) =~ ~r/Nif(Map|TaggedEnum|Struct)\b/, path
      refute code(path) =~ ~r/(==\s*"[A-Z]\w*"|"[A-Z]\w*"\s*(=>|==))/, path
    end
  end

  test "only the boundary's files encode and decode terms" do
    allowed =
      for file <- ~w(encode decode map serial structs term lib job), do: "native/hf_hub_nif/src/#{file}.rs"

    assert_only_in(allowed, "native/hf_hub_nif/src/*.rs", ~r/\bTerm\b/)
  end

  test "only one file creates maps from arrays" do
    pattern = "native/hf_hub_nif/src/*.rs"
    assert_only_in(["native/hf_hub_nif/src/map.rs"], pattern, ~r/map_from_(term_)?(arrays|pairs)/)
    # The encoder of a hash map uses these functions internally.
    for path <- files(pattern), do: refute(code(path) =~ ~r/(Hash|BTree)Map<String/, path)
  end

  test "there is one receive" do
    assert_only_in(
      # The others receive no messages of native code.
      ~w(native local_hub/announcement progress/reporter spool cli/jobs/stats cli/datasets/sql)
      |> Enum.map(&"lib/hf_hub/#{&1}.ex"),
      "lib/**/*.ex",
      ~r/^\s+receive do/m
    )
  end

  test "reading a setting sends no request" do
    for path <- files("lib/hf_hub/config.ex") ++ files("lib/hf_hub/config/*.ex") do
      refute code(path) =~ ~r/\b(Request|Native\.run|Auth\.\w+\.)\b/, path
    end
  end

  test "the engine names no Elixir function or option" do
    for path <- files("native/hf_hub_engine/src/**/*.rs"),
        line <- path |> File.read!() |> String.split("\n"),
        not (line =~ ~r{^\s*//}) do
      refute line =~ ~r/HfHub\.|config :hf_hub|[ (]:[a-z]+(_[a-z]+)*[ ,.;)"]/, "#{path}: #{line}"
    end
  end

  # A module of documented functions is mostly their docs.
  @doc_text ~r/^\s*@(?:module|type)?doc (?:~S)?"""\n.*?^\s*"""\n/ms

  test "files keep their size" do
    for path <- files("lib/**/*.ex") do
      check_size(path, File.read!(path), 600)
      check_size(path, String.replace(File.read!(path), @doc_text, ""), 400)
    end

    for path <- files("native/*/src/**/*.rs"), do: check_size(path, File.read!(path), 500)
  end

  defp check_size(path, text, limit) do
    lines = text |> String.split("\n") |> length()
    assert lines <= limit + 1, "#{Path.relative_to(path, @root)} has #{lines} lines; find the missing noun"
  end

  test "the code contains no TODO" do
    for path <- files("{lib,test,mix,bin}/**/*.{ex,exs}") ++ files("native/*/src/**/*.rs"),
        path != __ENV__.file do
      refute File.read!(path) =~ ~r/\b(TODO|FIXME|XXX)\b/, path
    end
  end
end
