defmodule HfHub.OwnHome do
  # A home folder of Hugging Face files for the suite: the cache and the token of the user who runs it are not for tests.
  @moduledoc false

  @names ~w(HF_HOME HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_XET_CACHE HF_TOKEN_PATH)

  @doc "Sets the home folder for the suite, which fails if it writes to the default cache."
  @spec start() :: :ok
  def start do
    Enum.each(@names, &System.delete_env/1)
    # Tests that unset the variable write there, unless they choose another folder.
    default = HfHub.Config.cache_dir()
    home = Path.join(System.tmp_dir!(), "hf_hub_test_home_#{System.pid()}")
    System.put_env(%{"HF_HOME" => home, "HF_XET_CACHE" => Path.join(home, "xet")})

    ExUnit.after_suite(fn _result ->
      File.rm_rf!(home)
      HfHub.Case.fail_suite("the suite has written to the default cache", strays(default))
    end)
  end

  @doc "Returns the entries of a cache folder that are named like the repositories of this suite."
  @spec strays(Path.t()) :: [Path.t()]
  def strays(cache), do: Enum.flat_map([cache, cache <> "/.locks"], &Path.wildcard("#{&1}/*-#{System.pid()}"))
end
