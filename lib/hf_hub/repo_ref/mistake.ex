defmodule HfHub.RepoRef.Mistake do
  # The errors of invalid references and addresses, which list the accepted forms or correct a common mistake.
  @moduledoc false

  alias HfHub.Error

  @types %{"models" => :model, "datasets" => :dataset, "spaces" => :space}
  @forms ~s("name", "namespace/name", "hf://[datasets/|spaces/]namespace/name[@revision][/path]", ) <>
           ~s(the URL of the repository's web page, {:hf, id} or {:hf, id, opts})

  @bucket_forms ~s("namespace/name", "hf://buckets/namespace/name[/path]", the URL of the bucket's web page)

  @doc "Returns the error of a part that is not a string in UTF-8."
  @spec no_text(term(), String.t()) :: {:error, Error.t()}
  def no_text(part, what),
    do:
      {:error,
       Error.new(
         :invalid_name,
         "invalid #{what} #{inspect(part, limit: 10)}: not a valid string; accepted: #{@forms}"
       )}

  @doc "Adds the accepted forms to the error of an id, or the correction of a common mistake."
  @spec with_forms(Error.t(), String.t()) :: Error.t()
  def with_forms(error, id) do
    case advice(String.split(id, "/"), id) do
      nil -> %{error | message: "#{error.message}; accepted: #{@forms}"}
      advice -> %{error | message: "#{error.message}; #{advice}"}
    end
  end

  # Corrects common mistakes.
  defp advice([type | rest], _id) when is_map_key(@types, type) and length(rest) in 1..2 do
    "pass #{inspect(Enum.join(rest, "/"))} with repo_type: #{inspect(@types[type])}"
  end

  defp advice(_parts, id) do
    trimmed = id |> String.trim() |> String.trim("/")

    cond do
      trimmed != id and trimmed != "" -> "did you mean #{inspect(trimmed)}?"
      id =~ ~r/\A[^@]+@[^@]+\z/ -> "pass the part after the @ as :revision"
      true -> nil
    end
  end

  @doc "Returns the error of something that is not a reference to a repository."
  @spec invalid(term(), String.t()) :: {:error, Error.t()}
  def invalid(given, why) do
    {:error, Error.new(:invalid_name, "invalid repository #{shown(given)}: #{why}; accepted: #{@forms}")}
  end

  @doc "Returns the error of a reference with parts that the call does not concern."
  @spec too_much(term(), String.t(), String.t()) :: {:error, Error.t()}
  def too_much(given, id, what) do
    message = "#{shown(given)} contains #{what}; pass the repository #{inspect(id)}"
    {:error, Error.new(:invalid_name, message, repo_id: id)}
  end

  @doc "Returns the error of something that is not the address of a bucket."
  @spec no_bucket(term(), String.t()) :: {:error, Error.t()}
  def no_bucket(given, why) do
    {:error, Error.new(:invalid_name, "invalid bucket #{shown(given)}: #{why}; accepted: #{@bucket_forms}")}
  end

  @doc "Returns the error of options in `{:hf, id, opts}` that are not known, without their values; `nil` if all are."
  @spec unknown(term(), [atom()]) :: String.t() | nil
  def unknown(opts, known) do
    names =
      if Keyword.keyword?(opts), do: Enum.uniq(Keyword.keys(opts)) -- known, else: ["(not a keyword list)"]

    shown = Enum.map_join(names, ", ", &if(is_atom(&1), do: inspect(&1), else: &1))
    if names != [], do: "unknown option in {:hf, id, opts}: #{shown}; known: #{inspect(known)}"
  end

  # A URL may contain a password, and options passed in the wrong place a token.
  defp shown(text) when is_binary(text), do: inspect(String.replace(text, ~r"//[^/@]*@", "//"))
  defp shown(other) when is_atom(other) or is_number(other), do: inspect(other)
  defp shown(other) when is_tuple(other), do: "(a tuple)"
  defp shown(other) when is_list(other), do: "(a list)"
  defp shown(_other), do: "(another term)"
end
