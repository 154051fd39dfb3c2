defmodule HfHub.Schema do
  # The fields of a struct as data. One table defines the struct, its type, the list of fields in the
  # module's docs, and the function that decodes it from JSON or from the engine's maps:
  #
  #     use HfHub.Schema,
  #       id: {"id", :name, "id of the repository"},
  #       hardware: {["hardware", "current"], :string, "hardware in use"},
  #       tags: {"tags", [:string], "tags", default: []},
  #       path: {:path, "path of the folder"}
  #
  # A row is `{from, type, doc}`, or `{type, doc}` if the source has the field's own name; options come last.
  # `from` is a name, a path of names (`[]` is the whole object), `{:or, [from]}` for the first one present, or
  # `{:all, names}` for a list of the values, `nil` if the first is missing or false.
  # `:default` replaces `nil`; `:by` is the name of a private function of the module that computes the value, `:by_some`
  # of one that is not called for `nil`; `json: false` leaves a field out of JSON. Types are those of
  # `HfHub.Schema.Type`.
  #
  # The struct can also be read as a map, `info[:id]`, and encoded as JSON.
  @moduledoc false

  alias HfHub.Schema.Type

  @type field :: {atom(), from :: term(), Type.t(), doc :: String.t(), opts :: keyword()}

  defmacro __using__(rows) do
    quote do
      @fields HfHub.Schema.fields(unquote(without_dependencies(rows, __CALLER__)))
      HfHub.Schema.document(__MODULE__, @fields)
      defstruct HfHub.Schema.defaults(@fields)
      HfHub.Schema.Json.implement(__MODULE__, HfHub.Schema.Json.names(@fields), __ENV__.file)
      unquote(made_of_fields())
      unquote(access())
    end
  end

  @doc "Defines the public function that decodes the Hub's JSON into the struct; the examples are part of its docs."
  defmacro from_response(examples) do
    quote do
      @doc """
      Returns the struct for an object of the Hub's JSON, given as a map with string keys.

      Missing entries are `nil`. Raises `HfHub.Error` of kind `:invalid_response` if the object cannot be one.

      ## Examples

      #{unquote(examples)}
      """
      @spec from_response(map()) :: t()
      def from_response(response) when is_map(response), do: HfHub.Decode.response!(__MODULE__, response)
    end
  end

  # Avoids compile-time dependencies: a change of a module in a table does not recompile the table's module.
  defp without_dependencies(rows, env) do
    env = %{env | function: {:__fields__, 0}}

    Macro.prewalk(rows, fn
      {:__aliases__, _meta, _names} = name -> Macro.expand(name, env)
      other -> other
    end)
  end

  defp made_of_fields do
    quote unquote: false do
      @type t :: unquote(HfHub.Schema.typespec(__MODULE__, @fields))

      @doc false
      @spec __fields__() :: [HfHub.Schema.field()]
      def __fields__, do: @fields

      # Generated code instead of a loop over the table: a list may have a hundred thousand structs.
      @doc false
      @spec __decode__(map()) :: t()
      def __decode__(unquote(HfHub.Schema.source())), do: unquote(HfHub.Schema.decoder(@fields))

      # The same for native code, which decodes long lists.
      @doc false
      @spec __table__() :: {struct(), [tuple()]}
      def __table__, do: {__struct__(), unquote(Macro.escape(HfHub.Schema.rows(@fields)))}
    end
  end

  # Not `defdelegate`, which takes nine times as long to compile.
  defp access do
    quote do
      @behaviour Access

      @doc false
      @impl Access
      def fetch(struct, field), do: HfHub.Schema.Access.fetch(struct, field)

      @doc false
      @impl Access
      def get_and_update(struct, field, fun), do: HfHub.Schema.Access.get_and_update(struct, field, fun)

      @doc false
      @impl Access
      def pop(struct, field), do: HfHub.Schema.Access.pop(struct, field)
    end
  end

  @doc "Returns the fields of a table."
  @spec fields(keyword(tuple())) :: [field()]
  def fields(rows), do: for({name, row} <- rows, do: Tuple.insert_at(row(row, name), 0, name))

  defp row({type, doc}, name), do: {name, type, doc, []}
  defp row({type, doc, opts}, name) when is_list(opts), do: {name, type, doc, opts}
  defp row({from, type, doc}, _name), do: {from, type, doc, []}
  defp row({from, type, doc, opts}, _name), do: {from, type, doc, opts}

  @doc "Appends the list of fields to the docs of a module."
  @spec document(module(), [field()]) :: :ok
  def document(module, fields) do
    case Module.get_attribute(module, :moduledoc) do
      {line, text} when is_binary(text) ->
        Module.put_attribute(module, :moduledoc, {line, "#{text}\n## Fields\n\n#{docs(fields)}\n"})

      _internal ->
        :ok
    end
  end

  @doc "Returns the documentation of fields as a Markdown list."
  @spec docs([field()]) :: String.t()
  def docs(fields) do
    Enum.map_join(fields, "\n", fn {name, _from, type, doc, _opts} ->
      type = if type == :any, do: "", else: " (#{Type.name(type)})"
      "  * `#{inspect(name)}`#{type} - #{doc}"
    end)
  end

  @doc "Returns the argument of `defstruct`."
  @spec defaults([field()]) :: keyword()
  def defaults(fields), do: for({name, _from, _type, _doc, opts} <- fields, do: {name, opts[:default]})

  @doc "Returns the quoted type of a struct."
  @spec typespec(module(), [field()]) :: Macro.t()
  def typespec(module, fields) do
    types = for field <- fields, do: {elem(field, 0), type(field)}
    {:%, [], [module, {:%{}, [], types}]}
  end

  # The engine's maps are complete; JSON from the network may lack any field.
  defp type({_name, from, type, _doc, opts}) do
    whole? = is_atom(from) or from == [] or opts != [] or type == :name or match?({:is, _value}, type)
    Type.spec(if whole?, do: type, else: {:or, [type, nil]})
  end

  @doc "Returns the quoted expression that decodes the map in `source/0` into a struct."
  @spec decoder([field()]) :: Macro.t()
  # Updating the default struct shares its keys and, in large structs, its `nil`s.
  def decoder(fields) do
    values = for field <- fields, do: {elem(field, 0), value(field)}
    quote(do: %{__struct__() | unquote_splicing(values)})
  end

  @doc "Returns the variable that `decoder/1` reads."
  @spec source() :: Macro.t()
  def source, do: Macro.var(:json, __MODULE__)

  defp value({_name, from, type, _doc, opts}) do
    found = taken(from)
    default = opts[:default]
    made = made(found, plan(type, default), opts)

    if default == nil,
      do: made,
      else: quote(do: HfHub.Decode.default(unquote(made), unquote(Macro.escape(default))))
  end

  defp made(found, plan, opts) do
    cond do
      by = opts[:by] -> {by, [], [found]}
      by = opts[:by_some] -> quote(do: with(some when some != nil <- unquote(found), do: unquote(by)(some)))
      true -> converted(found, plan)
    end
  end

  defp plan(type, default) do
    plan = Type.plan(type)
    # A list without a type of items is only checked if it has a default.
    if plan == [:as_is] and default == nil, do: :as_is, else: plan
  end

  defp converted(found, :as_is), do: found
  defp converted(found, plan), do: quote(do: HfHub.Decode.value(unquote(found), unquote(Macro.escape(plan))))

  @doc "Returns the fields as native code reads them: name, paths to the value, plan of its type, default."
  @spec rows([field()]) :: [{atom(), term(), term(), term()}]
  def rows(fields), do: Enum.map(fields, &native_row/1)

  # A function is called by Elixir, which decodes all objects where its value is there.
  defp native_row({name, from, type, _doc, opts}) do
    default = opts[:default]

    cond do
      opts[:by] -> {name, [[]], :by, default}
      opts[:by_some] -> {name, paths(from), :by, default}
      true -> {name, paths(from), plan(type, default), default}
    end
  end

  # Of these values, the first is the one that may be missing; no name is nil.
  defp paths({:all, [first | _names]}), do: [[first], [nil]]
  defp paths({:or, names}), do: Enum.map(names, &[&1])
  defp paths(path) when is_list(path), do: [path]
  defp paths(name), do: [[name]]

  defp taken([]), do: source()

  defp taken({:all, [first | _] = names}),
    do: quote(do: if(unquote(taken(first)), do: unquote(Enum.map(names, &taken/1))))

  defp taken({:or, froms}),
    do: froms |> Enum.map(&taken/1) |> Enum.reduce(&quote(do: unquote(&2) || unquote(&1)))

  defp taken(path) when is_list(path),
    do: Enum.reduce(path, source(), &quote(do: HfHub.Decode.get(unquote(&2), unquote(&1))))

  defp taken(name), do: quote(do: :maps.get(unquote(name), unquote(source()), nil))
end
