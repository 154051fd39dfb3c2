defmodule HfHub.CLI.Values do
  # Values of flags that have a syntax of their own, as `hf` reads them: variables, volumes, durations.
  @moduledoc false

  alias HfHub.Auth
  alias HfHub.CLI.{Command, Stdin}
  alias HfHub.Config.Source

  @doc "Returns the flags for variables, their file, secrets and their file."
  @spec flags() :: Command.rules()
  def flags do
    [
      env: [
        type: {:list, :string},
        short: "e",
        doc: "Variable, as `KEY=VALUE`, or `KEY` for its value in the environment"
      ],
      env_file: [type: :path, doc: "File of variables, one `KEY=VALUE` a line; `-` is stdin"],
      secrets: [
        type: {:list, :string},
        short: "s",
        secret: true,
        doc:
          "Secret, as `KEY=VALUE`, or `KEY` for its value in the environment; `HF_TOKEN` is the active token"
      ],
      secrets_file: [type: :path, doc: "File of secrets, one `KEY=VALUE` a line; `-` is stdin"]
    ]
  end

  @doc "Returns the flag for volumes."
  @spec volume_flag() :: Command.rules()
  def volume_flag do
    [
      volume: [
        type: {:list, :string},
        short: "v",
        doc:
          "Volume to mount, as `hf://[TYPE/]ID[@REVISION][/PATH]:/MOUNT[:ro]`; the type is `models`, `datasets`, `spaces` or `buckets`"
      ]
    ]
  end

  @doc "Returns a map of the variables of a flag and its file; those of the flag count more."
  @spec variables([String.t()] | nil, Path.t() | nil) :: %{String.t() => String.t()}
  def variables(texts, file) do
    lines = if file, do: String.split(read(file), ~r/\R/), else: []

    for line <- lines ++ (texts || []),
        {name, value} <- variable(String.trim(line)),
        into: %{},
        do: {name, value}
  end

  @doc "Returns a map of secrets. One without a value here is an error, as in `hf`, not a job without its secret."
  @spec secrets([String.t()] | nil, Path.t() | nil) :: %{String.t() => String.t()}
  def secrets(texts, file) do
    found = variables(texts, file)

    case unset(texts, found) do
      [] ->
        found

      missing ->
        raise ArgumentError,
              "not set in the environment: #{Enum.join(missing, ", ")}; pass KEY=VALUE or --secrets-file"
    end
  end

  @doc "Returns the names of secrets without a value here."
  @spec unset([String.t()] | nil, map()) :: [String.t()]
  def unset(texts, found) do
    for text <- texts || [],
        not (text =~ "="),
        name = String.trim(text),
        not is_map_key(found, name),
        do: name
  end

  defp read("-") do
    case Stdin.text() do
      {:ok, text} -> String.trim_leading(text, "\uFEFF")
      {:error, why} -> raise ArgumentError, why
    end
  end

  defp read(file) do
    case File.read(file) do
      {:ok, text} -> String.trim_leading(text, "\uFEFF")
      {:error, reason} -> raise ArgumentError, "cannot read #{file}: #{:file.format_error(reason)}"
    end
  end

  defp variable(""), do: []
  defp variable("#" <> _comment), do: []

  defp variable(line) do
    line = Regex.replace(~r/^export\s+/, line, "")

    case Regex.run(~r/^([A-Za-z_][\w.]*)\s*(?:(=)\s*(.*))?$/s, line) do
      [_all, name] -> for(value <- List.wrap(environment(name)), do: {name, value})
      [_all, name, "=", value] -> [{name, unquoted(value)}]
      # Without the line, which may have a secret.
      nil -> raise ArgumentError, "expected a variable as KEY=VALUE or KEY"
    end
  end

  defp environment("HF_TOKEN") do
    case Auth.get_token() do
      {:ok, token} -> token
      {:error, _none} -> nil
    end
  end

  defp environment(name), do: Source.env(name)

  @escapes %{"n" => "\n", "t" => "\t", "r" => "\r", "\"" => "\"", "\\" => "\\", "$" => "$"}

  # Double quotes have escapes, single quotes have none; a comment follows a space.
  defp unquoted(text) do
    cond do
      match = Regex.run(~r/^"((?:\\.|[^"\\])*)"\s*(?:#.*)?$/s, text) ->
        Regex.replace(~r/\\(.)/s, Enum.at(match, 1), fn all, char -> @escapes[char] || all end)

      match = Regex.run(~r/^'([^']*)'\s*(?:#.*)?$/s, text) ->
        Enum.at(match, 1)

      true ->
        text |> String.replace(~r/(^|\s+)#.*$/s, "") |> String.trim()
    end
  end

  @doc "Returns volumes as the functions of the library take them."
  @spec volumes([String.t()] | nil) :: [map()] | nil
  def volumes(nil), do: nil
  def volumes(texts), do: Enum.map(texts, &volume/1)

  defp volume(text) do
    case Regex.run(
           ~r{^hf://(?:(models|datasets|spaces|buckets)/)?([^@:/]+/[^@:/]+)(?:@([^:/]+))?(?:/([^:]+))?:(/[^:]*)(?::(ro|rw))?$},
           text
         ) do
      [_all, type, source, revision, path, mount | mode] ->
        # A bucket can be written to unless the mount forbids it; a repository cannot be.
        read_only = if mode == [], do: nil, else: mode == ["ro"]

        type =
          %{
            "" => :model,
            "models" => :model,
            "datasets" => :dataset,
            "spaces" => :space,
            "buckets" => :bucket
          }[type]

        %{
          type: type,
          source: source,
          mount_path: mount,
          revision: present(revision),
          path: present(path),
          read_only: read_only
        }
        |> Map.reject(&match?({_key, nil}, &1))

      nil ->
        raise ArgumentError, "expected a volume as hf://[TYPE/]ID[/PATH]:/MOUNT[:ro], got: #{inspect(text)}"
    end
  end

  @doc "Returns volumes as texts, with their types."
  @spec volume_texts([map()]) :: [String.t()]
  def volume_texts(volumes) do
    for volume <- volumes do
      revision = if volume[:revision], do: "@#{volume.revision}", else: ""
      path = if volume[:path], do: "/#{volume.path}", else: ""
      mode = %{nil => "", true => ":ro", false => ":rw"}[volume[:read_only]]
      "hf://#{volume.type}s/#{volume.source}#{revision}#{path}:#{volume.mount_path}#{mode}"
    end
  end

  defp present(""), do: nil
  defp present(text), do: text

  @doc "Returns the text of `--body`, or of `--body-file`, where `-` is stdin; `nil` if neither is given."
  @spec body(map()) :: String.t() | nil
  def body(%{body: text, body_file: file}) when text != nil and file != nil,
    do: raise(ArgumentError, "--body and --body-file are mutually exclusive")

  def body(%{body_file: file}) when file != nil, do: read(file)
  def body(flags), do: flags[:body]

  @doc "Returns the labels of `--label key=value` and `--name`."
  @spec labels([String.t()] | nil, String.t() | nil) :: %{String.t() => String.t()}
  def labels(texts, name) do
    labels = for text <- texts || [], into: %{}, do: label(String.split(text, "=", parts: 2))

    if name && labels["name"],
      do: raise(ArgumentError, "--name and --label name=... are mutually exclusive")

    if name, do: Map.put(labels, "name", name), else: labels
  end

  # A label without a value is a tag.
  defp label([key]), do: {key, ""}
  defp label([key, value]), do: {key, value}

  @units %{"" => 1, "s" => 1, "m" => 60, "h" => 3600, "d" => 86_400}

  @doc "Returns the milliseconds of a duration such as `30s`, `5m`, `2h` or `1d`."
  @spec duration(String.t()) :: pos_integer()
  def duration(text) do
    case Regex.run(~r/^(\d+)([smhd]?)$/, text) do
      [_all, number, unit] when number != "0" -> String.to_integer(number) * @units[unit] * 1000
      _other -> raise ArgumentError, "expected a duration such as 30s, 5m, 2h or 1d, got: #{inspect(text)}"
    end
  end

  @doc "Returns the row of a kind of hardware; some listings have columns in between."
  @spec hardware(struct(), [{String.t(), term()}]) :: HfHub.CLI.Table.row()
  def hardware(kind, between) do
    [
      {"name", kind.name},
      {"pretty name", kind.pretty_name},
      {"cpu", kind.cpu},
      {"ram", kind.ram}
    ] ++
      between ++
      [
        {"accelerator", accelerator(kind.accelerator)},
        {"cost/min", cost(kind.unit_cost_usd, 1, 4)},
        {"cost/hour", cost(kind.unit_cost_usd, 60, 2)}
      ]
  end

  defp accelerator(nil), do: nil
  defp accelerator(%{"quantity" => n, "model" => model, "vram" => ram}), do: "#{n}x #{model} (#{ram})"
  defp accelerator(%{quantity: n, model: model, vram: ram}), do: "#{n}x #{model} (#{ram})"
  defp accelerator(_other), do: nil

  defp cost(per_minute, _minutes, _decimals) when per_minute in [nil, 0, 0.0], do: "free"
  defp cost(per_minute, minutes, n), do: "$" <> :erlang.float_to_binary(per_minute * minutes / 1, decimals: n)
end
