defmodule HfHub.Doctor.Hub do
  # The first requests to the Hub: whether the engine reaches it, the clock, and the dialect of its responses.
  @moduledoc false

  import HfHub.Doctor, only: [check: 3, check: 4]

  alias HfHub.{Api, Error, RepoRef, Request}
  alias HfHub.Doctor.Clock
  alias HfHub.Git.Resolution

  @doc "Returns the results."
  @spec checks(map()) :: [HfHub.Doctor.Check.t()]
  def checks(place) do
    case first(place) do
      {:ok, headers} ->
        clock = Clock.check(headers["date"], DateTime.utc_now())
        [api(place, headers), clock, dialect(place, place.opts[:repo_id] || any_model(place))]

      {:error, error} ->
        [failed(error), dialect(place, place.opts[:repo_id])]
    end
  end

  # Without the token, of which the next check reports. A Hub that requires one for everything gets it.
  defp first(place) do
    case list(Keyword.put(network(place), :token, false)) do
      {:error, %{status: 401}} -> list(network(place))
      result -> result
    end
  end

  defp list(opts),
    do:
      Request.new(:get, "/api/models", [], opts)
      |> Request.plain()
      |> Request.query(limit: 1)
      |> Request.headers()

  defp api(place, headers) do
    if String.starts_with?(headers["content-type"] || "", "application/json") do
      check(:endpoint, :ok, "#{place.endpoint} responds" <> server(headers))
    else
      check(
        :endpoint,
        :error,
        "#{place.endpoint} responds with #{headers["content-type"] || "no content type"}, not with JSON",
        advice: "check :endpoint and HF_ENDPOINT, and whether a login page of the network is in between"
      )
    end
  end

  defp server(headers) do
    case headers["x-powered-by"] || headers["server"] do
      nil -> ""
      name -> " (#{String.slice(name, 0, 40)})"
    end
  end

  defp failed(%Error{} = error) do
    # A mirror may have no list of models.
    status = if error.status in [401, 403, 404], do: :warning, else: :error
    check(:endpoint, status, Exception.message(error), advice: advice(error))
  end

  defp advice(%{kind: :transport, message: message}) do
    if message =~ ~r/certificate|issuer/i,
      do:
        "set SSL_CERT_FILE, or config :hf_hub, ca_file: …, to the certificate of the authority that issued it",
      else: "the message above shows where the connection broke; see also the checks before this one"
  end

  defp advice(%{kind: :timeout}),
    do: "the server accepts connections but does not respond: try again, or check the endpoint"

  defp advice(%{kind: :server}), do: "the Hub has a problem: try again later"
  defp advice(%{kind: :rate_limited}), do: "wait, or send a token, which raises the limit"

  defp advice(%{status: status}) when status in [403, 404],
    do: "check the endpoint; a mirror may have no list of models"

  defp advice(_error), do: "check :endpoint and HF_ENDPOINT, and any proxy or mirror in between"

  # The dialect is that of the response for a file, and so of a repository.
  defp any_model(place) do
    case Api.list_models([limit: 1] ++ network(place)) do
      {:ok, [%{id: id} | _more]} -> id
      _none -> nil
    end
  end

  defp dialect(_place, nil),
    do: check(:dialect, :skipped, "name a repository to see how the Hub serves files")

  defp dialect(place, repo) do
    with {:ok, ref} <- RepoRef.resolve(repo, place.opts),
         {:ok, headers} <- file(ref, place) do
      described(headers, ref.repo_id)
    else
      {:error, error} -> check(:dialect, :skipped, "no file could be requested: #{error.message}")
    end
  end

  # Every repository of the Hub has this file from the start.
  defp file(ref, place) do
    Request.repo(:head, RepoRef.web_route(ref) <> "/resolve/:revision/*path", ref, network(place),
      path: ref.path || ".gitattributes"
    )
    |> Request.put_header("accept-encoding", "identity")
    |> Request.headers()
  end

  defp described(headers, id) do
    facts = [commit(headers["x-repo-commit"]), etag(headers), way(headers)]
    message = "for #{id}: " <> Enum.map_join(facts, ", ", &elem(&1, 1))

    case for {false, _fact, why} <- facts, do: why do
      [] -> check(:dialect, :ok, message)
      why -> check(:dialect, :warning, message, advice: Enum.join(why, "; "))
    end
  end

  defp commit(nil),
    do:
      {false, "no commit",
       "without X-Repo-Commit, downloads need one more request, and files have no known commit"}

  defp commit(commit) do
    if Resolution.commit?(commit),
      do: {true, "names the commit", nil},
      else:
        {false, "names a revision instead of the commit",
         "pin a commit by its id, because the server does not name it"}
  end

  defp etag(headers) do
    etag =
      (headers["x-linked-etag"] || headers["etag"] || "")
      |> String.replace_prefix("W/", "")
      |> String.trim("\"")

    cond do
      etag =~ ~r/\A[0-9a-f]{64}\z/ ->
        {true, "the etag is a SHA-256", nil}

      etag =~ ~r/\A[0-9a-f]{40}\z/ ->
        {true, "the etag is a git object id", nil}

      headers["x-checksum-sha256"] ->
        {true, "a checksum in X-Checksum-Sha256", nil}

      etag == "" ->
        {false, "no etag", "without an etag, files cannot be cached by their content"}

      true ->
        {false, "an etag that is not a checksum",
         "files are verified by the checksums of listings, where there are any, else by size only"}
    end
  end

  defp way(%{"location" => location}),
    do: {true, "redirects to #{URI.parse(location).host || "a path of its own"}", nil}

  defp way(_headers), do: {true, "sends files without a redirect", nil}

  @doc "Returns the options of the requests of a check."
  @spec network(map()) :: keyword()
  def network(%{opts: opts, timeout: timeout}) do
    given = opts |> Keyword.take([:token, :endpoint, :allow_http_token]) |> HfHub.Options.given()
    # Each step is tried once: a check shows what happens.
    [retries: 0, timeout: timeout] ++ given
  end
end
