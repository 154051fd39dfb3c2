defmodule HfHub.Jobs.Spec do
  # The JSON of a job that is to run, from options.
  @moduledoc false

  alias HfHub.Jobs.{Call, Volume}
  alias HfHub.Options
  alias HfHub.Repo.Settings

  @spaces [
    "https://huggingface.co/spaces/",
    "https://hf.co/spaces/",
    "huggingface.co/spaces/",
    "hf.co/spaces/"
  ]

  @flavors ~w(cpu-basic cpu-upgrade cpu-performance cpu-xl t4-small t4-medium l4x1 l4x4 l40sx1 l40sx4 l40sx8 a10g-small
              a10g-large a10g-largex2 a10g-largex4 a100-large a100x4 a100x8 h200 h200x2 h200x4 h200x8 rtx-pro-6000
              rtx-pro-6000x2 rtx-pro-6000x4 rtx-pro-6000x8)

  @units %{"" => 1, "s" => 1, "m" => 60, "h" => 3600, "d" => 86_400}

  @doc "Returns the specification of a job that runs a command in an image."
  @spec new!(String.t(), [String.t()], keyword(), String.t() | nil) :: map()
  def new!(image, command, opts, name \\ nil) do
    check_command(image, command)
    labels = labels!(opts, name || default_name(image, command))

    given(
      %{
        command: command,
        arguments: [],
        environment: opts[:env] || %{},
        flavor: flavor!(opts[:flavor]),
        secrets: if(opts[:secrets] != %{}, do: opts[:secrets]),
        timeoutSeconds: seconds!(opts[:job_timeout]),
        attempts: opts[:attempts],
        labels: labels,
        volumes: volumes!(opts[:volumes]),
        expose: if(ports(opts) != [], do: expose!(opts)),
        ssh: if(opts[:ssh], do: %{enabled: true}),
        network: network!(opts),
        resourceGroupId: opts[:resource_group_id]
      }
      |> Map.merge(image(image))
    )
  end

  defp given(map), do: Map.reject(map, fn {_name, value} -> value == nil end)

  defp check_command(image, command) do
    unless is_binary(image) and image != "",
      do:
        raise(
          ArgumentError,
          "expected the image to be the name of a Docker image or the URL of a Space, got: #{Options.shown(image)}"
        )

    unless is_list(command) and Enum.all?(command, &is_binary/1),
      do:
        raise(
          ArgumentError,
          "expected the command to be a list of strings, such as [\"python\", \"-V\"], got: #{Options.sort(command)}"
        )
  end

  defp image(image) do
    case space(image) do
      nil -> %{dockerImage: image}
      id -> %{spaceId: id}
    end
  end

  defp space(image) do
    Enum.find_value(@spaces, fn prefix ->
      if String.starts_with?(image, prefix), do: String.replace_prefix(image, prefix, "")
    end)
  end

  # A name given twice could be two names.
  defp labels!(opts, default) do
    labels = Call.labels!(opts[:labels] || %{})

    case {opts[:name], labels} do
      {nil, %{"name" => _name}} -> labels
      {nil, _labels} -> Map.put(labels, "name", default)
      {_name, %{"name" => _other}} -> raise ArgumentError, ":name cannot be combined with the label \"name\""
      {name, _labels} -> Call.labels!(Map.put(labels, "name", name))
    end
  end

  @doc "Returns the name of a job that runs a command in an image: jobs with the same command have the same name."
  @spec default_name(String.t(), [String.t()]) :: String.t()
  def default_name(image, command) do
    base = space(image) || image |> String.trim_trailing("/") |> String.split("/") |> List.last()
    named(if(base == "", do: image, else: base), [image | command])
  end

  @doc "Returns the name of a job that runs a script."
  @spec script_name(String.t(), [String.t()]) :: String.t()
  def script_name(script, args) do
    base = script |> String.split(["?", "#"], parts: 2) |> hd() |> String.trim_trailing("/")
    base = base |> String.split("/") |> List.last() |> String.replace_suffix(".py", "")
    named(if(base == "", do: script, else: base), [script | args])
  end

  defp named(base, parts) do
    hash = :crypto.hash(:sha256, Enum.join(parts, <<0>>)) |> Base.encode16(case: :lower) |> binary_part(0, 8)
    String.replace(base, ~r/[^a-zA-Z0-9_-]/u, "-") <> "-" <> hash
  end

  # The Hub may have newer hardware.
  defp flavor!(name) do
    if name in @flavors or name =~ ~r/\A[a-z0-9]+(-[a-z0-9]+)*\z/,
      do: name,
      else:
        raise(
          ArgumentError,
          "expected :flavor to be one of #{Enum.join(@flavors, ", ")}, or the name of newer hardware, got: #{Options.shown(name)}"
        )
  end

  defp seconds!(nil), do: nil
  defp seconds!(number) when is_number(number) and number >= 1, do: trunc(number)

  defp seconds!(text) when is_binary(text) do
    case Regex.run(~r/\A(\d+(?:\.\d+)?)([smhd]?)\z/, text) do
      [_all, number, unit] -> number |> Float.parse() |> elem(0) |> Kernel.*(@units[unit]) |> seconds!()
      nil -> wrong_timeout!(text)
    end
  end

  defp seconds!(other), do: wrong_timeout!(other)

  defp wrong_timeout!(value) do
    raise ArgumentError,
          "expected :job_timeout to be at least one second, or a text such as \"30m\", \"1.5h\" or \"2d\", got: #{Options.shown(value)}"
  end

  defp volumes!(list) when is_list(list) do
    volumes =
      Settings.volumes!(
        :volumes,
        Enum.map(list, &if(is_struct(&1, Volume), do: Map.from_struct(&1), else: &1))
      )

    if volumes != [], do: volumes
  end

  defp volumes!(other), do: Settings.volumes!(:volumes, other)

  @doc "Returns the ports to expose. Public ports are in both lists."
  @spec expose!(keyword()) :: map()
  def expose!(opts) do
    ports = ports(opts)

    with port when port != nil <- Enum.find(ports, &(&1 > 65_535)),
         do: raise(ArgumentError, "expected ports from 1 to 65535, got: #{port}")

    %{ports: ports, portsPublic: Enum.uniq(opts[:expose_public] || [])}
  end

  defp ports(opts), do: Enum.uniq((opts[:expose] || []) ++ (opts[:expose_public] || []))

  defp network!(opts) do
    case {opts[:network_group], opts[:network_aliases] || []} do
      {nil, []} -> nil
      {nil, _aliases} -> raise ArgumentError, ":network_aliases requires :network_group"
      {group, []} -> %{group: group}
      {group, aliases} -> %{group: group, aliases: aliases}
    end
  end
end
