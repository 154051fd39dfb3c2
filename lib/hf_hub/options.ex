defmodule HfHub.Options do
  # Option tables: one value checks the options, fills in defaults and writes their
  # documentation, so the three cannot disagree. The notation is the subset of
  # NimbleOptions that is needed, so that package can take this module's place.
  @moduledoc false

  @type table :: keyword(keyword())

  # What fits into the engine's numbers, with room to spare.
  @max_integer 9_007_199_254_740_991

  @doc "Returns the options that every call to a Hub takes; each table ends with them."
  @spec common() :: table()
  def common do
    [
      token: [
        type: {:or, [:string, :boolean]},
        doc:
          "the token to send; `false` for none, `true` to insist on the stored one. " <>
            "By default the stored one if there is one, see `HfHub.Config`."
      ],
      endpoint: [type: :string, doc: "the Hub's base URL. By default `HfHub.Config.endpoint/0`."],
      allow_http_token: [
        type: {:list, :string},
        doc:
          "origins, such as `\"http://hub.lan:8080\"`, that get the token over plain http too, where anybody on the way can " <>
            "read it. Defaults to what `HfHub.Config` says, else none."
      ],
      timeout: [
        type: {:or, [:pos_integer, {:in, [:infinity]}]},
        doc: "the longest the whole call may take, in milliseconds. By default no limit."
      ],
      etag_timeout: [
        type: :pos_integer,
        doc: "the longest wait for a connection and for the first answer, in milliseconds. By default 10 000."
      ],
      download_timeout: [
        type: :pos_integer,
        doc: "the longest silence between two pieces of a body, in milliseconds. By default 10 000."
      ],
      retries: [
        type: :non_neg_integer,
        default: 5,
        doc:
          "maximum number of consecutive retries of a failed request. Receiving data resets the count, and from then on an " <>
            "outage is retried twice as often: for a minute. A Hub that has not answered yet is retried once where nothing " <>
            "listens, or its name is unknown."
      ],
      retry_delay: [
        type: :pos_integer,
        default: 1000,
        doc:
          "milliseconds before the first repetition; each further pause is twice as long, up to eight times this."
      ]
    ]
  end

  @doc "Returns the rule of the option `:progress`."
  @spec progress() :: keyword()
  def progress do
    [
      type: {:or, [:boolean, {:fun, 1}, :pid]},
      doc:
        "`true` for a progress line in the terminal, a function of arity 1, or a pid; see `HfHub.Progress`. " <>
          "Defaults to no progress reports."
    ]
  end

  @doc "Returns the option that says what an id alone stands for."
  @spec repo_type() :: table()
  def repo_type do
    [
      repo_type: [
        type: :repo_type,
        default: :model,
        doc: "what an id alone stands for."
      ]
    ]
  end

  @doc "Returns the option of a revision."
  @spec revision() :: table()
  def revision do
    [
      revision: [
        type: :string,
        doc: "branch, tag or commit. By default what the id names, else `\"main\"`."
      ]
    ]
  end

  @doc "Returns the options of every call that moves a file's bytes, `common/0` included."
  @spec transfer() :: table()
  def transfer do
    [
      max_connections: [
        type: :pos_integer,
        doc:
          "how many connections the parts of large files may have at a time, besides one for each file; more are " <>
            "opened as long as that brings more bytes. By default 8, or what `config :hf_hub` says."
      ],
      max_bandwidth: [
        type: {:or, [:pos_integer, {:struct, HfHub.Bandwidth}]},
        doc:
          "the most bytes a second, or a `HfHub.Bandwidth` that several calls share and that can be changed while " <>
            "they run. By default no limit but the VM's."
      ]
    ] ++ common()
  end

  @doc "Returns all options of the table with defaults filled in; raises `ArgumentError` on a mistake."
  @spec validate!(keyword(), table()) :: keyword()
  def validate!(opts, table) do
    unless Keyword.keyword?(opts) do
      # Not what was given: it may well be a token.
      raise ArgumentError, "expected options as a keyword list such as [token: …], got #{sort(opts)}"
    end

    Enum.each(opts, fn {name, _value} -> Keyword.has_key?(table, name) || unknown!(name, table) end)

    for {name, rule} <- table do
      case Keyword.get(opts, name) do
        nil -> {name, default!(name, rule)}
        value -> {name, check!(name, value, rule[:type])}
      end
    end
  end

  @doc "Returns whether a value is of a type of the tables."
  @spec valid_value?(term(), term()) :: boolean()
  def valid_value?(value, type), do: valid?(value, type)

  @doc "Returns the documentation of the table as a Markdown list."
  @spec docs(table()) :: String.t()
  def docs(table) do
    Enum.map_join(table, "\n", fn {name, rule} ->
      required = if rule[:required], do: " Required.", else: ""

      default =
        if Keyword.has_key?(rule, :default), do: " Defaults to `#{inspect(rule[:default])}`.", else: ""

      "  * `#{inspect(name)}` (#{type_name(rule[:type])}) - #{rule[:doc]}#{required}#{default}"
    end)
  end

  @doc "Returns the type of a value that must not be shown."
  @spec sort(term()) :: String.t()
  def sort(value) when is_binary(value), do: "a string"
  def sort(value) when is_list(value), do: "a list of something else"
  def sort(value) when is_map(value), do: "a map"
  def sort(value) when is_tuple(value), do: "a tuple"
  def sort(_value), do: "something else"

  @doc "Returns a wrong value for an error, without secrets: a token may be given in a wrong place by mistake."
  @spec shown(term()) :: String.t()
  def shown([_ | _] = list) do
    if Keyword.keyword?(list),
      do: "options (#{list |> Keyword.keys() |> inspect(limit: 10)}); is an argument before them missing?",
      else: readable(list)
  end

  def shown(value), do: readable(value)

  defp readable(value), do: HfHub.Native.Nif.shown(inspect(value, limit: 10, printable_limit: 100), nil)

  defp default!(name, rule) do
    if rule[:required], do: raise(ArgumentError, "option #{inspect(name)} is required"), else: rule[:default]
  end

  defp check!(name, value, type) do
    if valid?(value, type) do
      cast(value, type)
    else
      shown = if name == :token, do: sort(value), else: shown(value)
      raise ArgumentError, "expected option #{inspect(name)} to be #{type_name(type)}, got: #{shown}"
    end
  end

  # The Python client has strings.
  defp cast(text, :repo_type) when is_binary(text), do: String.to_existing_atom(text)
  defp cast(value, _type), do: value

  defp valid?(_value, :any), do: true
  defp valid?(value, :string), do: is_binary(value) and String.valid?(value)
  defp valid?(value, :boolean), do: is_boolean(value)
  defp valid?(value, :atom), do: is_atom(value)
  defp valid?(value, :pid), do: is_pid(value)
  defp valid?(value, :pos_integer), do: is_integer(value) and value in 1..@max_integer
  defp valid?(value, :non_neg_integer), do: is_integer(value) and value in 0..@max_integer
  defp valid?(value, :number), do: is_number(value)
  defp valid?(value, :path), do: is_binary(value) and value != "" and not String.contains?(value, <<0>>)
  defp valid?(value, :sha256), do: is_binary(value) and value =~ ~r/\A[0-9a-fA-F]{64}\z/
  defp valid?(value, :repo_type), do: value in [:model, :dataset, :space, "model", "dataset", "space"]
  defp valid?(value, {:struct, module}), do: is_struct(value, module)
  defp valid?(value, {:in, values}), do: value in values
  defp valid?(value, {:fun, arity}), do: is_function(value, arity)
  defp valid?(value, {:list, type}), do: is_list(value) and Enum.all?(value, &valid?(&1, type))

  defp valid?(value, {:tuple, types}) do
    is_tuple(value) and tuple_size(value) == length(types) and
      Enum.all?(Enum.zip(Tuple.to_list(value), types), fn {item, type} -> valid?(item, type) end)
  end

  defp valid?(value, {:or, types}), do: Enum.any?(types, &valid?(value, &1))

  defp type_name(:any), do: "a value described below"
  defp type_name(:string), do: "a string"
  defp type_name(:boolean), do: "a boolean"
  defp type_name(:atom), do: "an atom"
  defp type_name(:pid), do: "a pid"
  defp type_name(:number), do: "a number"
  defp type_name(:path), do: "a path"
  defp type_name(:sha256), do: "64 hex digits"
  defp type_name(:pos_integer), do: "a positive integer"
  defp type_name(:non_neg_integer), do: "a non-negative integer"
  defp type_name(:repo_type), do: "one of `:model`, `:dataset`, `:space`, or its name as a string"
  defp type_name({:struct, module}), do: "a `#{inspect(module)}`"
  defp type_name({:in, values}), do: "one of " <> Enum.map_join(values, ", ", &"`#{inspect(&1)}`")
  defp type_name({:fun, arity}), do: "a function of arity #{arity}"
  defp type_name({:list, :string}), do: "a list of strings"
  defp type_name({:tuple, types}), do: "a tuple of " <> Enum.map_join(types, " and ", &type_name/1)
  defp type_name({:or, types}), do: Enum.map_join(types, " or ", &type_name/1)

  defp unknown!(name, table) do
    known = Keyword.keys(table)
    nearest = Enum.max_by(known, &String.jaro_distance(to_string(&1), to_string(name)))
    near? = String.jaro_distance(to_string(nearest), to_string(name)) > 0.7
    hint = if near?, do: ". Did you mean #{inspect(nearest)}?", else: "; known: #{inspect(known)}"
    raise ArgumentError, "unknown option #{inspect(name)}#{hint}"
  end
end
