defmodule HfHub.Auth.Store do
  # The two token files that all Hugging Face clients on this machine share: `token`, the active one,
  # and `stored_tokens`, all of them by name. Writers hold the lock that the Python client takes too.
  @moduledoc false

  alias HfHub.Auth.{Ini, StoredToken}
  alias HfHub.Config.{Setting, Token}
  alias HfHub.{Error, Native, RegularFile}
  alias HfHub.Native.Nif

  @type fields :: [{String.t(), String.t()}]

  @doc "Returns all stored tokens, sorted by name."
  @spec list() :: {:ok, [StoredToken.t()]} | {:error, Error.t()}
  def list do
    with {:ok, sections} <- read() do
      {:ok, sections |> Enum.sort() |> Enum.map(&stored/1)}
    end
  end

  @doc "Stores the fields of a token under a name, in place of those stored before."
  @spec put(String.t(), fields()) :: :ok | {:error, Error.t()}
  def put(name, fields) do
    locked(fn ->
      with {:ok, sections} <- read(), do: write(List.keystore(sections, name, 0, {name, fields}))
    end)
  end

  @doc "Removes a stored token, and the active token if it is the same."
  @spec delete(String.t()) :: :ok | {:error, Error.t()}
  def delete(name) do
    locked(fn ->
      with {:ok, token} <- fetch(name),
           {:ok, sections} <- read(),
           :ok <- write(List.keydelete(sections, name, 0)),
           do: if(active?(token), do: write_file(path(), nil), else: :ok)
    end)
  end

  @doc "Removes both files."
  @spec clear() :: :ok | {:error, Error.t()}
  def clear do
    with :ok <- write_file(path(), nil), do: write_file(stored_path(), nil)
  end

  @doc "Makes a stored token the active one, for all clients on this machine."
  @spec activate(String.t()) :: {:ok, StoredToken.t()} | {:error, Error.t()}
  def activate(name) do
    with {:ok, stored} <- fetch(name),
         :ok <- write_file(path(), stored.token),
         do: {:ok, stored}
  end

  @doc """
  Replaces the fields of a stored token by the result of `work`, with the token files locked.

  `work` is called with the token as stored at that time. The active token is replaced too, if it is the same.
  """
  @spec renew(String.t(), String.t(), (StoredToken.t() -> {:ok, fields()} | {:error, term()})) ::
          {:ok, String.t()} | {:error, term()}
  def renew(name, old, work) do
    locked(fn ->
      with {:ok, stored} <- fetch(name) do
        # Another process may have renewed it first.
        if stored.token == old, do: renewed(stored, work.(stored)), else: {:ok, stored.token}
      end
    end)
  end

  defp renewed(stored, {:ok, fields}) do
    {"hf_token", token} = List.keyfind(fields, "hf_token", 0)

    # The file that readers read first is written first: a reader then never takes the old token for the newest.
    with :ok <- if(active?(stored), do: write_file(path(), token), else: :ok),
         {:ok, sections} <- read(),
         :ok <- write(List.keystore(sections, stored.name, 0, {stored.name, fields})),
         do: {:ok, token}
  end

  defp renewed(_stored, {:error, reason}), do: {:error, reason}

  defp stored({name, fields}) do
    fields = Map.new(fields)
    expires_at = expiry(fields["expires_at"])
    refresh_token = Token.clean(fields["refresh_token"])

    %StoredToken{
      name: name,
      token: Token.clean(fields["hf_token"]) || "",
      expires_at: expires_at,
      refresh_token: refresh_token,
      refreshable: expires_at != nil and refresh_token != nil
    }
  end

  defp expiry(text) do
    with text when is_binary(text) <- text,
         {seconds, ""} <- Integer.parse(String.trim(text)),
         {:ok, time} <- DateTime.from_unix(seconds) do
      time
    else
      _unknown -> nil
    end
  end

  defp fetch(name) do
    with {:ok, tokens} <- list() do
      case Enum.find(tokens, &(&1.name == name)) do
        nil -> {:error, Error.new(:not_found, unknown(name, tokens))}
        stored -> {:ok, stored}
      end
    end
  end

  defp unknown(name, []), do: "no stored token #{inspect(name)}: no tokens are stored"

  defp unknown(name, tokens) do
    "no stored token #{inspect(name)}; stored are #{Enum.map_join(tokens, ", ", &inspect(&1.name))}"
  end

  defp active?(stored), do: match?({text, _place} when text == stored.token, Token.file())

  defp read do
    path = stored_path()

    case RegularFile.read(path) do
      {:ok, bytes} ->
        case RegularFile.text(bytes) do
          {:ok, text} -> {:ok, Ini.parse(text)}
          :error -> {:error, Error.new(:io, damaged(path))}
        end

      {:error, reason} when reason in [:enoent, :enotdir] ->
        {:ok, []}

      {:error, reason} ->
        {:error, Error.new(:io, "cannot read `#{path}`: #{:file.format_error(reason)}")}
    end
  end

  defp damaged(path), do: "the token file `#{path}` is not text; remove it and log in again"

  defp write(sections), do: write_file(stored_path(), Ini.render(sections))

  defp write_file(path, content) do
    content = content && Nif.secret(content)
    with {:ok, :done} <- Native.run(:write_secret, %{path: path, content: content}), do: :ok
  end

  defp locked(work) do
    with {:ok, handle, _path} <- Native.hold(:hold_secret, %{path: stored_path()}) do
      try do
        work.()
      after
        Nif.cancel(handle)
      end
    end
  end

  defp path, do: Setting.value(:token_path)
  defp stored_path, do: Path.join(Path.dirname(path()), "stored_tokens")
end
