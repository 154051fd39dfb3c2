defmodule HfHub.Buckets.Filter do
  # Which files a synchronization is about: the first rule that matches decides, then the patterns to exclude, then those
  # to include.
  @moduledoc false

  alias HfHub.{Error, Fnmatch}
  alias HfHub.Error.Io

  @type t :: %{rules: [{:include | :exclude, String.t()}], exclude: [String.t()], include: [String.t()]}

  @doc "Returns the filter of the options `:include`, `:exclude` and `:filter_from`, the path of a file with rules."
  @spec new(keyword()) :: {:ok, t()} | {:error, Error.t()}
  def new(opts) do
    with {:ok, rules} <- rules(opts[:filter_from]),
         do: {:ok, %{rules: rules, exclude: opts[:exclude] || [], include: opts[:include] || []}}
  end

  defp rules(nil), do: {:ok, []}

  defp rules(path) do
    case File.read(path) do
      {:ok, text} ->
        {:ok, for(line <- String.split(text, "\n"), line = String.trim(line), rule = rule(line), do: rule)}

      {:error, reason} ->
        {:error, Io.new("read", path, reason)}
    end
  end

  defp rule(""), do: nil
  defp rule("#" <> _comment), do: nil
  defp rule("+" <> pattern), do: {:include, String.trim(pattern)}
  defp rule("-" <> pattern), do: {:exclude, String.trim(pattern)}
  defp rule(pattern), do: {:include, pattern}

  @doc "Returns whether a path passes the filter."
  @spec matches?(t(), String.t()) :: boolean()
  def matches?(filter, path) do
    fits? = &exactly?(&1, path)

    case Enum.find(filter.rules, fn {_kind, pattern} -> fits?.(pattern) end) do
      {kind, _pattern} ->
        kind == :include

      nil ->
        not Enum.any?(filter.exclude, fits?) and (filter.include == [] or Enum.any?(filter.include, fits?))
    end
  end

  # A pattern that ends in a slash matches no file, as in the Python client.
  defp exactly?(pattern, path) do
    pattern = String.replace(pattern, "\\", "/")
    not String.ends_with?(pattern, "/") and Fnmatch.matches?(pattern, path)
  end
end
