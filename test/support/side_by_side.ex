defmodule HfHub.SideBySide do
  # The command line beside the Python client's `hf`, each on a Hub and in a folder of its own.
  @moduledoc false

  use ExUnit.CaseTemplate

  import ExUnit.CaptureIO

  alias HfHub.{CLI, Python}

  using do
    quote do
      # stderr is captured, which one test can do at a time.
      use HfHub.Case, async: false

      import HfHub.SideBySide,
        only: [same: 2, same: 3, same_of: 3, same_of: 4, hf: 2, ours: 2, both: 2, on_both: 2]

      @moduletag :python
      @moduletag timeout: 180_000

      setup context do
        {:ok, started} = HfHub.TwoHubs.start(context)
        sides = for side <- [:theirs, :ours], into: %{}, do: {side, Path.join(context.dir, "cwd_#{side}")}
        for {_side, folder} <- sides, do: File.mkdir_p!(folder)
        context = Map.merge(context, Map.new([{:sides, sides} | started]))
        {:ok, [sides: sides, hf: HfHub.SideBySide.start_hf(context)] ++ started}
      end
    end
  end

  # Runs the commands that come as lines of JSON, each in a process of its own, with the modules loaded once: also those
  # that a command would load when it needs them.
  @server """
  import base64, importlib, json, os, pkgutil, sys, traceback
  import huggingface_hub.cli
  import huggingface_hub.cli.hf as hf
  from huggingface_hub import *
  from huggingface_hub import constants

  for module in pkgutil.iter_modules(huggingface_hub.cli.__path__, "huggingface_hub.cli."):
      importlib.import_module(module.name)

  # The addresses of other services are constants.
  constants.INFERENCE_ENDPOINTS_ENDPOINT = constants.ENDPOINT + "/v2"
  constants.INFERENCE_CATALOG_ENDPOINT = constants.ENDPOINT + "/api/v1/catalog"

  def run(args):
      sys.argv = ["hf"] + args
      try:
          hf.main()
          return 0
      except SystemExit as end:
          return end.code if isinstance(end.code, int) else int(end.code is not None)
      except BaseException:
          traceback.print_exc()
          return 1

  for line in sys.stdin:
      call = json.loads(line)
      out, into = os.pipe()
      pid = os.fork()
      if pid == 0:
          os.dup2(into, 1)
          os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
          if call["token"]:
              os.environ["HF_TOKEN"] = call["token"]
          status = run(call["args"])
          sys.stdout.flush()
          os._exit(status)
      os.close(into)
      with os.fdopen(out, "rb") as pipe:
          output = pipe.read()
      status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
      print(status, base64.b64encode(output).decode(), flush=True)
  """

  @doc "Starts the process that runs `hf` in its folder."
  def start_hf(context) do
    home = Path.join(context.dir, "home_theirs")

    env =
      [
        {"HF_ENDPOINT", context.hubs.theirs},
        {"HF_HOME", home},
        {"HF_HUB_DISABLE_UPDATE_CHECK", "1"}
      ] ++ Enum.reject(Python.env(context.dir), &match?({"HF_HOME", _home}, &1))

    # The messages on stderr differ on purpose.
    Python.open(@server, [], env, cd: context.sides.theirs, stderr: home <> ".stderr")
  end

  @doc "Runs `hf` in its folder; returns its status and stdout."
  def hf(context, args) do
    :ok = :gen_tcp.send(context.hf, [HfHub.Native.Nif.to_json(%{args: args, token: token(context)}), "\n"])
    [status, output] = context.hf |> Python.line() |> String.split(" ")
    {String.to_integer(status), Base.decode64!(output)}
  end

  # Tests of logins are without the token in the environment.
  defp token(context), do: if(context[:token] == false, do: nil, else: "hf_me")

  @doc "Runs the same command of this library; the first word may be `hf`'s. Returns its status and stdout."
  def ours(context, args) do
    me = self()

    capture_io(:stderr, fn ->
      output =
        capture_io(fn ->
          before = File.cwd!()
          File.cd!(context.sides.ours)

          set = [
            {"HF_ENDPOINT", context.hubs.ours},
            {"HF_TOKEN", token(context) || ""},
            {"HF_HOME", Path.join(context.dir, "home_ours")}
          ]

          unset = for {name, _value} <- set, do: {name, System.get_env(name)}
          System.put_env(set)

          try do
            send(me, {:status, CLI.run(args)})
          after
            for {name, value} <- unset,
                do: if(value, do: System.put_env(name, value), else: System.delete_env(name))

            File.cd!(before)
          end
        end)

      send(me, {:output, output})
    end)

    assert_received {:status, status}
    assert_received {:output, output}
    {status, output}
  end

  @doc "Runs a command on both sides as `same/3` does, in which `ID` is the id that each side has, theirs first."
  def same_of(context, args, [theirs, ours], opts \\ []) do
    [their_args, our_args] = for id <- [theirs, ours], do: for(arg <- args, do: String.replace(arg, "ID", id))
    same(context, their_args, [ours: our_args] ++ opts)
  end

  @doc "Does the same with the folder of each side."
  def both(context, work), do: for({_side, folder} <- context.sides, do: work.(folder))

  @doc "Returns what a call of the library returns for the Hub of each side, theirs first."
  def on_both(context, work) do
    [theirs, ours] =
      for side <- [:theirs, :ours], do: work.(endpoint: context.hubs[side], token: "hf_me") |> normal(context)

    {theirs, ours}
  end

  @doc """
  Runs a command on both sides, and asserts that status and result are the same; returns our result.

  With `--json`, the results are compared as data: all that `hf` shows has the same name and value. Options: `:stdout`, `false` compares only the status; `:fields`, `true`
  compares only the names of fields; `:ours`, other arguments for our side.
  """
  def same(context, args, opts \\ []) do
    {status, theirs} = hf(context, args)
    {our_status, ours} = ours(context, opts[:ours] || args)

    assert our_status == status,
           "#{Enum.join(args, " ")}: exit #{our_status}, hf #{status}\n#{ours}\n#{File.read!(Path.join(context.dir, "home_theirs.stderr"))}"

    if status == 0 and opts[:stdout] != false do
      if "--json" in args,
        do: data(args, theirs, ours, context, opts),
        else: lines(args, theirs, ours, context)
    end

    ours
  end

  defp data(args, theirs, ours, context, opts) do
    shape = if opts[:fields], do: &fields/1, else: & &1
    [theirs, ours] = for text <- [theirs, ours], do: text |> json() |> normal(context) |> shape.()

    # This library's structs have more fields.
    ours = known(ours, theirs)

    assert ours == theirs,
           "#{Enum.join(args, " ")}:\nours #{inspect(ours, pretty: true)}\nhf   #{inspect(theirs, pretty: true)}"
  end

  defp known(ours, theirs) when is_map(ours) and is_map(theirs) do
    for {key, value} <- Map.take(ours, Map.keys(theirs)), into: %{}, do: {key, known(value, theirs[key])}
  end

  defp known(ours, theirs) when is_list(ours) and is_list(theirs) and length(ours) == length(theirs),
    do: Enum.zip_with(ours, theirs, &known/2)

  defp known(ours, _theirs), do: ours

  defp lines(args, theirs, ours, context) do
    assert normal(ours, context) == normal(theirs, context), "#{Enum.join(args, " ")}:\n#{ours}\n#{theirs}"
  end

  # JSON is YAML, which a card contains.
  defp json(text) do
    {:ok, card} = HfHub.Native.run(:parse_card, ~s(---\n{"all": #{text}}\n---\n))
    card.data["all"]
  end

  defp fields(map) when is_map(map), do: Map.new(map, fn {key, value} -> {key, fields(value)} end)
  defp fields(list) when is_list(list), do: list |> Enum.map(&fields/1) |> Enum.uniq()
  defp fields(_value), do: :value

  # Addresses, folders, ids and times differ.
  defp normal(text, context) when is_binary(text) do
    text
    # `hf` writes colors whatever stdout is.
    |> String.replace(~r/\e\[\d+m/, "")
    |> String.replace(Map.values(context.hubs), "HUB")
    |> String.replace(Map.values(context.sides), "CWD")
    |> String.replace(~r"#{context.dir}/home_(theirs|ours)", "HOME")
    |> String.replace(~r/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?/, "TIME")
    |> String.replace(~r/ +$/m, "")
    |> String.replace(~r/\b[0-9a-f]{40}\b/, "SHA1")
    |> String.replace(~r/\b[0-9a-f]{24}\b/, "ID")
  end

  # Objects of the Python client have the whole JSON of an event.
  defp normal(%{"_event" => _json} = map, context), do: map |> Map.delete("_event") |> normal(context)

  defp normal(map, context) when is_map(map),
    do: Map.new(map, fn {key, value} -> {key, normal(value, context)} end)

  defp normal(list, context) when is_list(list), do: Enum.map(list, &normal(&1, context))
  defp normal(tuple, context) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> normal(context)
  defp normal(other, _context), do: other
end
