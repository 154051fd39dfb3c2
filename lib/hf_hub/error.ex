defmodule HfHub.Error do
  @moduledoc """
  The one error of this library.

  Every function returns `{:error, %HfHub.Error{}}` for what can go wrong in the world, and its
  `!` twin raises it. What a programmer got wrong (an unknown option, a value of the wrong type)
  raises `ArgumentError` instead.

  Match on `:kind`; the message is for people and may change:

      case HfHub.Download.hf_hub_download(repo_id: "openai-community/gpt2", filename: "config.json") do
        {:ok, path} -> File.read!(path)
        {:error, %HfHub.Error{kind: :entry_not_found}} -> nil
        {:error, %HfHub.Error{kind: :rate_limited, retry_after: ms}} -> {:try_again_in, ms}
        {:error, error} -> raise error
      end

  ## Kinds

  | kind | when |
  |---|---|
  | `:no_token` | a token is needed, and there is none (401) |
  | `:unauthorized` | the token was refused: mistyped, expired, revoked (401) |
  | `:forbidden` | the account may not do that, or the token's permissions are too narrow (403) |
  | `:gated_repo` | the repository's terms have to be accepted first |
  | `:gated_pending` | access to a gated repository was asked for, and its authors have not decided |
  | `:disabled_repo` | the Hub has disabled the repository |
  | `:repo_not_found` | no such repository, or it is private and the token does not reach it |
  | `:revision_not_found` | no such branch, tag or commit |
  | `:entry_not_found` | no such file in the repository |
  | `:not_found` | any other 404 |
  | `:bad_request` | the Hub did not understand (400, 422) |
  | `:conflict` | the thing exists, or has changed meanwhile (409) |
  | `:precondition` | 412 |
  | `:rate_limited` | too many requests (429); see `:retry_after` |
  | `:server` | the Hub failed (5xx) |
  | `:http` | any other status |
  | `:timeout` | a deadline passed, or the other side went silent |
  | `:transport` | DNS, connect, TLS, or a broken connection |
  | `:offline` | the network is needed and offline mode is on |
  | `:not_cached` | not on disk, and the network may not be asked |
  | `:checksum_mismatch` | the bytes are not the ones the Hub announced; nothing was kept |
  | `:lock_timeout` | another process holds the file |
  | `:io` | the disk |
  | `:invalid_response` | an answer that cannot be used, or must not be |
  | `:invalid_name` | a repository id, revision, file name or endpoint that cannot be one |
  | `:invalid_archive` | an archive that is broken, or must not be unpacked |
  | `:invalid_card` | a card whose metadata cannot be read or written |
  | `:cancelled` | the work was stopped |
  | `:internal` | a mistake of this library |

  ## Fields

  `:message`; `:status`, `:url` (without query) and `:request_id` (to quote to Hugging Face) of the
  refused request; `:repo_id`, `:path` and `:revision` concerned; `:retry_after` in milliseconds;
  `:reason`, the technical cause as text; `:details`, what else the Hub said: the JSON object of its refusal
  as a map. Fields that do not apply are `nil`. None ever holds a token.
  """

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

  defexception [
    :kind,
    :message,
    :status,
    :url,
    :request_id,
    :repo_id,
    :path,
    :revision,
    :retry_after,
    :reason,
    :details
  ]

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
  def from_native(fields), do: struct!(__MODULE__, fields)

  @doc false
  # Native errors have been looked through already; here no token is known but by its shape.
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
