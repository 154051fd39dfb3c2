defmodule HfHub.Native.Nif do
  # The native functions only: this module cannot be reloaded while the VM runs, so it
  # rarely changes. All other modules can be reloaded.
  @moduledoc false

  @on_load :load
  @compile {:autoload, false}

  @doc false
  def load do
    # On OTP 25 the VM crashes when a native library is upgraded to itself. The error keeps
    # the loaded code.
    if :erlang.function_exported(__MODULE__, :version, 0) do
      {:error, {:reload, ~c"HfHub.Native.Nif cannot be reloaded; restart the VM to use a new version of it"}}
    else
      load_library()
    end
  end

  # A library that cannot be loaded must not make the load of the module fail: each call would
  # then raise that the module does not exist, instead of the reason.
  defp load_library do
    with priv when is_list(priv) <- :code.priv_dir(:hf_hub),
         path = :filename.join([priv, "native", "hf_hub_nif"]),
         {:error, {_reason, text}} <- :erlang.load_nif(String.to_charlist(to_string(path)), 0) do
      :persistent_term.put(__MODULE__, to_string(text))
    else
      {:error, :bad_name} ->
        :persistent_term.put(__MODULE__, "the application hf_hub is not in the code path")

      :ok ->
        :ok
    end
  end

  def start(_ref, _name, _spec), do: not_loaded()
  def ask(_job, _chunks), do: not_loaded()
  def acknowledge(_job), do: not_loaded()
  def cancel(_job), do: not_loaded()
  def secret(_text), do: not_loaded()
  def shown(_text, _token), do: not_loaded()
  def withheld(_endpoint, _allowed), do: not_loaded()
  def new_list(_pages, _bytes, _named), do: not_loaded()
  def new_bandwidth(_limit), do: not_loaded()
  def vm_bandwidth, do: not_loaded()
  def set_bandwidth(_bandwidth, _limit), do: not_loaded()
  def bandwidth(_bandwidth), do: not_loaded()
  def close_file(_file), do: not_loaded()
  def to_json(_term), do: not_loaded()
  def parse(_text, _tables), do: not_loaded()
  def archive_format(_path), do: not_loaded()
  def check_names(_names), do: not_loaded()
  def look_up(_question), do: not_loaded()
  def panic, do: not_loaded()
  def vocabulary, do: not_loaded()
  def version, do: not_loaded()

  # `nif_error` marks functions that are replaced, for the compiler and dialyzer.
  defp not_loaded do
    why = :persistent_term.get(__MODULE__, "it was not built")

    :erlang.nif_error(%RuntimeError{
      message: "cannot load the native library of hf_hub: #{why}; build it again with `mix compile --force`"
    })
  end
end
