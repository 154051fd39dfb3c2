defmodule HfHub.StrictJsonTest do
  use ExUnit.Case, async: true

  alias HfHub.StrictJson

  test "values are those of the engine's parser" do
    for text <- [
          ~s({"a":[1,-2,3.5,1e3,0,true,false,null,"x"],"b":{"c":{}},"d":[]}),
          ~s(  [ 1 , 2 ]  ),
          ~s("\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fc\\ud83d\\ude00ü😀"),
          "123456789012345678",
          "18446744073709551615",
          "-0",
          "0.5",
          "12e2",
          ~s({"":1})
        ] do
      assert {:ok, value} = StrictJson.parse(text), text
      assert {:ok, theirs} = HfHub.Native.run(:parse_json, text)
      assert value == theirs, text
    end
  end

  test "a text of very many values is an error before any is read" do
    for text <- [
          "[" <> String.duplicate("1,", 5_000_000) <> "1]",
          ~s("#{String.duplicate("\\n", 5_000_000)}")
        ] do
      assert StrictJson.parse(text) == {:error, "it has too many values"}
    end

    assert {:ok, text} = StrictJson.parse(~s("#{String.duplicate("x", 5_000_000)}"))
    assert byte_size(text) == 5_000_000
  end

  test "what parsers disagree about, or is not JSON, is an error" do
    for text <- [
          "",
          "{",
          "[1,]",
          "[1 2]",
          ~s({"a":1,"a":1}),
          ~s({"a":{"b":1,"\\u0062":2}}),
          ~s({a:1}),
          ~s({"a" 1}),
          "01",
          "1.",
          ".5",
          "+1",
          "NaN",
          "1e999",
          "123456789012345678901234567890",
          ~s("\\ud83d"),
          ~s("\\ude00x"),
          ~s("\\x"),
          ~s("a),
          "\"\n\"",
          <<?", 255, ?">>,
          "1 1",
          "tru",
          String.duplicate("[", 40) <> String.duplicate("]", 40),
          <<0xEF, 0xBB, 0xBF, ?1>>
        ] do
      assert {:error, why} = StrictJson.parse(text), text
      assert is_binary(why) and String.length(why) < 300
    end
  end
end
