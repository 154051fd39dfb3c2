defmodule HfHub.Options do
  # Option tables: one table validates options, fills in defaults and generates their
  # documentation, so the three cannot disagree. The notation is that of NimbleOptions, with
  # a key of its own, `:secret` - whether no error may show the value -, and three for code that was written for hf_hub
  # 0.3 or after examples in Python:
  #
  #   * `:aliases` - other names of the option
  #   * `:spellings` - other values of the option, as text, with their meaning
  #   * `:no_effect` - why the option has no effect; it is accepted, and not in the result. Its `:default` is what
  #     the library does, so only another value is worth a line in the log.
  @moduledoc false

  require Logger

  alias HfHub.RepoRef

  @type table :: keyword(keyword())

  # 2^53 - 1, which fits into all integer types of the engine.
  @max_integer 9_007_199_254_740_991

  @doc "Returns the options that every call to a Hub takes; each table ends with them."
  @spec common() :: table()
  def common do
    [
      token: [
        type: {:or, [:string, :boolean]},
        secret: true,
        doc:
          "Token to send; `false` sends none, `true` requires a stored one. Defaults to the stored one, if any; see " <>
            "`HfHub.Config`."
      ],
      endpoint: [type: :string, doc: "Base URL of the Hub. Defaults to `HfHub.Config.endpoint/0`."],
      allow_http_token: [
        type: {:list, :string},
        doc:
          "Origins, such as `\"http://hub.lan:8080\"`, that the token is sent to over plain HTTP, which others on the " <>
            "network can read. Defaults to the setting in `HfHub.Config`."
      ],
      timeout: [
        type: {:or, [:pos_integer, {:in, [:infinity]}]},
        doc: "Maximum duration of the whole call, in milliseconds. Defaults to no limit."
      ],
      etag_timeout: [
        type: :pos_integer,
        doc: "Timeout for the connection and for the response headers, in milliseconds. Defaults to 10,000."
      ],
      download_timeout: [
        type: :pos_integer,
        doc: "Timeout between two reads of a response body, in milliseconds. Defaults to 10,000."
      ],
      retries: [
        type: :non_neg_integer,
        default: 5,
        doc:
          "Maximum number of consecutive retries of a failed request. Receiving data resets the count, and from then on the " <>
            "maximum is twice as high: about a minute. A Hub that has not responded yet is retried only once if the " <>
            "connection is refused or its host name is unknown."
      ],
      retry_delay: [
        type: :pos_integer,
        default: 1000,
        doc:
          "Delay before the first retry, in milliseconds. It doubles with each retry, up to eight times this value."
      ]
    ]
  end

  @doc "Returns the entry of the option `:progress`."
  @spec progress() :: keyword()
  def progress do
    [
      type: {:or, [:boolean, {:fun, 1}, :pid]},
      doc:
        "Receiver of progress reports: `true` for a progress line in the terminal, a function of arity 1, or a pid; see " <>
          "`HfHub.Progress`. Defaults to none."
    ]
  end

  @doc "Returns the option `:repo_type`."
  @spec repo_type() :: table()
  def repo_type do
    [
      repo_type: [
        type: :repo_type,
        default: :model,
        doc: "Type of the repository, unless its reference contains one, as URIs and page URLs do."
      ]
    ]
  end

  @doc "Returns the option `:revision`."
  @spec revision() :: table()
  def revision do
    [
      revision: [
        type: :string,
        doc:
          "Branch, tag, pull request (`\"refs/pr/1\"`) or commit. Defaults to the revision in the id, else `\"main\"`."
      ]
    ]
  end

  @doc "Returns the rule of `:local_files_only`."
  @spec local_files_only() :: keyword()
  def local_files_only do
    [type: :boolean, default: false, doc: "Whether to use cached files only; a missing file is an error."]
  end

  @doc "Returns the options of functions that read one file of a repository, cached or on the Hub."
  @spec one_file() :: table()
  def one_file do
    [
      filename: [
        type: :string,
        doc: "Path of the file in the repository. Required unless the reference contains it."
      ],
      cache_dir: [type: :path, doc: "Cache folder. Defaults to `HfHub.Config.cache_dir/0`."],
      local_files_only: local_files_only()
    ] ++ repo_type() ++ revision() ++ common()
  end

  @doc "Returns the options of calls that transfer file contents, including those of `common/0`."
  @spec transfer() :: table()
  def transfer do
    [
      max_connections: [
        type: :pos_integer,
        doc:
          "Maximum number of connections for the parts of large files, in addition to one per file. More are opened as " <>
            "long as that increases the throughput. Defaults to the setting in `HfHub.Config`, 16."
      ],
      max_bandwidth: [
        type: {:or, [:pos_integer, {:struct, HfHub.Bandwidth}]},
        doc:
          "Maximum bytes per second, or a `HfHub.Bandwidth` that several calls share and that can be changed while " <>
            "they run. Defaults to the limit of the VM, if any."
      ],
      xet: [
        type: {:in, [:auto, true, false]},
        doc:
          "Whether to use Xet, the Hub's storage that stores equal parts of files once: `:auto` for uploads where the Hub " <>
            "offers it, and for downloads that fail over HTTP; `true` for downloads, too; `false` never. If Xet fails, " <>
            "HTTP takes over. Defaults to the setting in `HfHub.Config`, `:auto`."
      ]
    ] ++ common()
  end

  @doc """
  Returns all options of the table with defaults filled in. Raises `ArgumentError` if one is unknown or invalid.

  `repo` is the repository or file of the call, by default the option `:repo_id`. If it is one of Bumblebee's tuples,
  those of its options that are in the table count where the call has none of its own.
  """
  @spec validate!(keyword(), table(), HfHub.repo() | HfHub.repository() | nil) :: keyword()
  def validate!(opts, table, repo \\ nil) do
    unless Keyword.keyword?(opts) do
      # Without the value, which may be a token.
      raise ArgumentError,
            "expected options as a keyword list such as [#{example(table)}: …], got #{sort(opts)}"
    end

    opts = with_tuple(opts, table, repo)
    known = Enum.flat_map(table, fn {name, rule} -> names(name, rule) end)
    Enum.each(opts, fn {name, _value} -> name in known || unknown!(name, table) end)

    for {name, rule} <- table, pair <- accept!(opts, name, rule), do: pair
  end

  # What the caller has most likely passed without its name.
  defp example(table) do
    required = for {name, rule} <- table, rule[:required], do: name
    hd(required ++ Keyword.keys(table))
  end

  defp with_tuple(opts, table, repo) do
    tuple = RepoRef.options(repo || (table[:repo_id] && opts[:repo_id]))
    # `nil` stands for an option that is not given.
    for {name, value} <- tuple, table[name], opts[name] == nil, reduce: opts do
      opts -> Keyword.put(opts, name, value)
    end
  end

  defp names(name, rule), do: [name | Keyword.get(rule, :aliases, [])]

  defp accept!(opts, name, rule) do
    value = value!(opts, name, rule)

    case rule[:no_effect] do
      nil ->
        [{name, value}]

      why ->
        if value != rule[:default], do: warn_no_effect("option #{inspect(name)}", why)
        []
    end
  end

  defp value!(opts, name, rule) do
    case for(given <- names(name, rule), (value = opts[given]) != nil, do: {given, value}) do
      [] ->
        default!(name, rule)

      [{given, value}] ->
        check!(given, spelled(value, rule[:spellings]), rule)

      [{one, _value}, {other, _other_value} | _more] ->
        raise ArgumentError,
              "options #{inspect(one)} and #{inspect(other)} are the same option; pass one of them"
    end
  end

  defp spelled(value, spellings)
       when is_list(spellings) and (is_atom(value) or is_binary(value) or is_integer(value)) do
    text = to_string(value)
    Enum.find_value(spellings, value, fn {spelling, meaning} -> if spelling == text, do: meaning end)
  end

  defp spelled(value, _spellings), do: value

  @doc "Returns the options that have a value."
  @spec given(keyword()) :: keyword()
  def given(opts), do: Keyword.reject(opts, fn {_name, value} -> value == nil end)

  @doc "Logs, once per VM, that a setting has no effect, and why."
  @spec warn_no_effect(String.t(), String.t()) :: :ok
  def warn_no_effect(setting, why) do
    key = {__MODULE__, :no_effect, setting}

    unless :persistent_term.get(key, false) do
      :persistent_term.put(key, true)
      Logger.warning("#{setting} has no effect: #{why}")
    end

    :ok
  end

  @doc "Returns whether a value has a type of the tables."
  @spec valid_value?(term(), term()) :: boolean()
  def valid_value?(value, type), do: valid?(value, type)

  @doc "Returns the documentation of the table as a Markdown list, and a line about the options of 0.3."
  @spec docs(table()) :: String.t()
  def docs(table) do
    rows = for {name, rule} <- table, rule[:no_effect] == nil, do: row(name, rule)
    [Enum.join(rows, "\n"), compatibility(table)] |> Enum.reject(&(&1 == "")) |> Enum.join("\n\n")
  end

  defp row(name, rule) do
    required = if rule[:required], do: " Required.", else: ""

    default = if Keyword.has_key?(rule, :default), do: " Defaults to `#{inspect(rule[:default])}`.", else: ""

    "  * `#{inspect(name)}` (#{type_name(rule[:type])}) - #{rule[:doc]}#{required}#{default}"
  end

  defp compatibility(table) do
    aliases =
      for {name, rule} <- table,
          other <- Keyword.get(rule, :aliases, []),
          do: "`#{inspect(other)}` for `#{inspect(name)}`"

    ignored = for {name, rule} <- table, why = rule[:no_effect], do: "`#{inspect(name)}` (#{why})"

    Enum.join(
      sentence("Names in 0.3 or in Python, which are accepted too: ", aliases) ++
        sentence("Options of 0.3 without effect, which a warning in the log shows once: ", ignored),
      " "
    )
  end

  defp sentence(_beginning, []), do: []
  defp sentence(beginning, items), do: [beginning <> Enum.join(items, ", ") <> "."]

  @doc "Returns the kind of a value that must not be shown."
  @spec sort(term()) :: String.t()
  def sort(nil), do: "nil"
  def sort(value) when is_binary(value), do: "a string"
  def sort(value) when is_list(value), do: "a list of something else"
  def sort(value) when is_map(value), do: "a map"
  def sort(value) when is_tuple(value), do: "a tuple"
  def sort(_value), do: "something else"

  @doc "Returns an invalid value for an error message, without secrets: a token may be passed in a wrong place."
  @spec shown(term()) :: String.t()
  def shown([_ | _] = list) do
    if Keyword.keyword?(list),
      do: "options (#{list |> Keyword.keys() |> inspect(limit: 10)}); is an argument before them missing?",
      else: readable(list)
  end

  # An item of options that were passed in the place of a list.
  def shown({:token, _value}), do: "the option :token"

  # Such as a repository with its options: their names only, as above.
  def shown(tuple) when is_tuple(tuple) and tuple_size(tuple) > 1 do
    place = tuple_size(tuple) - 1
    options = elem(tuple, place)
    readable(if Keyword.keyword?(options), do: put_elem(tuple, place, Keyword.keys(options)), else: tuple)
  end

  def shown(value), do: readable(value)

  defp readable(value), do: HfHub.Native.Nif.shown(inspect(value, limit: 10, printable_limit: 100), nil)

  defp default!(name, rule) do
    if rule[:required], do: raise(ArgumentError, "option #{inspect(name)} is required"), else: rule[:default]
  end

  defp check!(name, value, rule) do
    type = rule[:type]

    if valid?(value, type) do
      cast(value, type)
    else
      # Variables may be secret ones, and maps of settings have passwords.
      shown = if rule[:secret] || type in [:variables, :map], do: sort(value), else: shown(value)
      raise ArgumentError, "expected option #{inspect(name)} to be #{type_name(type)}, got: #{shown}"
    end
  end

  # The Python client uses strings.
  defp cast(text, :repo_type) when is_binary(text), do: String.to_existing_atom(text)
  defp cast(text, {:in, values}) when is_binary(text), do: Enum.find(values, text, &named?(&1, text))
  defp cast(name, :hardware) when is_atom(name), do: name |> Atom.to_string() |> String.replace("_", "-")
  defp cast(pattern, :patterns) when is_binary(pattern), do: [pattern]
  defp cast(variables, :variables), do: Map.new(variables, fn {name, value} -> {to_string(name), value} end)
  defp cast(list, {:list, type}), do: Enum.map(list, &cast(&1, type))
  defp cast(value, {:or, types}), do: cast(value, Enum.find(types, &valid?(value, &1)))
  defp cast(value, _type), do: value

  defp named?(value, text), do: is_atom(value) and not is_boolean(value) and Atom.to_string(value) == text

  defp valid?(_value, :any), do: true
  defp valid?(value, :string), do: is_binary(value) and String.valid?(value)
  defp valid?(value, :boolean), do: is_boolean(value)
  defp valid?(value, :atom), do: is_atom(value)
  defp valid?(value, :pid), do: is_pid(value)
  defp valid?(value, :pos_integer), do: is_integer(value) and value in 1..@max_integer
  defp valid?(value, :non_neg_integer), do: is_integer(value) and value in 0..@max_integer
  defp valid?(value, :keyword), do: Keyword.keyword?(value)
  defp valid?(value, :number), do: is_number(value)
  defp valid?(value, :path), do: is_binary(value) and value != "" and not String.contains?(value, <<0>>)
  defp valid?(value, :sha256), do: is_binary(value) and value =~ ~r/\A[0-9a-fA-F]{64}\z/
  defp valid?(value, :repo_type), do: value in [:model, :dataset, :space, "model", "dataset", "space"]
  defp valid?(value, :map), do: is_map(value) and not is_struct(value)

  defp valid?(value, :variables),
    do: (valid?(value, :map) or is_list(value)) and Enum.all?(value, &variable?/1)

  defp valid?(value, {:struct, module}), do: is_struct(value, module)
  defp valid?(value, :patterns), do: Enum.all?(List.wrap(value), &valid?(&1, :string))
  defp valid?(value, :hardware), do: valid?(value, :string) or (is_atom(value) and not is_boolean(value))
  defp valid?(value, {:in, values}), do: value in values or Enum.any?(values, &named?(&1, value))
  defp valid?(value, {:some, names}), do: Enum.all?(List.wrap(value), &(&1 in names or valid?(&1, :string)))
  defp valid?(value, {:fun, arity}), do: is_function(value, arity)
  defp valid?(value, {:list, type}), do: is_list(value) and Enum.all?(value, &valid?(&1, type))

  defp valid?(value, {:tuple, types}) do
    is_tuple(value) and tuple_size(value) == length(types) and
      Enum.all?(Enum.zip(Tuple.to_list(value), types), fn {item, type} -> valid?(item, type) end)
  end

  defp valid?(value, {:or, types}), do: Enum.any?(types, &valid?(value, &1))

  defp variable?({name, value}), do: (is_atom(name) or valid?(name, :string)) and valid?(value, :string)
  defp variable?(_other), do: false

  @doc "Returns a type of the tables in words."
  @spec type_name(term()) :: String.t()
  def type_name(:any), do: "a value described below"
  def type_name(:string), do: "a string"
  def type_name(:boolean), do: "a boolean"
  def type_name(:atom), do: "an atom"
  def type_name(:pid), do: "a pid"
  def type_name(:keyword), do: "a keyword list"
  def type_name(:map), do: "a map"
  def type_name(:number), do: "a number"
  def type_name(:path), do: "a path"
  def type_name(:sha256), do: "64 hex digits"
  def type_name(:pos_integer), do: "a positive integer"
  def type_name(:non_neg_integer), do: "a non-negative integer"
  def type_name(:repo_type), do: "one of `:model`, `:dataset`, `:space`, or its name as a string"
  def type_name(:patterns), do: "a string or a list of strings"
  def type_name(:hardware), do: "a string or an atom"
  def type_name(:variables), do: "a map of names to strings"
  def type_name({:struct, module}), do: "a `#{inspect(module)}`"
  def type_name({:in, values}), do: "one of " <> Enum.map_join(values, ", ", &"`#{inspect(&1)}`")
  def type_name({:fun, arity}), do: "a function of arity #{arity}"
  def type_name({:list, :string}), do: "a list of strings"
  def type_name({:list, :pos_integer}), do: "a list of positive integers"
  def type_name({:list, :map}), do: "a list of maps"
  def type_name({:list, :any}), do: "a list"
  def type_name({:some, names}), do: type_name({:in, names}) <> ", a newer one as a string, or a list of them"
  def type_name({:list, {:in, values}}), do: "a list of " <> Enum.map_join(values, ", ", &"`#{inspect(&1)}`")
  def type_name({:tuple, types}), do: "a tuple of " <> Enum.map_join(types, " and ", &type_name/1)
  def type_name({:or, types}), do: Enum.map_join(types, " or ", &type_name/1)

  defp unknown!(name, table) do
    known = for {name, rule} <- table, rule[:no_effect] == nil, do: name
    nearest = Enum.max_by(known, &String.jaro_distance(to_string(&1), to_string(name)))
    near? = String.jaro_distance(to_string(nearest), to_string(name)) > 0.7
    hint = if near?, do: ". Did you mean #{inspect(nearest)}?", else: "; known: #{inspect(known)}"
    raise ArgumentError, "unknown option #{inspect(name)}#{hint}"
  end
end
