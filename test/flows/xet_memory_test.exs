defmodule HfHub.Flows.XetMemoryTest do
  # What transfers by Xet add to the memory of a VM.
  use HfHub.Case, async: true, hub: :own

  alias HfHub.Vm

  # A peak is that of the process, so each transfer has a VM of its own. A small one comes first.
  defp grown(context, transfer) do
    script = """
    opts = [endpoint: "#{endpoint()}", token: "#{token()}"]
    transfer = #{transfer}

    peak = fn name ->
      {:ok, _} = transfer.(name)
      [_, kib] = Regex.run(~r/VmHWM:\\s+(\\d+) kB/, File.read!("/proc/self/status"))
      String.to_integer(kib)
    end

    small = peak.("small.bin")
    IO.puts("grown by \#{div(peak.("large.bin") - small, 1024)} MiB")
    """

    cache = Path.join(context.dir, "xet#{System.unique_integer([:positive])}")
    assert {output, 0} = Vm.run(Vm.script(context, script), [{"HF_XET_CACHE", cache}])
    assert [_all, grown] = Regex.run(~r/grown by (\d+) MiB/, output), output
    String.to_integer(grown)
  end

  @tag :proc
  test "it does not grow with the file", context do
    dir = folder(context, %{"small.bin" => large(10_000), "large.bin" => large(80_000_000)})
    id = writable(context)
    up = grown(context, ~s|&HfHub.Commit.upload_file({:path, "#{dir}/" <> &1}, &1, "#{id}", opts)|)
    assert up < 64
    file = ~s|[repo_id: "#{id}", filename: &1, cache_dir: "#{context.cache}", xet: true]|
    assert grown(context, "&HfHub.Download.hf_hub_download(#{file} ++ opts)") < 40
  end
end
