defmodule HfHub.OptionsTest do
  use ExUnit.Case, async: true

  alias HfHub.Options

  @table [
    name: [type: :string, required: true, doc: "the name."],
    count: [type: :pos_integer, default: 3, doc: "how many."],
    kind: [type: {:in, [:a, :b]}, doc: "which."],
    many: [type: {:or, [:string, {:list, :string}]}, doc: "some."],
    token: [type: :string, doc: "a secret."]
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

    assert_raise ArgumentError, ~r/expected options as a keyword list/, fn ->
      Options.validate!(%{}, @table)
    end
  end

  test "never shows a token" do
    error =
      assert_raise ArgumentError, fn -> Options.validate!([name: "x", token: {:secret, "hf_x"}], @table) end

    refute error.message =~ "hf_x"
  end

  test "generates documentation" do
    docs = Options.docs(@table)
    assert docs =~ "  * `:name` (a string) - the name. Required."
    assert docs =~ "  * `:count` (a positive integer) - how many. Defaults to `3`."
  end
end
