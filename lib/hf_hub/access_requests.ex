defmodule HfHub.AccessRequests do
  @moduledoc """
  Access to gated repositories: requests of users, and decisions of owners.

      HfHub.Repo.update_settings!("me/my-model", gated: :manual)

      {:ok, requests} = HfHub.AccessRequests.list_pending("me/my-model")
      for request <- requests, do: HfHub.AccessRequests.accept!("me/my-model", request)

  A request is *pending*, *accepted* or *rejected*, and every function that decides moves it to another list. A user can
  download the files while the request is accepted. With `gated: :auto`, every request is accepted when it is made.

  Lists and decisions need a token that may write to the repository. Errors of all functions:

  | kind | when |
  |---|---|
  | `:bad_request` | the repository is not gated, or the user of `grant/3` already has access |
  | `:forbidden` | the token may only read, or its account has no permission to write |
  | `:not_found` | the user does not exist, has no request, or the request is already in that list |

  ## Users

  The user of a decision is a name, an `HfHub.AccessRequests.AccessRequest`, or `{:request_id, id}`: repositories can be
  configured to hide the names of users.
  """

  alias HfHub.AccessRequests.AccessRequest
  alias HfHub.{Error, Options, Request, RepoRef}

  @times [
    after: [type: {:struct, DateTime}, doc: "Time after which the requests were made."],
    before: [type: {:struct, DateTime}, doc: "Time before which the requests were made."]
  ]

  @stream @times ++ Options.repo_type() ++ Options.common()

  @list [limit: [type: :pos_integer, doc: "Maximum number of requests to return. Defaults to all."]] ++
          @stream

  @decide Options.repo_type() ++ Options.common()

  @longest_reason 200

  @reject [
            reason: [
              type: :string,
              aliases: [:rejection_reason],
              doc: "Reason that the user sees, of at most #{@longest_reason} characters. Defaults to none."
            ]
          ] ++ @decide

  @request [
             fields: [
               type: :any,
               default: %{},
               doc:
                 "Values for the form of the repository (`extra_gated_fields` of its card), as a map of the fields' names " <>
                   "to texts, or booleans for checkboxes."
             ]
           ] ++ @decide

  @typedoc "The user of a decision; see \"Users\" above."
  @type user :: String.t() | AccessRequest.t() | {:request_id, String.t()}

  @doc """
  Returns the requests without a decision, the most recent one first.

  ## Options

  #{Options.docs(@list)}

  ## Examples

      {:ok, requests} = HfHub.AccessRequests.list_pending("me/my-model")
      for request <- requests, do: {request.user, request.fields}
  """
  @doc python: "list_pending_access_requests"
  @spec list_pending(HfHub.repo(), keyword()) :: {:ok, [AccessRequest.t()]} | {:error, Error.t()}
  def list_pending(repo_id, opts \\ []), do: list(repo_id, "pending", opts)

  @doc "Same as `list_pending/2`, but returns the requests or raises `HfHub.Error`."
  @spec list_pending!(HfHub.repo(), keyword()) :: [AccessRequest.t()]
  def list_pending!(repo_id, opts \\ []), do: Error.unwrap!(list_pending(repo_id, opts))

  @doc """
  Returns the requests without a decision as a lazy stream. Options: those of `list_pending/2` but `:limit`.

  ## Examples

      HfHub.AccessRequests.stream_pending("me/my-model")
      |> Enum.filter(&((&1.email || "") =~ ~r/@example\\.org$/))
  """
  @doc python: "list_pending_access_requests"
  @spec stream_pending(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream_pending(repo_id, opts \\ []), do: stream(repo_id, "pending", opts)

  @doc """
  Returns the accepted requests, the most recent one first. Options: those of `list_pending/2`.

  Access that was granted without a request is among them, without an `:email`.

  ## Examples

      {:ok, requests} = HfHub.AccessRequests.list_accepted("me/my-model", limit: 100)
  """
  @doc python: "list_accepted_access_requests"
  @spec list_accepted(HfHub.repo(), keyword()) :: {:ok, [AccessRequest.t()]} | {:error, Error.t()}
  def list_accepted(repo_id, opts \\ []), do: list(repo_id, "accepted", opts)

  @doc "Same as `list_accepted/2`, but returns the requests or raises `HfHub.Error`."
  @spec list_accepted!(HfHub.repo(), keyword()) :: [AccessRequest.t()]
  def list_accepted!(repo_id, opts \\ []), do: Error.unwrap!(list_accepted(repo_id, opts))

  @doc """
  Returns the accepted requests as a lazy stream. Options: those of `list_pending/2` but `:limit`.

  ## Examples

      HfHub.AccessRequests.stream_accepted("me/my-model") |> Enum.count()
  """
  @doc python: "list_accepted_access_requests"
  @spec stream_accepted(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream_accepted(repo_id, opts \\ []), do: stream(repo_id, "accepted", opts)

  @doc """
  Returns the rejected requests, the most recent one first. Options: those of `list_pending/2`.

  ## Examples

      {:ok, requests} = HfHub.AccessRequests.list_rejected("me/my-model")
      for request <- requests, do: {request.user, request.rejection_reason}
  """
  @doc python: "list_rejected_access_requests"
  @spec list_rejected(HfHub.repo(), keyword()) :: {:ok, [AccessRequest.t()]} | {:error, Error.t()}
  def list_rejected(repo_id, opts \\ []), do: list(repo_id, "rejected", opts)

  @doc "Same as `list_rejected/2`, but returns the requests or raises `HfHub.Error`."
  @spec list_rejected!(HfHub.repo(), keyword()) :: [AccessRequest.t()]
  def list_rejected!(repo_id, opts \\ []), do: Error.unwrap!(list_rejected(repo_id, opts))

  @doc """
  Returns the rejected requests as a lazy stream. Options: those of `list_pending/2` but `:limit`.

  ## Examples

      HfHub.AccessRequests.stream_rejected("me/my-model") |> Enum.take(10)
  """
  @doc python: "list_rejected_access_requests"
  @spec stream_rejected(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream_rejected(repo_id, opts \\ []), do: stream(repo_id, "rejected", opts)

  @doc """
  Accepts a request: the user can download the files.

  ## Options

  #{Options.docs(@decide)}

  ## Examples

      HfHub.AccessRequests.accept("me/my-model", "ada")
      #=> :ok
  """
  @doc python: "accept_access_request"
  @spec accept(HfHub.repo(), user(), keyword()) :: :ok | {:error, Error.t()}
  def accept(repo_id, user, opts \\ []),
    do: decide(repo_id, user, "accepted", Options.validate!(opts, @decide))

  @doc "Same as `accept/3`, but raises `HfHub.Error` on failure."
  @spec accept!(HfHub.repo(), user(), keyword()) :: :ok
  def accept!(repo_id, user, opts \\ []), do: Error.unwrap!(accept(repo_id, user, opts))

  @doc """
  Rejects a request, also one that was accepted: the user cannot download the files, and cannot ask again.

  ## Options

  #{Options.docs(@reject)}

  ## Examples

      HfHub.AccessRequests.reject("me/my-model", "ada", reason: "for students only")
      #=> :ok
  """
  @doc python: "reject_access_request"
  @spec reject(HfHub.repo(), user(), keyword()) :: :ok | {:error, Error.t()}
  def reject(repo_id, user, opts \\ []) do
    opts = Options.validate!(opts, @reject)
    length = String.length(opts[:reason] || "")

    if length > @longest_reason,
      do:
        raise(
          ArgumentError,
          "option :reason has #{length} characters; at most #{@longest_reason} are allowed"
        )

    decide(repo_id, user, "rejected", opts)
  end

  @doc "Same as `reject/3`, but raises `HfHub.Error` on failure."
  @spec reject!(HfHub.repo(), user(), keyword()) :: :ok
  def reject!(repo_id, user, opts \\ []), do: Error.unwrap!(reject(repo_id, user, opts))

  @doc """
  Cancels a decision: the request is pending again, and the user cannot download the files. Options: those of `accept/3`.

  ## Examples

      HfHub.AccessRequests.cancel("me/my-model", "ada")
      #=> :ok
  """
  @doc python: "cancel_access_request"
  @spec cancel(HfHub.repo(), user(), keyword()) :: :ok | {:error, Error.t()}
  def cancel(repo_id, user, opts \\ []),
    do: decide(repo_id, user, "pending", Options.validate!(opts, @decide))

  @doc "Same as `cancel/3`, but raises `HfHub.Error` on failure."
  @spec cancel!(HfHub.repo(), user(), keyword()) :: :ok
  def cancel!(repo_id, user, opts \\ []), do: Error.unwrap!(cancel(repo_id, user, opts))

  @doc """
  Grants access to a user who has not requested it: a name, or an `HfHub.AccessRequests.AccessRequest` with one. Options:
  those of `accept/3`.

  ## Examples

      HfHub.AccessRequests.grant("me/my-model", "ada")
      #=> :ok
  """
  @doc python: "grant_access"
  @spec grant(HfHub.repo(), String.t() | AccessRequest.t(), keyword()) :: :ok | {:error, Error.t()}
  def grant(repo_id, user, opts \\ []) do
    opts = Options.validate!(opts, @decide)
    route(:post, repo_id, "grant", opts) |> Request.json(%{user: user!(user)}) |> Request.effect()
  end

  @doc "Same as `grant/3`, but raises `HfHub.Error` on failure."
  @spec grant!(HfHub.repo(), String.t() | AccessRequest.t(), keyword()) :: :ok
  def grant!(repo_id, user, opts \\ []), do: Error.unwrap!(grant(repo_id, user, opts))

  @doc """
  Requests access to a gated repository, as the account of the token, which shares its name and email address with the
  repository's authors.

  Whether it was accepted at once depends on the repository; `HfHub.Repo.check_access/2` shows it. A request that was
  rejected earlier is an error of kind `:gated_repo`. The public Hub may restrict this to its web pages.

  ## Options

  #{Options.docs(@request)}

  ## Examples

      HfHub.AccessRequests.request("org/gated-model",
        fields: %{"Company" => "Example", "I agree" => true}
      )
      #=> :ok
  """
  @spec request(HfHub.repo(), keyword()) :: :ok | {:error, Error.t()}
  def request(repo_id, opts \\ []) do
    opts = Options.validate!(opts, @request)
    fields = fields!(opts[:fields])

    with {:ok, ref} <- RepoRef.whole(repo_id, opts),
         {:ok, headers} <-
           Request.repo(:post, RepoRef.web_route(ref) <> "/ask-access", ref, opts)
           |> Request.json(fields)
           |> Request.headers(),
         do: requested(headers["location"], ref)
  end

  @doc "Same as `request/2`, but raises `HfHub.Error` on failure."
  @spec request!(HfHub.repo(), keyword()) :: :ok
  def request!(repo_id, opts \\ []), do: Error.unwrap!(request(repo_id, opts))

  @doc """
  Withdraws the pending request of the token's account. A decision about it cannot be withdrawn. Options: those of
  `accept/3`.

  ## Examples

      HfHub.AccessRequests.withdraw("org/gated-model")
      #=> :ok
  """
  @spec withdraw(HfHub.repo(), keyword()) :: :ok | {:error, Error.t()}
  def withdraw(repo_id, opts \\ []),
    do: route(:post, repo_id, "cancel", Options.validate!(opts, @decide)) |> Request.effect()

  @doc "Same as `withdraw/2`, but raises `HfHub.Error` on failure."
  @spec withdraw!(HfHub.repo(), keyword()) :: :ok
  def withdraw!(repo_id, opts \\ []), do: Error.unwrap!(withdraw(repo_id, opts))

  defp list(repo_id, status, opts) do
    opts = Options.validate!(opts, @list)
    Request.list(requests(repo_id, status, opts), opts[:limit], AccessRequest)
  end

  defp stream(repo_id, status, opts) do
    opts = Options.validate!(opts, @stream)
    Request.stream(requests(repo_id, status, opts), AccessRequest)
  end

  defp requests(repo_id, status, opts) do
    times = for name <- [:after, :before], time = opts[name], do: {name, DateTime.to_iso8601(time)}
    route(:get, repo_id, status, opts) |> Request.query(times)
  end

  defp decide(repo_id, user, status, opts) do
    body = Map.merge(named!(user), %{status: status, rejectionReason: opts[:reason]})
    route(:post, repo_id, "handle", opts) |> Request.json(body) |> Request.effect()
  end

  defp route(method, repo_id, route, opts) do
    path = "/api/:types/*repo/user-access-request/:route"
    Request.repo(method, path, repo_id, opts, route: route, scope: :whole)
  end

  defp named!(name) when is_binary(name), do: %{user: name}
  defp named!({:request_id, id}) when is_binary(id), do: %{requestId: id}
  # The id is that of the request; a user may have been renamed.
  defp named!(%AccessRequest{request_id: id}) when is_binary(id), do: %{requestId: id}
  defp named!(%AccessRequest{user: name}) when is_binary(name), do: %{user: name}

  defp named!(other) do
    raise ArgumentError,
          "expected a user name, a HfHub.AccessRequests.AccessRequest or {:request_id, id}, got: #{Options.shown(other)}"
  end

  defp user!(name) when is_binary(name), do: name
  defp user!(%AccessRequest{user: name}) when is_binary(name), do: name

  defp user!(other) do
    raise ArgumentError,
          "expected a user name, or a HfHub.AccessRequests.AccessRequest with one, got: #{Options.shown(other)}"
  end

  defp fields!(fields) when is_map(fields) and not is_struct(fields), do: Map.new(fields, &field!/1)

  defp fields!(other) do
    raise ArgumentError,
          "expected option :fields to be a map of names to values, got: #{Options.shown(other)}"
  end

  defp field!({name, value})
       when (is_binary(name) or is_atom(name)) and (is_binary(value) or is_boolean(value)),
       do: {to_string(name), value}

  defp field!({name, value}) do
    raise ArgumentError,
          "expected the field #{Options.shown(name)} to be a text or a boolean, got: #{Options.shown(value)}"
  end

  # A redirect to another page, such as that of a login, is no request.
  defp requested(location, ref) do
    path = URI.parse(location || "").path || ""

    if String.ends_with?(URI.decode(path), "/" <> ref.repo_id) do
      :ok
    else
      message = "the Hub did not confirm the access request: it redirected to #{Options.shown(location)}"
      {:error, Error.new(:invalid_response, message, repo_id: ref.repo_id)}
    end
  end
end
