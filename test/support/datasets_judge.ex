defmodule HfHub.DatasetsJudge do
  # The Python library `datasets`: pushes datasets to a Hub, and reads them; see `datasets_judge.py`.
  # `bin/setup.sh` installs it.
  @moduledoc false

  alias HfHub.{Decode, Python}

  @script Path.expand("datasets_judge.py", __DIR__)
  @versions "datasets-5.2.0-0.23.3"

  @doc "Returns the Python that has the library, which may be missing."
  @spec python() :: Path.t()
  def python do
    System.get_env("HF_HUB_TEST_DATASETS") || HfHub.Installed.path("#{@versions}/bin/python")
  end

  @doc "Pushes the datasets and returns by their names what is to be loaded, and the rows with tagged values."
  @spec run!(String.t(), String.t(), Path.t()) :: %{String.t() => map()}
  def run!(endpoint, token, folder) do
    File.mkdir_p!(folder)

    quiet =
      for what <- ~w(HF_DATASETS_DISABLE_PROGRESS_BARS HF_HUB_DISABLE_EXPERIMENTAL_WARNING), do: {what, "1"}

    # Downloads are counted by the public Hub's content host.
    env = [{"HF_ENDPOINT", endpoint}, {"HF_TOKEN", token}, {"HF_UPDATE_DOWNLOAD_COUNTS", "0"} | quiet]
    {output, 0} = System.cmd(python(), [@script, folder], env: env ++ Python.env(folder))
    {:ok, judged} = HfHub.Native.run(:parse_json, output)
    for {name, case_} <- judged, into: %{}, do: {name, Decode.object(case_)}
  end

  @doc "Returns a value of a row as the script tags it."
  @spec tagged(term()) :: term()
  def tagged(value) when value in [nil, true, false], do: value
  def tagged(:nan), do: ["float", "nan"]
  def tagged(:infinity), do: ["float", "inf"]
  def tagged(:neg_infinity), do: ["float", "-inf"]
  def tagged(value) when is_integer(value), do: ["int", "#{value}"]
  def tagged(value) when is_float(value), do: ["float", value]
  def tagged(%DateTime{} = value), do: ["moment", micros(DateTime.to_naive(value))]
  def tagged(%NaiveDateTime{} = value), do: ["naive", micros(value)]
  def tagged(%Date{} = value), do: ["date", Date.to_iso8601(value)]
  def tagged(%Time{} = value), do: ["time", Time.to_iso8601(%{value | microsecond: six(value)})]
  def tagged(value) when is_list(value), do: ["list", Enum.map(value, &tagged/1)]

  def tagged(%{} = value),
    do: ["map", for({key, item} <- Enum.sort(value), do: [key, tagged(item)])]

  def tagged(value) when is_binary(value), do: value

  @doc "Returns whether values are the same; floats are compared as numbers, and bytes and digits as what they stand for."
  @spec same?(term(), term()) :: boolean()
  def same?(["float", ours], ["float", theirs]) when is_float(ours), do: ours == number(theirs)
  def same?(ours, ["bytes", hex]), do: ours == Base.decode16!(hex, case: :lower)
  def same?(ours, ["decimal", digits]), do: ours == digits

  def same?(["map", ours], ["map", theirs]) do
    pairs = Enum.zip(ours, theirs)

    length(ours) == length(theirs) and
      Enum.all?(pairs, fn {[key, mine], [name, other]} -> key == name and same?(mine, other) end)
  end

  def same?([_ | _] = ours, [_ | _] = theirs),
    do: length(ours) == length(theirs) and Enum.all?(Enum.zip_with(ours, theirs, &same?/2))

  def same?(ours, theirs), do: ours == theirs

  defp number(text) do
    case Float.parse(text) do
      {number, ""} -> number
      _inf_or_nan -> text
    end
  end

  defp micros(value), do: NaiveDateTime.to_iso8601(%{value | microsecond: six(value)})
  defp six(%{microsecond: {micros, _digits}}), do: {micros, 6}
end
