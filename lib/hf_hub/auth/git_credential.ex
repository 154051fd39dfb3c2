defmodule HfHub.Auth.GitCredential do
  # Stores the token in git's credential helpers, for `git push` to the Hub.
  @moduledoc false

  require Logger

  alias HfHub.Config

  # The Hub accepts any user name with a token; the Python client uses this one.
  @user "hf_user"

  @doc "Stores the token, if a credential helper is configured."
  @spec store(String.t(), String.t()) :: :ok
  def store(token, endpoint \\ Config.endpoint()) do
    if helper?() do
      run("approve", endpoint, "password=#{token}\n")
    else
      Logger.warning(
        "git has no credential helper configured, so the token was not stored in it; " <>
          "`git config --global credential.helper store` configures one"
      )
    end
  end

  @doc "Removes the token that `store/2` stored."
  @spec erase(String.t()) :: :ok
  def erase(endpoint \\ Config.endpoint()), do: if(helper?(), do: run("reject", endpoint, ""), else: :ok)

  defp helper? do
    case git(["config", "--get-regexp", ~S"^credential(\..*)?\.helper$"]) do
      {output, 0} -> String.trim(output) != ""
      _none -> false
    end
  end

  # All users of the machine can see a process's arguments, but only its owner the environment.
  defp run(verb, endpoint, password) do
    lines = "url=#{endpoint}\nusername=#{@user}\n#{password}\n"
    command = ~s(printf '%s' "$HF_HUB_CREDENTIAL" | git credential #{verb})
    env = [{"HF_HUB_CREDENTIAL", lines}, {"GIT_TERMINAL_PROMPT", "0"}]

    case System.cmd("sh", ["-c", command], env: env, stderr_to_stdout: true) do
      {_output, 0} -> :ok
      {_output, status} -> Logger.warning("git credential #{verb} exited with status #{status}")
    end
  rescue
    ErlangError -> Logger.warning("cannot run git credential #{verb}: sh was not found")
  end

  defp git(args) do
    System.cmd("git", args, stderr_to_stdout: true)
  rescue
    ErlangError -> {"", 127}
  end
end
