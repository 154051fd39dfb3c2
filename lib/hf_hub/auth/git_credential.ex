defmodule HfHub.Auth.GitCredential do
  # Git's own store of passwords, by way of its credential helpers: for `git push` to the Hub.
  @moduledoc false

  require Logger

  alias HfHub.Config

  # The Hub takes any name beside a token; this is the one Python's client uses.
  @user "hf_user"

  @doc "Gives the token to git, where a helper is configured to keep it."
  @spec store(String.t(), String.t()) :: :ok
  def store(token, endpoint \\ Config.endpoint()) do
    if helper?() do
      tell("approve", endpoint, "password=#{token}\n")
    else
      Logger.warning(
        "git keeps no passwords here, so the token was not given to it; " <>
          "`git config --global credential.helper store` makes it keep them"
      )
    end
  end

  @doc "Makes git forget what `store/2` gave it."
  @spec erase(String.t()) :: :ok
  def erase(endpoint \\ Config.endpoint()), do: if(helper?(), do: tell("reject", endpoint, ""), else: :ok)

  defp helper? do
    case git(["config", "--get-regexp", ~S"^credential(\..*)?\.helper$"]) do
      {output, 0} -> String.trim(output) != ""
      _none -> false
    end
  end

  # Arguments are seen by everybody on the machine, an environment by its owner only.
  defp tell(verb, endpoint, password) do
    lines = "url=#{endpoint}\nusername=#{@user}\n#{password}\n"
    command = ~s(printf '%s' "$HF_HUB_CREDENTIAL" | git credential #{verb})
    env = [{"HF_HUB_CREDENTIAL", lines}, {"GIT_TERMINAL_PROMPT", "0"}]

    case System.cmd("sh", ["-c", command], env: env, stderr_to_stdout: true) do
      {_output, 0} -> :ok
      {_output, status} -> Logger.warning("git credential #{verb} ended with status #{status}")
    end
  rescue
    ErlangError -> Logger.warning("there is no sh to run git credential #{verb} with")
  end

  defp git(args) do
    System.cmd("git", args, stderr_to_stdout: true)
  rescue
    ErlangError -> {"", 127}
  end
end
