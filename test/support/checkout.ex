defmodule HfHub.Checkout do
  # Copies of the sources, for tests that build them.
  @moduledoc false

  @root Path.expand("../..", __DIR__)

  @doc "Copies the sources with uncommitted changes to a folder, and returns it."
  @spec copy(Path.t()) :: Path.t()
  def copy(folder) do
    {names, 0} = System.cmd("git", ~w(ls-files -z --cached --others --exclude-standard), cd: @root)

    for name <- String.split(names, "\0", trim: true), File.regular?(Path.join(@root, name)) do
      File.mkdir_p!(Path.dirname(Path.join(folder, name)))
      File.cp!(Path.join(@root, name), Path.join(folder, name))
    end

    folder
  end

  @doc """
  Makes a release of a copy with the library of this VM: its archive is served until the end of the test, and the copy has
  the checksum, so its build needs no cargo. Returns the URL.
  """
  @spec release(Path.t()) :: String.t()
  def release(copy) do
    built = :hf_hub |> :code.priv_dir() |> Path.join("native/hf_hub_nif.so")
    {_, 0} = System.cmd("bash", ["bin/release", "--library", stripped(built, copy)], cd: copy)
    url = HfHub.Case.static_files(Path.join(copy, "dist"))
    {_, 0} = System.cmd("bash", ["bin/release", "--checksums", url], cd: copy)
    url
  end

  # A published library has no symbols, and packing those of this VM's would take longer than all else.
  defp stripped(library, copy) do
    to = Path.join(copy, "target/#{Path.basename(library)}")
    File.mkdir_p!(Path.dirname(to))

    with strip when strip != nil <- System.find_executable("strip"),
         {_, 0} <- System.cmd(strip, ["-o", to, library], stderr_to_stdout: true) do
      to
    else
      _no_tool -> library
    end
  end
end
