defmodule HfHub.StrictJson do
  # Parses JSON of untrusted files, whose parsers must agree about it: duplicate names, which other parsers resolve in
  # different ways, are an error, and so is deep nesting.
  @moduledoc false

  @max_depth 32
  # Of commas, brackets, braces and backslashes: the header of 400,000 tensors has fewer. A text of 100 MB may have
  # hundred times as many values as a header of that size, and would take as much more time and memory.
  @max_marks 4_000_000
  @space [?\s, ?\t, ?\n, ?\r]

  @doc "Returns the value of a text; objects are maps. The error is a phrase."
  @spec parse(binary()) :: {:ok, term()} | {:error, String.t()}
  def parse(text) do
    if too_many?(text, @max_marks), do: invalid("it has too many values")
    {value, rest} = value(text, @max_depth)
    if skip(rest) == "", do: {:ok, value}, else: {:error, "text follows the JSON value"}
  catch
    {:invalid, why} -> {:error, why}
  end

  defp too_many?(_text, 0), do: true
  defp too_many?(<<mark, rest::binary>>, left) when mark in ~c",[{\\", do: too_many?(rest, left - 1)
  defp too_many?(<<_byte, rest::binary>>, left), do: too_many?(rest, left)
  defp too_many?("", _left), do: false

  defp value(text, depth) do
    case skip(text) do
      "{" <> rest -> object(skip(rest), deeper(depth))
      "[" <> rest -> list(skip(rest), deeper(depth))
      "\"" <> rest -> string(rest, rest, 0, [])
      "true" <> rest -> {true, rest}
      "false" <> rest -> {false, rest}
      "null" <> rest -> {nil, rest}
      rest -> number(rest)
    end
  end

  defp deeper(0), do: invalid("it is nested more than #{@max_depth} levels deep")
  defp deeper(depth), do: depth - 1

  defp object("}" <> rest, _depth), do: {%{}, rest}
  defp object(text, depth), do: entries(text, depth, %{})

  defp entries("\"" <> text, depth, found) do
    {name, rest} = string(text, text, 0, [])
    if is_map_key(found, name), do: invalid("duplicate name #{inspect(name, printable_limit: 100)}")

    {value, rest} =
      case skip(rest),
        do:
          (
            ":" <> rest -> value(rest, depth)
            _other -> invalid("a colon is missing")
          )

    found = Map.put(found, name, value)

    case skip(rest) do
      "," <> rest -> entries(skip(rest), depth, found)
      "}" <> rest -> {found, rest}
      _other -> invalid("an object does not end")
    end
  end

  defp entries(_text, _depth, _found), do: invalid("a name is missing")

  defp list("]" <> rest, _depth), do: {[], rest}
  defp list(text, depth), do: items(text, depth, [])

  defp items(text, depth, found) do
    {value, rest} = value(text, depth)

    case skip(rest) do
      "," <> rest -> items(rest, depth, [value | found])
      "]" <> rest -> {Enum.reverse(found, [value]), rest}
      _other -> invalid("a list does not end")
    end
  end

  # `start` is the text from the last escape on, of which `length` bytes have been read.
  defp string(<<?", rest::binary>>, start, length, found) do
    # A copy, because a part of the text would keep all of it in memory.
    {[found, binary_part(start, 0, length)] |> IO.iodata_to_binary() |> utf8(), rest}
  end

  defp string(<<?\\, rest::binary>>, start, length, found) do
    {character, rest} = escape(rest)
    string(rest, rest, 0, [found, binary_part(start, 0, length), character])
  end

  defp string(<<byte, rest::binary>>, start, length, found) when byte >= 32,
    do: string(rest, start, length + 1, found)

  defp string(_text, _start, _length, _found), do: invalid("a string does not end")

  defp utf8(text), do: if(String.valid?(text), do: text, else: invalid("a string is not valid UTF-8"))

  for {code, character} <-
        [{?", "\""}, {?\\, "\\"}, {?/, "/"}, {?b, "\b"}, {?f, "\f"}] ++
          [{?n, "\n"}, {?r, "\r"}, {?t, "\t"}] do
    defp escape(<<unquote(code), rest::binary>>), do: {unquote(character), rest}
  end

  defp escape(<<?u, hex::binary-size(4), rest::binary>>), do: unit(hex(hex), rest)
  defp escape(_text), do: invalid("an escape is invalid")

  defp unit(high, <<"\\u", hex::binary-size(4), rest::binary>>) when high in 0xD800..0xDBFF do
    case hex(hex) do
      low when low in 0xDC00..0xDFFF -> {<<0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00::utf8>>, rest}
      _other -> invalid("a surrogate is alone")
    end
  end

  defp unit(unit, _rest) when unit in 0xD800..0xDFFF, do: invalid("a surrogate is alone")
  defp unit(unit, rest), do: {<<unit::utf8>>, rest}

  defp hex(digits) do
    case Base.decode16(digits, case: :mixed) do
      {:ok, <<unit::16>>} -> unit
      :error -> invalid("an escape is invalid")
    end
  end

  # Short natural numbers, which nearly all are, without the cost of a regular expression.
  defp number(<<digit, rest::binary>> = text) when digit in ?1..?9, do: digits(rest, digit - ?0, 17, text)
  defp number(text), do: any_number(text)

  defp digits(<<digit, rest::binary>>, number, left, text) when digit in ?0..?9 and left > 0,
    do: digits(rest, 10 * number + digit - ?0, left - 1, text)

  defp digits(<<next, _rest::binary>>, _number, _left, text) when next in ?0..?9 or next in ~c".eE",
    do: any_number(text)

  defp digits(rest, number, _left, _text), do: {number, rest}

  # At most as long as a 64-bit number: a longer one costs time that grows with its square.
  @number ~r/\A-?(?:0|[1-9]\d{0,19})(?![0-9])(\.\d{1,30})?([eE][+-]?\d{1,3})?/

  defp any_number(text) do
    case Regex.run(@number, binary_part(text, 0, min(byte_size(text), 80))) do
      [all] -> {String.to_integer(all), rest(text, all)}
      [all | _parts] -> {float(all), rest(text, all)}
      nil -> invalid("a value is missing, or is not JSON")
    end
  end

  defp float(text) do
    case Float.parse(text) do
      {float, _rest} -> float
      :error -> invalid("a number is invalid")
    end
  rescue
    ArgumentError -> invalid("a number is too large")
  end

  defp rest(text, all), do: binary_part(text, byte_size(all), byte_size(text) - byte_size(all))

  defp skip(<<space, rest::binary>>) when space in @space, do: skip(rest)
  defp skip(text), do: text

  @spec invalid(String.t()) :: no_return()
  defp invalid(why), do: throw({:invalid, why})
end
