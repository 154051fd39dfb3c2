defmodule HfHub.OptionsTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureLog

  alias HfHub.Options

  @table [
    name: [type: :string, required: true, doc: "the name."],
    count: [type: :pos_integer, default: 3, doc: "how many."],
    kind: [type: {:in, [:a, :b]}, doc: "which."],
    many: [type: {:or, [:string, {:list, :string}]}, doc: "some."],
    token: [type: :string, secret: true, doc: "a secret."]
  ]

  test "fills in defaults, also for nil" do
    opts = Options.validate!([name: "x", kind: nil], @table)
    assert {opts[:name], opts[:count], opts[:kind]} == {"x", 3, nil}
  end

  test "suggests the nearest option" do
    assert_raise ArgumentError, "unknown option :nmae. Did you mean :name?", fn ->
      Options.validate!([nmae: "x"], @table)
    end

    assert_raise ArgumentError, ~r/unknown option :zzz; known: \[:name, /, fn ->
      Options.validate!([zzz: 1], @table)
    end
  end

  test "reports the expected type and the value" do
    message = "expected option :count to be a positive integer, got: 0"
    assert_raise ArgumentError, message, fn -> Options.validate!([name: "x", count: 0], @table) end
    message = "expected option :kind to be one of `:a`, `:b`, got: :c"
    assert_raise ArgumentError, message, fn -> Options.validate!([name: "x", kind: :c], @table) end
    message = "expected option :many to be a string or a list of strings, got: [:x]"
    assert_raise ArgumentError, message, fn -> Options.validate!([name: "x", many: [:x]], @table) end
    assert_raise ArgumentError, "option :name is required", fn -> Options.validate!([], @table) end

    # With the option that was probably meant.
    for {other, kind} <- [{%{}, "a map"}, {"gpt2", "a string"}, {nil, "nil"}] do
      message = "expected options as a keyword list such as [name: …], got #{kind}"
      assert_raise ArgumentError, message, fn -> Options.validate!(other, @table) end
    end
  end

  test "never shows a token" do
    error =
      assert_raise ArgumentError, fn -> Options.validate!([name: "x", token: {:secret, "hf_x"}], @table) end

    refute error.message =~ "hf_x"
  end

  @renamed [
    workers: [type: :pos_integer, default: 5, aliases: [:max_workers, :jobs], doc: "how many."],
    sort: [type: {:in, [:likes, :created_at]}, spellings: [{"createdAt", :created_at}], doc: "which."],
    wait: [type: {:or, [:pos_integer, {:in, [:never]}]}, doc: "how long."],
    hardware: [type: :hardware, doc: "which."],
    checked: [type: :boolean, default: true, no_effect: "everything is checked"],
    mode: [type: :atom, no_effect: "there is one"]
  ]

  defp renamed(opts), do: Options.validate!(opts, @renamed)

  test "accepts other names of an option" do
    assert renamed(max_workers: 2)[:workers] == 2
    assert renamed(jobs: 2, workers: nil)[:workers] == 2
    assert renamed([]) |> Keyword.keys() == [:workers, :sort, :wait, :hardware]
    message = "expected option :max_workers to be a positive integer, got: 0"
    assert_raise ArgumentError, message, fn -> renamed(max_workers: 0) end
  end

  test "an option under two of its names is an error" do
    message = "options :workers and :max_workers are the same option; pass one of them"
    assert_raise ArgumentError, message, fn -> renamed(max_workers: 2, workers: 2) end
    message = "options :max_workers and :jobs are the same option; pass one of them"
    assert_raise ArgumentError, message, fn -> renamed(jobs: 1, max_workers: 2) end
  end

  test "accepts other spellings of values, and names as strings" do
    for value <- [:created_at, "created_at", :createdAt, "createdAt"],
        do: assert(renamed(sort: value)[:sort] == :created_at)

    assert renamed(sort: "likes")[:sort] == :likes
    assert renamed(wait: "never")[:wait] == :never
    assert renamed(hardware: :t4_small)[:hardware] == "t4-small"
    assert renamed(hardware: "t4-small")[:hardware] == "t4-small"
    message = ~s(expected option :sort to be one of `:likes`, `:created_at`, got: "name")
    assert_raise ArgumentError, message, fn -> renamed(sort: "name") end
    assert_raise ArgumentError, ~r/:hardware to be a string or an atom/, fn -> renamed(hardware: true) end
    assert_raise ArgumentError, ~r/:checked to be a boolean/, fn -> renamed(checked: "true") end
  end

  test "an option without effect is logged once, unless it asks for what is done anyway" do
    log = capture_log(fn -> for _ <- 1..2, do: renamed(checked: false, mode: :fast) end)
    assert [_, _] = String.split(log, "option :checked has no effect: everything is checked")
    assert [_, _] = String.split(log, "option :mode has no effect: there is one")
    :persistent_term.erase({Options, :no_effect, "option :checked"})
    assert capture_log(fn -> renamed(checked: true) end) == ""
    assert_raise ArgumentError, ~r/unknown option :mood; known: \[:workers/, fn -> renamed(mood: 1) end
  end

  test "the documentation names what is accepted for 0.3 and Python in one line" do
    [rows, line] = String.split(Options.docs(@renamed), "\n\n")
    assert length(String.split(rows, "\n")) == 4

    assert line ==
             "Names in 0.3 or in Python, which are accepted too: `:max_workers` for `:workers`, `:jobs` for `:workers`. Options of 0.3 " <>
               "without effect, which a warning in the log shows once: `:checked` (everything is checked), `:mode` (there is one)."
  end

  test "generates documentation" do
    docs = Options.docs(@table)
    assert docs =~ "  * `:name` (a string) - the name. Required."
    assert docs =~ "  * `:count` (a positive integer) - how many. Defaults to `3`."
  end

  test "no error shows a secret" do
    hidden = String.to_charlist("TOPSECRETVAL")

    required =
      for name <- ~w(repository accelerator instance_size instance_type region vendor)a, do: {name, "x"}

    for call <- [
          fn -> HfHub.Webhooks.create("http://localhost:9", secret: hidden) end,
          fn -> HfHub.Webhooks.create("http://localhost:9", secrets: hidden) end,
          fn -> HfHub.Webhooks.update("w", secret: hidden) end,
          fn -> HfHub.Webhooks.list(token: hidden) end,
          fn -> HfHub.Auth.login(token: hidden) end,
          fn -> HfHub.InferenceEndpoints.create("e", [container_registry_password: hidden] ++ required) end,
          fn -> HfHub.InferenceEndpoints.create("e", [secrets: hidden] ++ required) end,
          fn -> HfHub.Jobs.run("image", ["x"], secrets: hidden) end,
          fn -> HfHub.Repo.create("me/app", repo_type: :space, space_sdk: :static, space_secrets: hidden) end
        ] do
      message = Exception.message(assert_raise(ArgumentError, call))
      assert message =~ "expected option"
      refute message =~ "TOPSECRETVAL"
    end
  end

  test "no error shows a token in the options that are in the place of an argument" do
    opts = [token: "hush"]

    for call <- [
          fn -> HfHub.Discussions.change_status!("me/m", 1, opts) end,
          fn -> HfHub.Discussions.hide_comment!("me/m", 1, opts) end,
          fn -> HfHub.Discussions.get!("me/m", opts) end,
          fn -> HfHub.Cache.import(opts) end,
          fn -> HfHub.Cache.export(opts) end,
          fn -> HfHub.Cache.move(opts) end,
          fn -> HfHub.Cache.materialize("me/m", opts) end,
          fn -> HfHub.Jobs.wait!(opts) end,
          fn -> HfHub.LFS.permanently_delete_files!("me/m", opts) end
        ] do
      message =
        try do
          flunk("returned #{inspect(call.())}")
        rescue
          error -> Exception.message(error)
        end

      assert message =~ ~r/options \(\[:token\]\)|the option :token/
      refute message =~ "hush"
    end
  end
end
