defmodule HfHub.FaultTest do
  # Every fault of the Local Hub on every kind of file: a call returns the file or an error, never
  # another file, and never hangs. After the fault, a later call returns the file.
  # Some tests make the Hub ask for a pause, which all its callers keep.
  use HfHub.Case, async: true, hub: :own

  alias HfHub.{Download, Error}

  @moduletag timeout: 300_000

  # These affect range requests only, that is, resumed transfers.
  @of_ranges ["ignore_range", "wrong_range", "range_416"]

  @quick [retry_delay: 1, etag_timeout: 300, download_timeout: 300, timeout: 60_000]

  # Faults that a call survives if they occur once.
  @survived [
    %{kind: "drop", after: 1000},
    %{kind: "drop", after: 0},
    %{kind: "stall", after: 1000},
    %{kind: "dribble", bytes: 1, every_ms: 1, after: 1000},
    %{kind: "throttle", bytes_per_second: 500_000},
    %{kind: "short", by: 100},
    %{kind: "long", by: 100},
    %{kind: "chunked"},
    %{kind: "gzip"},
    %{kind: "hang"},
    %{kind: "hang_up"},
    %{kind: "delay", ms: 50},
    %{kind: "status", code: 408},
    %{kind: "status", code: 500},
    %{kind: "status", code: 502},
    %{kind: "status", code: 503},
    %{kind: "status", code: 504},
    %{kind: "rate_limit", seconds: 0},
    %{kind: "expired"},
    %{kind: "ignore_range"},
    %{kind: "wrong_range", shift: 7},
    %{kind: "wrong_range", shift: -7},
    %{kind: "range_416"},
    %{kind: "direct"},
    %{kind: "header", name: "Content-Length", value: nil}
  ]

  # Faults that cannot be detected, or that are permanent errors.
  @final [
    %{kind: "corrupt", at: 100},
    %{kind: "body", text: "<html>log in to the hotel network</html>"},
    %{kind: "status", code: 200, body: "no file"},
    %{kind: "status", code: 204},
    %{kind: "status", code: 304},
    %{kind: "status", code: 401},
    %{kind: "status", code: 403},
    %{kind: "status", code: 404},
    %{kind: "status", code: 418},
    %{kind: "redirect", location: "/nowhere"},
    %{kind: "redirect", location: "http://127.0.0.1:1/"},
    %{kind: "redirect", location: "ftp://127.0.0.1/"},
    %{kind: "etag", value: "\"another\""},
    %{kind: "etag", value: "\"../../evil\""},
    %{kind: "header", name: "X-Repo-Commit", value: nil},
    %{kind: "header", name: "X-Repo-Commit", value: "../../evil"},
    %{kind: "header", name: "X-Linked-Size", value: "7"},
    %{kind: "header", name: "X-Linked-Size", value: "18446744073709551615"},
    %{kind: "header", name: "Content-Encoding", value: "gzip"},
    %{kind: "header", name: "Content-Range", value: "bytes 0-6/7"}
  ]

  test "downloads succeed despite a temporary fault", context do
    each(@survived, &struck(context, &1, true))
  end

  test "downloads return an error while a permanent fault lasts", context do
    each(@final, &struck(context, &1, false))
  end

  # They mostly wait.
  defp each(faults, fun) do
    faults |> Task.async_stream(fun, max_concurrency: 12, timeout: :infinity) |> Stream.run()
  end

  defp struck(context, fault, survived?) do
    contents = %{"small.txt" => Base.encode16(large(2500)), "model.safetensors" => large(300_000)}
    {id, _commit} = repo(context, contents)

    for {filename, place} <- [
          {"small.txt", "*/#{id}/*small.txt"},
          {"model.safetensors", "*/#{id}/*model.safetensors"},
          {"model.safetensors", sha256(contents["model.safetensors"])}
        ],
        {strokes, retries} <- [{1, 5}, {3, 1}] do
      fault(place, fault, %{times: strokes})
      cache = Path.join(context.dir, "cache#{System.unique_integer([:positive])}")
      opts = [repo_id: id, filename: filename, cache_dir: cache, retries: retries]
      case = "#{inspect(fault)} at #{place}, #{strokes} times"
      strike(opts(context, opts ++ @quick), contents[filename], survived? and strokes == 1, case)
    end

    assert fault.kind in @of_ranges or struck?([id, sha256(contents["model.safetensors"])]),
           "#{inspect(fault)} did not strike"
  end

  defp struck?(places) do
    Enum.any?(control(:get, "faults"), &(String.contains?(&1["match"], places) and &1["fired"] > 0))
  end

  defp strike(opts, content, survived?, case) do
    first = Download.hf_hub_download(opts)
    assert right?(first, content), "#{case}: #{inspect(first)}"
    if survived?, do: assert({:ok, _path} = first, case)
    assert visible(opts[:cache_dir]) in [[], [content]], case
    assert Enum.any?(1..6, fn _ -> match?({:ok, _path}, Download.hf_hub_download(opts)) end), case
    assert visible(opts[:cache_dir]) == [content], case
    assert Path.wildcard(opts[:cache_dir] <> "/**/*.incomplete") == [], case
  end

  defp right?({:ok, path}, content), do: File.read!(path) == content
  defp right?({:error, %Error{message: message}}, _content), do: String.length(message) < 2000

  # The files that a reader of the cache can see.
  defp visible(cache) do
    for path <- Path.wildcard(cache <> "/models--*/snapshots/*/**"), File.regular?(path), do: File.read!(path)
  end
end
