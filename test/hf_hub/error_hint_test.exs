defmodule HfHub.ErrorHintTest do
  use ExUnit.Case, async: true

  alias HfHub.Error.Hint

  test "an error shows the fields that it has" do
    error = HfHub.Error.new(:io, "cannot read it", path: "/a", reason: "enoent")
    shown = ~s(%HfHub.Error{kind: :io, message: "cannot read it", path: "/a", reason: "enoent"})
    assert inspect(error, width: :infinity) == shown
  end

  # Every variant of the engine's enum has a sentence, and no sentence is for a variant that is gone.
  test "writes a sentence for every hint of the engine" do
    source = File.read!("native/hf_hub_engine/src/base/hint.rs")
    [_, variants] = Regex.run(~r/pub enum Hint \{(.*)\n\}/s, source)

    names = for [_, name] <- Regex.scan(~r/^    ([A-Z]\w+)/m, variants), do: Macro.underscore(name)

    fields = %{
      "page" => "PAGE",
      "tokens" => "TOKENS",
      "repo" => "org/name",
      "revision" => "main",
      "repo_type" => "dataset",
      "patterns" => ["a\nb"],
      "origin" => "http://hub.lan",
      "path" => "/data/hub"
    }

    assert length(names) > 20

    for name <- names do
      sentence = Hint.sentence(Map.put(fields, "hint", name))
      assert sentence =~ ~r/^(; |, | \()\S/, name
    end
  end

  test "names the option that keeps a call from the network" do
    call = [repo_id: "org/none", cache_dir: "none", dry_run: true, local_files_only: true]
    assert {:error, %{kind: :offline} = error} = HfHub.Download.snapshot_download(call)
    assert error.message =~ "; omit local_files_only: true, or offline: true in {:hf, id, opts}"
  end

  test "appends sentences in order and limits the length of the message" do
    hints = [%{"hint" => "check_name"}, %{"hint" => "sign_in", "page" => "https://hub/x"}]

    assert Hint.append("x not found", hints) =~
             ~r/^x not found; check the name and :repo_type; if you can open https:\/\/hub\/x, it is private/

    long = [%{"hint" => "skip_files", "patterns" => [String.duplicate("x", 5000)]}]
    assert String.length(Hint.append("m", long)) == 4001
    assert Hint.append("m", nil) == "m"
  end
end
