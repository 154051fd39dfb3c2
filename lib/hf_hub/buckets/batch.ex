defmodule HfHub.Buckets.Batch do
  # Sends the operations of a batch as lines of JSON. The Hub applies each operation separately.
  @moduledoc false

  alias HfHub.Buckets.{Call, Operation, Uploads}
  alias HfHub.{Brief, Decode, Error, Options, RepoRef, Request}
  alias HfHub.Native.Nif
  alias HfHub.Progress.Reporter

  # Limit of the Hub for one request.
  @at_once 1000
  @shown 10

  @doc "Returns a list of operations; any other value raises `ArgumentError`."
  @spec operations!(term()) :: [Operation.t()]
  def operations!(operations) do
    if is_list(operations) and Enum.all?(operations, &operation?/1) do
      operations
    else
      raise ArgumentError,
            "expected a list of HfHub.Buckets.Operation structs, got: #{Options.shown(operations)}"
    end
  end

  defp operation?(%Operation.Add{}), do: true
  defp operation?(%Operation.Copy{}), do: true
  defp operation?(%Operation.Delete{}), do: true
  defp operation?(_other), do: false

  @doc "Applies operations to a bucket."
  @spec apply(RepoRef.t(), [Operation.t()], keyword()) :: :ok | {:error, Error.t()}
  def apply(ref, operations, opts) do
    with {:ok, _applied} <- run(ref, operations, opts), do: :ok
  end

  @doc """
  Applies operations to a bucket, those that add files first, because the Hub accepts no other order, and returns them in
  the order in which they were applied. Contents of this machine are uploaded, and are then `{:xet, hash}`.
  """
  @spec run(RepoRef.t(), [Operation.t()], keyword()) :: {:ok, [Operation.t()]} | {:error, Error.t()}
  def run(ref, operations, opts) do
    deadline = Request.deadline(opts[:timeout])
    reporter = Uploads.reporter(ref, operations, opts)
    chunks = chunks(operations)
    totals = if reporter != nil and length(chunks) > 1, do: Uploads.totals(operations), else: %{}

    # Failures of one request do not keep the others from being sent.
    result =
      Enum.reduce_while(chunks, {:ok, [], [], reporter}, fn chunk, {:ok, applied, failures, reporter} ->
        case apply_chunk(ref, chunk, Reporter.part(reporter, totals), opts, deadline) do
          {:ok, chunk, more, reporter} -> {:cont, {:ok, [chunk | applied], failures ++ more, reporter}}
          {:error, error} -> {:halt, {:error, error}}
        end
      end)

    case result do
      {:ok, applied, [], reporter} ->
        Reporter.stop(reporter, :done)
        {:ok, applied |> Enum.reverse() |> Enum.concat()}

      {:ok, _applied, failures, reporter} ->
        Reporter.stop(reporter, :failed)
        {:error, failed(ref, failures, length(operations))}

      error ->
        error
    end
  end

  defp apply_chunk(ref, chunk, reporter, opts, deadline) do
    with {:ok, chunk, reporter} <- Uploads.store(ref, chunk, reporter, Request.until(opts, deadline)) do
      case send_chunk(ref, chunk, Request.until(opts, deadline)) do
        {:ok, failures} ->
          {:ok, chunk, failures, reporter}

        {:error, error} ->
          Reporter.stop(reporter, :failed)
          {:error, error}
      end
    end
  end

  # As in the Python client: a small batch is one request, of a large one each request has one kind of operation.
  defp chunks([]), do: []

  defp chunks(operations) do
    kinds = Enum.group_by(operations, & &1.__struct__)
    of = &Map.get(kinds, &1, [])

    if length(operations) <= @at_once,
      do: [of.(Operation.Add) ++ of.(Operation.Copy) ++ of.(Operation.Delete)],
      else:
        for(
          kind <- [Operation.Copy, Operation.Add, Operation.Delete],
          chunk <- Enum.chunk_every(of.(kind), @at_once),
          do: chunk
        )
  end

  # Returns the operations that failed, which the Hub lists with status 200, or with 422 if none succeeded.
  defp send_chunk(ref, operations, opts) do
    sent =
      Call.request(:post, "/batch", ref, opts)
      |> Request.body(Enum.map(operations, &[Nif.to_json(line(&1)), "\n"]), "application/x-ndjson")
      |> Request.repeatable()
      |> Request.run(&failures/1)

    with {:error, %Error{status: 422, details: details} = error} <- sent do
      case failures(details) do
        [] -> {:error, error}
        failures -> {:ok, failures}
      end
    end
  end

  defp failures(%{"failed" => failures}) when is_list(failures), do: Enum.map(failures, &failure/1)
  defp failures(_other), do: []

  # As the fields of other errors, without anything that looks like a token.
  defp failure(json) do
    for {name, text} <- Map.take(Decode.object(json), ["path", "error"]), into: %{} do
      {name, if(is_binary(text), do: Nif.shown(text, nil), else: text)}
    end
  end

  defp line(%Operation.Add{content: {:xet, hash}} = add) do
    Map.new(
      Options.given(
        type: "addFile",
        path: add.path,
        xetHash: hash,
        mtime: DateTime.to_unix(add.mtime, :millisecond),
        contentType: add.content_type
      )
    )
  end

  defp line(%Operation.Copy{} = copy) do
    %{
      type: "copyFile",
      path: copy.path,
      xetHash: copy.xet_hash,
      mtime: DateTime.to_unix(copy.mtime, :millisecond),
      sourceRepoType: copy.source_type,
      sourceRepoId: copy.source
    }
  end

  defp line(%Operation.Delete{path: path}), do: %{type: "deleteFile", path: path}

  defp failed(ref, failures, sent) do
    named = for failure <- Enum.take(failures, @shown), do: "#{inspect(failure["path"])}: #{failure["error"]}"
    more = if length(failures) > @shown, do: ["#{length(failures) - @shown} more"], else: []

    others = if length(failures) < sent, do: ", the others were applied", else: ""

    message =
      "#{length(failures)} of #{Brief.count(sent, "operations")} on the bucket #{inspect(ref.repo_id)} failed#{others}: " <>
        Enum.join(named ++ more, "; ")

    error = Error.new(:bad_request, message, repo_id: ref.repo_id)
    %{error | details: %{"failed" => failures}}
  end
end
