defmodule HfHub.Webhooks do
  @moduledoc """
  Webhooks: the Hub sends the events of repositories to a URL, or runs a Job for them.

      {:ok, webhook} =
        HfHub.Webhooks.create("https://ci.example.com/hub",
          watched: [{:org, "google"}],
          secret: "s3cret"
        )

      {:ok, _webhook} = HfHub.Webhooks.disable(webhook.id)

  `HfHub.Webhooks.Plug` receives events in a web application; `verify/2` and `decode_payload/1` are its two steps, for
  other servers.

  `HfHub.LocalHub` delivers webhooks too, by default to this machine only.
  """

  alias HfHub.{Decode, Error, Native, Options, Request}
  alias HfHub.Webhooks.{Arguments, Payload, WebhookInfo}

  @domains [:repo, :discussion]

  @content [
    domains: [
      type: {:list, {:in, @domains}},
      doc: "Kinds of events: `:repo` (repository, content, settings) and `:discussion`."
    ],
    secret: [
      type: :string,
      secret: true,
      doc:
        "Secret that is sent with each event in the header `x-webhook-secret`; visible ASCII characters and spaces."
    ],
    job_id: [
      type: :string,
      doc:
        "Id of a Job that the events trigger, with the payload in the environment variable `WEBHOOK_PAYLOAD`."
    ],
    secrets: [
      type: :variables,
      doc: "Secret environment variables of the Job: a map or keyword list of strings. Only with `:job_id`."
    ]
  ]

  @items "`{type, name}` such as `{:model, \"openai-community/gpt2\"}`, maps with these keys, or " <>
           "`HfHub.Webhooks.WatchedItem`s. Types: `:bucket`, `:dataset`, `:model`, `:space`, and `:user` and `:org` " <>
           "for all repositories of an account."

  @create [watched: [type: :any, default: [], doc: "Items to watch: " <> @items]] ++
            @content ++ Options.common()

  @update [
            watched: [
              type: :any,
              doc:
                "Items to watch in place of the current ones; `[]` removes all. Defaults to the current ones. " <>
                  @items
            ],
            url: [type: :string, doc: "URL that the events are sent to. Mutually exclusive with `:job_id`."]
          ] ++ @content ++ Options.common()

  @delete [
            missing_ok: [
              type: :boolean,
              default: false,
              doc: "Whether to succeed if there is no such webhook."
            ]
          ] ++ Options.common()

  @doc """
  Returns the webhooks of the token's account.

  ## Options

  #{Options.docs(Options.common())}

  ## Examples

      {:ok, webhooks} = HfHub.Webhooks.list()
      for webhook <- webhooks, webhook.disabled, do: webhook.id
  """
  @doc python: "list_webhooks"
  @spec list(keyword()) :: {:ok, [WebhookInfo.t()]} | {:error, Error.t()}
  def list(opts \\ []) do
    opts = Options.validate!(opts, Options.common())

    Request.new(:get, "/api/settings/webhooks", [], opts)
    |> Request.run([WebhookInfo])
  end

  @doc "Same as `list/1`, but returns the webhooks or raises `HfHub.Error`."
  @spec list!(keyword()) :: [WebhookInfo.t()]
  def list!(opts \\ []), do: Error.unwrap!(list(opts))

  @doc """
  Returns a webhook of the token's account. Options: those of `list/1`.

  ## Examples

      {:ok, webhook} = HfHub.Webhooks.get("654bbbc16f2ec14d77f109cc")
      webhook.watched
  """
  @doc python: "get_webhook"
  @spec get(String.t(), keyword()) :: {:ok, WebhookInfo.t()} | {:error, Error.t()}
  def get(id, opts \\ []), do: one(:get, id, "", Options.validate!(opts, Options.common()))

  @doc "Same as `get/2`, but returns the webhook or raises `HfHub.Error`."
  @spec get!(String.t(), keyword()) :: WebhookInfo.t()
  def get!(id, opts \\ []), do: Error.unwrap!(get(id, opts))

  @doc """
  Creates a webhook that sends events to a URL, or, without a URL, triggers the Job `:job_id`.

  A URL and a `:job_id` exclude each other. A Local Hub runs no Jobs.

  ## Options

  #{Options.docs(@create)}

  `:domains` defaults to all kinds of events.

  ## Examples

      {:ok, webhook} =
        HfHub.Webhooks.create("https://ci.example.com/hub", watched: [{:user, "julien-c"}])

      {:ok, webhook} =
        HfHub.Webhooks.create(job_id: "687f911eaea852de79c4a50a", watched: [{:model, "me/model"}])
  """
  @doc python: "create_webhook"
  @spec create(String.t() | keyword(), keyword()) :: {:ok, WebhookInfo.t()} | {:error, Error.t()}
  def create(url_or_opts, opts \\ [])
  def create(url, opts) when is_binary(url), do: make(url, opts)
  def create(opts, []) when is_list(opts), do: make(nil, opts)

  def create(other, _opts) do
    raise ArgumentError,
          "expected the URL of the webhook as a string, or options with :job_id, got: #{Options.shown(other)}"
  end

  defp make(url, opts) do
    opts = Options.validate!(opts, @create)
    Arguments.check_target!(url, opts[:job_id])
    Arguments.check_secret!(opts[:secret])
    body = Map.put_new(Arguments.body!(url, opts), :domains, @domains)
    Request.new(:post, "/api/settings/webhooks", [], opts) |> send_webhook(body, opts)
  end

  @doc "Same as `create/2`, but returns the webhook or raises `HfHub.Error`."
  @spec create!(String.t() | keyword(), keyword()) :: WebhookInfo.t()
  def create!(url_or_opts, opts \\ []), do: Error.unwrap!(create(url_or_opts, opts))

  @doc """
  Changes a webhook; what is not given stays as it is.

  The Hub replaces the watched items with each change, so without `:watched` this requests the current ones first and
  sends them again. Only `watched: []` removes all. `secret: ""` removes the secret: events are then sent without one.

  ## Options

  #{Options.docs(@update)}

  ## Examples

      {:ok, webhook} =
        HfHub.Webhooks.update("654bbbc16f2ec14d77f109cc", url: "https://new.example.com/hub")
  """
  @doc python: "update_webhook"
  @spec update(String.t(), keyword()) :: {:ok, WebhookInfo.t()} | {:error, Error.t()}
  def update(id, opts \\ []) do
    opts = Options.validate!(opts, @update)
    body = Arguments.body!(opts[:url], opts)

    with {:ok, request} <- request(:post, id, "", opts),
         {:ok, watched} <- if(body[:watched], do: {:ok, body.watched}, else: current(id, opts)),
         do: send_webhook(request, Map.put(body, :watched, watched), opts)
  end

  @doc "Same as `update/2`, but returns the webhook or raises `HfHub.Error`."
  @spec update!(String.t(), keyword()) :: WebhookInfo.t()
  def update!(id, opts \\ []), do: Error.unwrap!(update(id, opts))

  @doc """
  Enables a webhook, also one that the Hub has suspended after failures. Options: those of `list/1`.

  ## Examples

      {:ok, %{disabled: false}} = HfHub.Webhooks.enable("654bbbc16f2ec14d77f109cc")
  """
  @doc python: "enable_webhook"
  @spec enable(String.t(), keyword()) :: {:ok, WebhookInfo.t()} | {:error, Error.t()}
  def enable(id, opts \\ []), do: one(:post, id, "/enable", Options.validate!(opts, Options.common()))

  @doc "Same as `enable/2`, but returns the webhook or raises `HfHub.Error`."
  @spec enable!(String.t(), keyword()) :: WebhookInfo.t()
  def enable!(id, opts \\ []), do: Error.unwrap!(enable(id, opts))

  @doc """
  Disables a webhook: no events are sent until it is enabled. Options: those of `list/1`.

  ## Examples

      {:ok, %{disabled: true}} = HfHub.Webhooks.disable("654bbbc16f2ec14d77f109cc")
  """
  @doc python: "disable_webhook"
  @spec disable(String.t(), keyword()) :: {:ok, WebhookInfo.t()} | {:error, Error.t()}
  def disable(id, opts \\ []), do: one(:post, id, "/disable", Options.validate!(opts, Options.common()))

  @doc "Same as `disable/2`, but returns the webhook or raises `HfHub.Error`."
  @spec disable!(String.t(), keyword()) :: WebhookInfo.t()
  def disable!(id, opts \\ []), do: Error.unwrap!(disable(id, opts))

  @doc """
  Deletes a webhook.

  ## Options

  #{Options.docs(@delete)}

  ## Examples

      :ok = HfHub.Webhooks.delete("654bbbc16f2ec14d77f109cc", missing_ok: true)
  """
  @doc python: "delete_webhook"
  @spec delete(String.t(), keyword()) :: :ok | {:error, Error.t()}
  def delete(id, opts \\ []) do
    opts = Options.validate!(opts, @delete)

    result = with {:ok, request} <- request(:delete, id, "", opts), do: Request.effect(request)
    if opts[:missing_ok] and match?({:error, %Error{kind: :not_found}}, result), do: :ok, else: result
  end

  @doc "Same as `delete/2`, but returns `:ok` or raises `HfHub.Error`."
  @spec delete!(String.t(), keyword()) :: :ok
  def delete!(id, opts \\ []), do: Error.unwrap!(delete(id, opts))

  @doc """
  Sends a delivery from the log of a webhook again, and returns the HTTP status of its receiver.

  The Hub shows the ids of deliveries on its page of the webhook's activity; a Local Hub lists them with the command
  `hf_hub_server webhook log`. Options: those of `list/1`.

  ## Examples

      {:ok, 200} = HfHub.Webhooks.replay("654bbbc16f2ec14d77f109cc", "66a1c0ffee0ddba11c0ffee0")
  """
  @spec replay(String.t(), String.t(), keyword()) :: {:ok, integer() | nil} | {:error, Error.t()}
  def replay(id, log_id, opts \\ []) do
    opts = Options.validate!(opts, Options.common())

    with :ok <- check_id(log_id),
         {:ok, request} <- request(:post, id, "/replay/" <> log_id, opts),
         do: Request.run(request, &Decode.get(Decode.object(&1), "status"))
  end

  @doc "Same as `replay/3`, but returns the status or raises `HfHub.Error`."
  @spec replay!(String.t(), String.t(), keyword()) :: integer() | nil
  def replay!(id, log_id, opts \\ []), do: Error.unwrap!(replay(id, log_id, opts))

  @doc """
  Checks the secret of a received event, in constant time.

  The first argument is the value of the header `x-webhook-secret`, or `nil` if it is missing. A missing secret is an
  error of kind `:unauthorized`, a wrong one of kind `:forbidden`: the statuses for them are 401 and 403. Raises
  `ArgumentError` if the second argument, the secret of the webhook, is `nil` or empty, as an unset variable is.

  ## Examples

      iex> HfHub.Webhooks.verify("s3cret", "s3cret")
      :ok

      iex> {:error, error} = HfHub.Webhooks.verify("guess", "s3cret")
      iex> error.kind
      :forbidden
  """
  @spec verify(String.t() | nil, String.t()) :: :ok | {:error, Error.t()}
  def verify(given, secret) when is_binary(secret) and secret != "" do
    cond do
      given in [nil, ""] ->
        {:error, Error.new(:unauthorized, "the request has no header x-webhook-secret")}

      # The digests have the same length, so the time does not depend on that of the secret.
      is_binary(given) and :crypto.hash_equals(digest(given), digest(secret)) ->
        :ok

      true ->
        {:error, Error.new(:forbidden, "the secret in the header x-webhook-secret is wrong")}
    end
  end

  def verify(_given, secret) when secret in [nil, ""],
    do: raise(ArgumentError, "the secret is nil or empty; pass the one that the webhook was created with")

  def verify(_given, other),
    do: raise(ArgumentError, "expected the secret to be a string, got #{Options.sort(other)}")

  defp digest(text), do: :crypto.hash(:sha256, text)

  @doc "Same as `verify/2`, but returns `:ok` or raises `HfHub.Error`."
  @spec verify!(String.t() | nil, String.t()) :: :ok
  def verify!(given, secret), do: Error.unwrap!(verify(given, secret))

  @doc """
  Decodes the body of a received event, as JSON text or as the decoded map.

  Entries that this library does not know are in `:raw`. A body that is not an event of version 3 is an error of kind
  `:invalid_response`.

  ## Examples

      iex> body = ~s({"event": {"action": "create", "scope": "repo"},
      ...>   "webhook": {"id": "w", "version": 3},
      ...>   "repo": {"type": "model", "name": "me/m", "id": "r"}})
      iex> {:ok, payload} = HfHub.Webhooks.decode_payload(body)
      iex> {payload.scope, payload.action, payload.repo.name}
      {"repo", :create, "me/m"}
  """
  @spec decode_payload(binary() | map()) :: {:ok, Payload.t()} | {:error, Error.t()}
  def decode_payload(body) when is_binary(body) do
    with {:ok, json} <- parse(body), do: decode_payload(json)
  end

  def decode_payload(%{"repo" => %{}, "webhook" => %{"version" => 3}} = json) do
    {:ok, Payload.from_response(json)}
  rescue
    error in Error -> invalid(error.message)
  end

  def decode_payload(%{"webhook" => %{"version" => version}}) when version != 3,
    do: invalid("expected version 3, got #{Options.shown(version)}")

  def decode_payload(_other), do: invalid("expected a JSON object with the entries event, repo and webhook")

  @doc "Same as `decode_payload/1`, but returns the payload or raises `HfHub.Error`."
  @spec decode_payload!(binary() | map()) :: Payload.t()
  def decode_payload!(body), do: Error.unwrap!(decode_payload(body))

  defp parse(body) do
    if String.valid?(body) do
      with {:error, %Error{} = error} <- Native.run(:parse_json, body), do: invalid(error.message)
    else
      invalid("expected UTF-8")
    end
  end

  defp invalid(why), do: {:error, Error.new(:invalid_response, "invalid webhook payload: #{why}")}

  defp one(method, id, rest, opts) do
    with {:ok, request} <- request(method, id, rest, opts), do: Request.run(request, &unwrapped/1)
  end

  defp request(method, id, rest, opts) do
    with :ok <- check_id(id),
         do: {:ok, Request.new(method, "/api/settings/webhooks/:id" <> rest, [id: id], opts)}
  end

  # An empty id would be the list of all webhooks, and one with a slash another route.
  defp check_id(id) do
    if is_binary(id) and id =~ ~r/\A[\w-]+\z/,
      do: :ok,
      else:
        {:error, Error.new(:invalid_name, "invalid webhook id #{Options.shown(id)}: expected 24 hex digits")}
  end

  defp current(id, opts) do
    with {:ok, webhook} <- one(:get, id, "", opts), do: {:ok, Arguments.watched!(webhook.watched)}
  end

  defp send_webhook(request, body, opts) do
    request
    |> Request.json(body)
    |> Request.secret()
    |> Request.hide(List.wrap(opts[:secret]) ++ Map.values(opts[:secrets] || %{}))
    |> Request.run(&unwrapped/1)
  end

  # The Hub wraps the webhook in an envelope.
  defp unwrapped(%{"webhook" => webhook}), do: Decode.struct(WebhookInfo, webhook)
  defp unwrapped(other), do: Decode.struct(WebhookInfo, other)
end
