defmodule HfHub.Test.Fault do
  # The faults of `HfHub.Test.fault/4`: checked, because what is wrong with one would show in an unrelated request.
  @moduledoc false

  @doc "Returns the fault as the Local Hub plants it. Raises `ArgumentError` for any other value."
  @spec native!(term()) :: map()
  def native!({:status, code}) when code in 200..599, do: %{kind: "status", code: code}

  def native!({:status, code, headers}) when code in 200..599 and is_list(headers) do
    for header <- headers, do: header!(header)
    %{kind: "status", code: code, headers: Map.new(headers)}
  end

  def native!({kind, number} = fault) when is_integer(number) and number >= 0 do
    case kind do
      :rate_limit -> %{kind: "rate_limit", seconds: number}
      :cut -> %{kind: "drop", after: number}
      :stall -> %{kind: "stall", after: number}
      :corrupt -> %{kind: "corrupt", at: number}
      :delay -> %{kind: "delay", ms: number}
      _other -> unknown!(fault)
    end
  end

  def native!({:body, text}) when is_binary(text), do: %{kind: "body", text: text}
  def native!(fault) when fault in [:hang, :hang_up], do: %{kind: Atom.to_string(fault)}
  def native!(fault), do: unknown!(fault)

  defp header!({name, value}) when is_binary(name) and is_binary(value), do: :ok

  defp header!(header),
    do:
      raise(
        ArgumentError,
        "expected the headers of a fault as {name, value} of strings, got: #{inspect(header)}"
      )

  defp unknown!(fault),
    do: raise(ArgumentError, "unknown fault #{inspect(fault)}; HfHub.Test lists the faults and their values")
end
