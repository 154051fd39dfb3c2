defmodule HfHub.Doctor.Locks do
  # Whether a lock that this process holds keeps another process of the system out. On some network file systems it does
  # not, and on some it does only within a process, so the second process is a real one: another VM.
  @moduledoc false

  import HfHub.Doctor, only: [check: 3, check: 4]

  alias HfHub.Cache.Engine
  alias HfHub.Native.Nif

  @spec_of_lock %{repo: %{repo_type: "model", id: "hf_hub/doctor"}, revision: "main", filename: "lock"}

  @doc "Returns the result for a folder."
  @spec check(Path.t()) :: HfHub.Doctor.Check.t()
  def check(folder) do
    case Engine.hold(@spec_of_lock, cache_dir: folder) do
      {:ok, handle, _path} ->
        result = second(folder)
        Nif.cancel(handle)
        described(result)

      {:error, error} ->
        check(:locks, :error, "a lock cannot be acquired: #{error.message}", advice: advice())
    end
  end

  defp described("excluded"), do: check(:locks, :ok, "exclude another process")

  defp described("acquired"),
    do: check(:locks, :warning, "do not exclude another process", advice: advice())

  defp described(_other), do: check(:locks, :skipped, "no second process could be started")

  defp advice do
    "files stay correct, but processes may download the same file at the same time: on a network file system, mount it " <>
      "with locks, or give each machine a cache of its own"
  end

  # Erlang, because a release has no elixir command. A free lock comes first: from then on, acquiring another one takes
  # milliseconds, so that waiting for it means that it is held.
  @code """
  [Folder] = init:get_plain_arguments(),
  Dir = unicode:characters_to_binary(Folder),
  Hold = fun(Name) ->
    Ref = make_ref(),
    Repo = \#{repo_type => <<"model">>, id => <<"hf_hub/doctor">>},
    Spec = \#{repo => Repo, revision => <<"main">>, filename => Name},
    'Elixir.HfHub.Native.Nif':start(Ref, hold, \#{cache_dir => Dir, spec => Spec}),
    Ref
  end,
  Free = Hold(<<"free">>),
  receive {hf_hub, Free, {ok, _}} -> ok; {hf_hub, Free, _} -> halt(1) after 10000 -> halt(1) end,
  Held = Hold(<<"lock">>),
  Result = receive
    {hf_hub, Held, {ok, _}} -> acquired;
    {hf_hub, Held, _} -> unknown
  after 1000 -> excluded
  end,
  io:format("~s~n", [Result]), halt(0).
  """

  defp second(folder) do
    with erl when erl != nil <- erl(),
         paths = Enum.flat_map([:elixir, :logger, :hf_hub], &["-pa", Path.join(:code.lib_dir(&1), "ebin")]),
         args = ["-noshell", "-noinput"] ++ boot() ++ paths ++ ["-eval", @code, "-extra", folder],
         {output, 0} <- System.cmd(erl, args, env: env(), stderr_to_stdout: true) do
      output |> String.split() |> List.last()
    else
      _failed -> nil
    end
  end

  # Flags of this VM, such as its node name, are not for another one.
  defp env, do: for(name <- ~w(ERL_FLAGS ERL_AFLAGS ERL_ZFLAGS), do: {name, nil})

  # A release has the emulator, but not in the usual folder.
  defp erl do
    root = to_string(:code.root_dir())

    [Path.join(root, "bin/erl") | Path.wildcard(Path.join(root, "erts-*/bin/erl"))]
    |> Enum.find(&File.exists?/1)
  end

  defp boot do
    case :init.get_argument(:boot_var) do
      {:ok, [[name, value] | _more]} ->
        scripts = Path.wildcard(Path.join(to_string(:code.root_dir()), "releases/*/start_clean.boot"))

        for script <- Enum.take(scripts, 1),
            word <- ["-boot", Path.rootname(script), "-boot_var", to_string(name), to_string(value)],
            do: word

      _none ->
        []
    end
  end
end
