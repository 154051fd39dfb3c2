defmodule HfHub.LocalHub.Announcement do
  # The line that the server prints when it accepts requests: its endpoint, whether it has Xet storage and, if it
  # created one, its certificate.
  @moduledoc false

  require Logger

  alias HfHub.Error

  # Starting takes less than a second, except on a busy machine.
  @timeout 30_000

  @typedoc "What the line contains; the path of the certificate is `nil` if the server did not create one."
  @type t :: %{endpoint: String.t(), certificate: Path.t() | nil, xet: boolean()}

  @doc "Waits for the line."
  @spec await(port()) :: {:ok, t()} | {:error, Error.t()}
  def await(port), do: await(port, [])

  defp await(port, output) do
    receive do
      {^port, {:data, {_eol, line}}} ->
        case Regex.run(~r/"endpoint":\s*"([^"]+)"/, line) do
          [_line, endpoint] ->
            {:ok,
             %{
               endpoint: endpoint,
               certificate: announced(certificate(line), line),
               xet: line =~ ~r/"xet":\s*true/
             }}

          nil ->
            await(port, [line | output])
        end

      {^port, {:exit_status, status}} ->
        why = if output == [], do: "exit status #{status}", else: output |> Enum.reverse() |> Enum.join(" ")
        {:error, Error.new(:io, "the Local Hub did not start: #{why}")}
    after
      @timeout ->
        last = if output == [], do: "", else: ": " <> hd(output)
        {:error, Error.new(:timeout, "the Local Hub did not start within #{@timeout} ms#{last}")}
    end
  end

  # The line contains the fingerprint, which users compare with the one clients show.
  defp announced(certificate, line) do
    if certificate, do: Logger.info(["Local Hub: ", line])
    certificate
  end

  defp certificate(line) do
    case Regex.run(~r/"certificate":\s*"((?:[^"\\]|\\.)+)"/u, line) do
      [_line, path] -> String.replace(path, ~r/\\(.)/u, "\\1")
      nil -> nil
    end
  end
end
