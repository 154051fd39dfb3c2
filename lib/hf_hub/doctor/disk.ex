defmodule HfHub.Doctor.Disk do
  # The cache folder: whether it can be written to, and what its file system can do. Everything happens in a folder of its
  # own, which is removed.
  @moduledoc false

  import HfHub.Doctor, only: [check: 3, check: 4]

  alias HfHub.Config.Setting
  alias HfHub.Doctor.Locks

  # A model of a few billion parameters.
  @bytes_to_warn 10_000_000_000
  @bytes_to_fail 200_000_000

  @doc "Returns the results for a cache folder."
  @spec checks(Path.t()) :: [HfHub.Doctor.Check.t()]
  def checks(cache_dir) do
    case existing(cache_dir) do
      {:folder, base} -> probed(base, cache_dir)
      {:other, path} -> [unusable("#{path} is not a folder")]
    end
  end

  defp probed(base, cache_dir) do
    probe = Path.join(base, ".hf_hub_doctor_#{System.pid()}_#{System.unique_integer([:positive])}")

    try do
      [space(base) | in_folder(probe, base, cache_dir)]
    after
      File.rm_rf(probe)
    end
  end

  # Of a cache that does not exist yet, the folder that it would be created in.
  defp existing(path) do
    case {File.dir?(path), File.lstat(path)} do
      {true, _stat} -> {:folder, path}
      {false, {:ok, _stat}} -> {:other, path}
      _nothing -> existing(Path.dirname(path))
    end
  end

  defp in_folder(probe, base, cache_dir) do
    case write(probe) do
      :ok -> [writable(base, cache_dir), rename(probe), symlinks(probe), Locks.check(probe)]
      {:error, reason} -> [unusable("#{base} cannot be written to: #{:file.format_error(reason)}")]
    end
  end

  defp write(probe) do
    with :ok <- File.mkdir(probe), do: File.write(Path.join(probe, "file"), "content")
  end

  defp writable(cache_dir, cache_dir), do: check(:cache, :ok, "#{cache_dir} can be written to")

  defp writable(base, cache_dir),
    do: check(:cache, :ok, "#{cache_dir} does not exist yet, and can be created in #{base}")

  defp unusable(why) do
    check(:cache, :error, why,
      advice:
        "choose another folder with HF_HUB_CACHE, HF_HOME or config :hf_hub, cache_dir: …, or make this one writable; " <>
          "files that are in it can still be read"
    )
  end

  defp rename(probe) do
    [one, two] = for name <- ["file", "other"], do: Path.join(probe, name)

    with :ok <- File.write(two, ""), :ok <- File.rename(one, two), {:ok, "content"} <- File.read(two) do
      check(:rename, :ok, "replaces files")
    else
      other ->
        check(:rename, :error, "cannot replace a file: #{reason(other)}",
          advice: "choose a cache folder on another file system: files are published by renaming them"
        )
    end
  end

  defp symlinks(probe) do
    link = Path.join(probe, "link")

    with :ok <- File.ln_s("other", link), {:ok, "content"} <- File.read(link) do
      if Setting.value(:symlinks),
        do: check(:symlinks, :ok, "work"),
        else:
          check(:symlinks, :warning, "work, but are turned off",
            advice: "unset HF_HUB_DISABLE_SYMLINKS to store each file once"
          )
    else
      other ->
        status = if Setting.value(:symlinks), do: :error, else: :ok

        check(:symlinks, status, "do not work: #{reason(other)}",
          advice: if(status == :error, do: "set config :hf_hub, symlinks: false or HF_HUB_DISABLE_SYMLINKS=1")
        )
    end
  end

  defp reason({:error, reason}), do: reason |> :file.format_error() |> to_string()
  defp reason(_content), do: "the content is not there"

  defp space(base) do
    case free(base) do
      {:ok, bytes} -> room(bytes)
      :error -> check(:space, :skipped, "the free space of #{base} is not known")
    end
  end

  defp room(bytes) do
    message = "#{HfHub.Brief.size(bytes)} free"
    advice = "mix hf_hub.cache prune and rm free space; HF_HUB_CACHE moves the cache to another disk"

    cond do
      bytes < @bytes_to_fail -> check(:space, :error, message, advice: advice)
      bytes < @bytes_to_warn -> check(:space, :warning, message, advice: advice)
      true -> check(:space, :ok, message)
    end
  end

  # POSIX defines the columns; OTP has this in an application that is rarely there.
  defp free(path) do
    with df when df != nil <- System.find_executable("df"),
         {output, 0} <- System.cmd(df, ["-Pk", path], stderr_to_stdout: true),
         [_head, line | _more] <- String.split(output, "\n"),
         [_all, kilobytes] <- Regex.run(~r/\s\d+\s+\d+\s+(\d+)\s+\d+%/, line) do
      {:ok, String.to_integer(kilobytes) * 1024}
    else
      _unknown -> :error
    end
  end
end
