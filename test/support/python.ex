defmodule HfHub.Python do
  # The PyPI client as a peer: runs a script against a Hub and a cache.
  @moduledoc false

  @prelude """
  import json, sys, warnings
  warnings.simplefilter("error")
  # A deprecation warning of the client's own code.
  warnings.filterwarnings("ignore", "Use 'content=", DeprecationWarning)
  import huggingface_hub
  from huggingface_hub import *
  """

  @doc "Runs Python code and returns its trimmed output."
  def run!(code, endpoint, cache, env \\ [], args \\ []) do
    env = [{"HF_ENDPOINT", endpoint}, {"HF_HUB_CACHE", cache}] ++ env(Path.dirname(cache)) ++ env

    case System.cmd(executable(), ["-c", @prelude <> code | args], env: env, stderr_to_stdout: true) do
      {output, 0} -> String.trim(output)
      {output, status} -> raise "Python ended with #{status}:\n#{output}"
    end
  end

  @doc "Returns environment variables for a process with its home in a folder."
  def env(folder) do
    [{"HF_HOME", Path.join(folder, "home")}] ++
      for what <- ~w(XET TELEMETRY PROGRESS_BARS), do: {"HF_HUB_DISABLE_" <> what, "1"}
  end

  def executable do
    System.get_env("HF_HUB_TEST_PYTHON") || Path.expand("_build/python/bin/python")
  end
end
