defmodule HfHub.Error do
  @moduledoc """
  The error that the functions of this library return and raise.

  Functions return `{:error, %HfHub.Error{}}` for failures at run time, and their `!` variants raise it. Mistakes of the
  caller (an unknown option, a value of the wrong type) raise `ArgumentError` instead.

  Match on `:kind`; messages are for people and may change:

      case HfHub.Download.hf_hub_download(repo_id: "me/model", filename: "config.json") do
        {:ok, path} -> File.read!(path)
        {:error, %HfHub.Error{kind: :entry_not_found}} -> nil
        {:error, %HfHub.Error{kind: :rate_limited, retry_after: ms}} -> {:try_again_in, ms}
        {:error, error} -> raise error
      end

  ## Kinds

  | kind | when |
  |---|---|
  | `:no_token` | the request requires a token and none was found (401) |
  | `:unauthorized` | the Hub rejected the token: mistyped, expired or revoked (401) |
  | `:forbidden` | the account has no permission, or the token's permissions are too narrow (403) |
  | `:gated_repo` | the repository's terms have not been accepted |
  | `:gated_pending` | access to a gated repository was requested, and its authors have not decided |
  | `:disabled_repo` | the Hub has disabled the repository |
  | `:repo_not_found` | no such repository, or it is private and the token has no access |
  | `:revision_not_found` | no such branch, tag or commit |
  | `:entry_not_found` | no such file in the repository |
  | `:not_found` | any other 404, or no tensor of that name |
  | `:bad_request` | the Hub rejected the request as invalid (400, 422), a commit has no message, or a tensor lacks the wanted rows |
  | `:conflict` | the resource already exists or has another value, or was changed meanwhile (409) |
  | `:precondition` | a precondition of the request failed (412) |
  | `:rate_limited` | too many requests (429); see `:retry_after` |
  | `:server` | the Hub failed (5xx) |
  | `:http` | any other status |
  | `:timeout` | a deadline passed, or the other side sent nothing for too long |
  | `:transport` | DNS, connect, TLS, or a broken connection |
  | `:offline` | the call requires the network and offline mode is on |
  | `:not_cached` | the file is not in the cache, and the call may not use the network |
  | `:checksum_mismatch` | the bytes do not match the Hub's checksum; nothing was stored |
  | `:lock_timeout` | another process holds the lock |
  | `:io` | reading or writing a file failed |
  | `:invalid_response` | the response, the payload of a webhook, or a file of tensors is malformed or not allowed |
  | `:invalid_name` | an invalid repository id, revision, file name or endpoint |
  | `:invalid_archive` | the archive is damaged, or unsafe to unpack |
  | `:invalid_card` | the metadata of a card cannot be read or written |
  | `:cancelled` | the operation was stopped |
  | `:internal` | a bug in this library |

  ## Fields

    * `:kind`, `:message`
    * `:status`, `:url` (without its query) and `:request_id` (quote it to Hugging Face) - the failed request
    * `:repo_id`, `:path`, `:revision` - what the error is about
    * `:retry_after` - time to wait before the next request, in milliseconds
    * `:reason` - the technical cause, as text
    * `:details` - the JSON object of the Hub's error response, as a map

  Fields that do not apply are `nil`, which `inspect/1` does not show. No field contains a token.
  """

  alias HfHub.Error.Hint

  @type kind ::
          :no_token
          | :unauthorized
          | :forbidden
          | :gated_repo
          | :gated_pending
          | :disabled_repo
          | :repo_not_found
          | :revision_not_found
          | :entry_not_found
          | :not_found
          | :bad_request
          | :conflict
          | :precondition
          | :rate_limited
          | :server
          | :http
          | :timeout
          | :transport
          | :offline
          | :not_cached
          | :checksum_mismatch
          | :lock_timeout
          | :io
          | :invalid_response
          | :invalid_name
          | :invalid_archive
          | :invalid_card
          | :cancelled
          | :internal

  @type t :: %__MODULE__{
          kind: kind(),
          message: String.t(),
          status: pos_integer() | nil,
          url: String.t() | nil,
          request_id: String.t() | nil,
          repo_id: String.t() | nil,
          path: String.t() | nil,
          revision: String.t() | nil,
          retry_after: non_neg_integer() | nil,
          reason: String.t() | nil,
          details: map() | nil
        }

  @optional [:status, :url, :request_id, :repo_id, :path, :revision, :retry_after, :reason, :details]
  @derive {Inspect, optional: @optional}
  defexception [:kind, :message | @optional]

  HfHub.Schema.Json.implement(
    __MODULE__,
    [:kind, :message | @optional],
    __ENV__.file
  )

  @impl true
  def message(%__MODULE__{} = error) do
    facts =
      for {name, value} <- [status: error.status, request_id: error.request_id, reason: error.reason],
          value != nil,
          do: "#{name}: #{value}"

    case facts do
      [] -> error.message
      facts -> "#{error.message} (#{Enum.join(facts, ", ")})"
    end
  end

  @doc false
  @spec from_native(map()) :: t()
  def from_native(fields) do
    {hints, fields} = Map.pop(fields, :hints)
    struct!(__MODULE__, Map.update!(fields, :message, &Hint.append(&1, hints)))
  end

  @doc false
  # The engine has removed secrets from its errors; here tokens are recognized by their form only.
  @spec new(kind(), String.t(), keyword()) :: t()
  def new(kind, message, facts \\ []) do
    facts = for {name, fact} <- [message: message] ++ facts, do: {name, shown(fact)}
    struct!(__MODULE__, [kind: kind] ++ facts)
  end

  defp shown(text) when is_binary(text), do: HfHub.Native.Nif.shown(text, nil)
  defp shown(fact), do: fact

  @doc false
  @spec unwrap!(:ok | {:ok, value} | {:error, t()}) :: :ok | value when value: term()
  def unwrap!(:ok), do: :ok
  def unwrap!({:ok, value}), do: value
  def unwrap!({:error, %__MODULE__{} = error}), do: raise(error)
end
