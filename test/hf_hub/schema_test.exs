defmodule HfHub.SchemaTest do
  use ExUnit.Case, async: true

  alias HfHub.Decode

  defmodule Part do
    use HfHub.Schema, id: {"id", :name, "id"}
  end

  defmodule Whole do
    @moduledoc "Something with one field of each type."

    use HfHub.Schema,
      name: {"name", :name, "name"},
      note: {["a", "b"], :string, "note"},
      hash: {{:or, ["sha256", "oid"]}, :string, "hash"},
      at: {"at", :datetime, "time"},
      seconds: {"seconds", :timestamp, "time in seconds"},
      stage: {"stage", {:enum, [false, :on, off: "OFF"]}, "stage"},
      safe: {"status", {:is, "safe"}, "whether it is safe"},
      interval: {"interval", {:clamp, 1..10}, "seconds", default: 5},
      authors: {"authors", [{:field, "user"}], "authors", default: []},
      part: {"part", Part, "part"},
      parts: {"parts", [Part], "parts"},
      by_name: {"by_name", {:map, Part}, "parts by name"},
      tags: {"tags", [:string], "tags"},
      known_tags: {"tags", [:string], "tags, if they are a list", default: []},
      count: {"tags", :integer, "number of tags", by: :count},
      own: {:string, "name in native maps"},
      raw: {[], :map, "all of it"}

    defp count(tags) when is_list(tags), do: length(tags)
    defp count(_other), do: 0
  end

  defp decode(json), do: Decode.struct(Whole, Map.merge(%{"name" => "x"}, json))

  test "each type converts values" do
    json = %{
      "a" => %{"b" => "n"},
      "oid" => "abc",
      "at" => "2024-02-19T10:57:45.000Z",
      "seconds" => 0,
      "stage" => "OFF",
      "status" => "safe",
      "interval" => 99,
      "authors" => [%{"user" => "ann"}],
      "part" => %{"id" => "p"},
      "parts" => [%{"id" => "q"}],
      "by_name" => %{"r" => %{"id" => "r"}},
      "tags" => ["t"],
      own: "native"
    }

    assert %Whole{
             name: "x",
             note: "n",
             hash: "abc",
             at: ~U[2024-02-19 10:57:45.000Z],
             seconds: ~U[1970-01-01 00:00:00Z],
             stage: :off,
             safe: true,
             interval: 10,
             authors: ["ann"],
             part: %Part{id: "p"},
             parts: [%Part{id: "q"}],
             by_name: %{"r" => %Part{id: "r"}},
             tags: ["t"],
             known_tags: ["t"],
             count: 1,
             own: "native",
             raw: %{"oid" => "abc", "name" => "x"}
           } = decode(json)
  end

  test "a missing field is nil or the default" do
    assert %Whole{note: nil, at: nil, stage: nil, safe: false, interval: 5, authors: [], part: nil} =
             decode(%{})

    assert %Whole{parts: nil, by_name: nil, tags: nil, known_tags: [], count: 0} = decode(%{})
  end

  test "values of other types are unchanged or nil" do
    odd =
      decode(%{
        "a" => 1,
        "at" => "once",
        "seconds" => "soon",
        "stage" => "often",
        "interval" => "x",
        "tags" => "t"
      })

    assert %Whole{note: nil, at: "once", seconds: "soon", stage: "often", interval: 5} = odd
    assert %Whole{tags: "t", known_tags: [], count: 0} = odd

    assert %Whole{stage: false, authors: [], parts: nil, by_name: nil} =
             decode(%{"stage" => false, "parts" => 1})
  end

  test "a missing name and a part that is not an object are errors" do
    assert_raise Decode.Error, fn -> Decode.struct(Whole, %{}) end
    for json <- [nil, "x", []], do: assert_raise(Decode.Error, fn -> Decode.struct(Whole, json) end)
    assert_raise Decode.Error, fn -> decode(%{"part" => "p"}) end
    assert_raise Decode.Error, fn -> decode(%{"parts" => [%{"id" => nil}]}) end
  end

  test "structs of a list share their keys" do
    parts = for n <- 1..100, do: Decode.struct(Part, %{"id" => "#{n}"})
    each = :erts_debug.size([hd(parts)])
    keys = map_size(hd(parts)) + 1
    assert :erts_debug.size(parts) <= 100 * each - 99 * keys
  end

  describe "a struct is read as a map" do
    setup do: {:ok, whole: decode(%{"a" => %{"b" => "n"}, "parts" => [%{"id" => "q"}]})}

    test "by the name of a field", %{whole: whole} do
      assert whole[:note] == "n" and whole[:interval] == 5
      assert whole[:unknown] == nil and whole["note"] == nil and whole["own"] == nil
      assert get_in(whole, [:parts, Access.at(0), :id]) == "q"
      assert Access.fetch(whole, :unknown) == :error
    end

    test "by a name in the Hub's JSON" do
      whole = decode(%{"oid" => "h", "status" => "safe", "parts" => [%{"id" => "q"}]})
      assert whole["oid"] == "h" and whole["sha256"] == "h" and whole["status"] == true
      assert get_in(whole, ["parts", Access.at(0), "id"]) == "q"
      assert put_in(whole["oid"], "g").hash == "g"
      assert {"x", %Whole{name: nil}} = pop_in(whole["name"])
      assert_raise KeyError, fn -> put_in(whole["unknown"], 1) end
    end

    test "and changed", %{whole: whole} do
      assert %Whole{note: "m"} = put_in(whole[:note], "m")
      assert %Whole{parts: [%Part{id: "Q"}]} = update_in(whole, [:parts, Access.all(), :id], &String.upcase/1)
      assert {5, %Whole{interval: 5}} = pop_in(whole[:interval])
      assert {"n", %Whole{note: nil}} = pop_in(whole[:note])
      assert_raise KeyError, fn -> put_in(whole[:unknown], 1) end
    end
  end

  test "docs list each field with its type and description" do
    docs = HfHub.Schema.docs(Whole.__fields__())
    assert docs =~ "  * `:stage` (one of `false`, `:on`, `:off`) - stage\n"
    assert docs =~ "  * `:parts` (a list of `HfHub.SchemaTest.Part`) - parts\n"
    assert docs =~ "  * `:by_name` (a map of names to `HfHub.SchemaTest.Part`) - parts by name\n"
  end

  test "types include nil for optional fields" do
    spec = Macro.to_string(HfHub.Schema.typespec(Whole, Whole.__fields__()))
    assert spec =~ "name: String.t(),"
    assert spec =~ "note: String.t() | nil"
    assert spec =~ "interval: 1..10,"
    assert spec =~ "own: String.t(),"
    assert spec =~ "authors: [String.t()],"
  end
end
