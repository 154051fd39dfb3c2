defmodule HfHub.Native do
  # The native functions and the one `receive` that waits for them. A job answers
  # `{:hf_hub, ref, event}`: any number of progress events or chunks, then exactly
  # one `{:ok, value}` or `{:error, map}`.
  #
  # Hot upgrades of this module are not supported: a NIF library cannot be swapped
  # under running jobs. It is kept small so that it rarely changes.
  @moduledoc false

  alias HfHub.{Error, Progress}

  @on_load :load
  @compile {:autoload, false}

  @doc false
  def load do
    # Frees the slot of an older version of this module, as a reload leaves it.
    :code.purge(__MODULE__)
    path = :filename.join([:code.priv_dir(:hf_hub), "native", "hf_hub_nif"])
    :erlang.load_nif(String.to_charlist(to_string(path)), 0)
  end

  @doc """
  Starts a job and waits for its end. `start` gets the reference that tags the job's messages.

  The reference is made in the function that receives, so the VM skips older mail.
  """
  @spec run((reference() -> reference()), Progress.reporter()) :: {:ok, term()} | {:error, Error.t()}
  def run(start, reporter \\ nil) do
    ref = make_ref()
    job = start.(ref)

    receive do
      {:hf_hub, ^ref, event} -> handle(event, ref, job, reporter)
    end
  end

  @doc """
  Streams a job's chunks. One is asked for when the reader wants it, and one ahead of that;
  a reader that stops early stops the job.
  """
  @spec stream((reference() -> reference())) :: Enumerable.t()
  def stream(start) do
    Stream.resource(
      fn ->
        ref = make_ref()
        job = start.(ref)
        ask(job, 2)
        {ref, job}
      end,
      &next_chunk/1,
      &stop_stream/1
    )
  end

  defp handle({:progress, fields}, ref, job, reporter) do
    acknowledge(job)
    reporter = Progress.report(reporter, fields)

    receive do
      {:hf_hub, ^ref, event} -> handle(event, ref, job, reporter)
    end
  end

  defp handle({:ok, value}, _ref, _job, reporter) do
    Progress.stop(reporter, :done)
    {:ok, value}
  end

  defp handle({:error, fields}, _ref, _job, reporter) do
    Progress.stop(reporter, :failed)
    {:error, Error.from_native(fields)}
  end

  defp next_chunk(:ended), do: {:halt, :ended}
  defp next_chunk({:failed, error}), do: raise(error)

  defp next_chunk({ref, job}) do
    receive do
      {:hf_hub, ^ref, {:chunk, chunk}} ->
        ask(job, 1)
        {[chunk], {ref, job}}

      {:hf_hub, ^ref, {:ok, :done}} ->
        {:halt, :ended}

      # Raised at the next call: by then the job counts as ended, and there is nothing to stop.
      {:hf_hub, ^ref, {:error, fields}} ->
        {[], {:failed, Error.from_native(fields)}}
    end
  end

  defp stop_stream({ref, job}) do
    cancel(job)
    drain(ref)
  end

  defp stop_stream(_ended), do: :ok

  defp drain(ref) do
    receive do
      {:hf_hub, ^ref, {:chunk, _chunk}} -> drain(ref)
      {:hf_hub, ^ref, _last} -> :ok
    after
      1_000 -> :ok
    end
  end

  def download(_ref, _spec), do: not_loaded()
  def snapshot(_ref, _spec), do: not_loaded()
  def open_stream(_ref, _spec), do: not_loaded()
  def look_up(_ref, _spec), do: not_loaded()
  def hash_file(_ref, _spec), do: not_loaded()
  def extract(_ref, _spec), do: not_loaded()
  def panic(_ref, _place), do: not_loaded()
  def ask(_job, _chunks), do: not_loaded()
  def acknowledge(_job), do: not_loaded()
  def cancel(_job), do: not_loaded()
  def archive_format(_path), do: not_loaded()
  def check_names(_spec), do: not_loaded()
  def check_endpoint(_endpoint), do: not_loaded()
  def error_kinds, do: not_loaded()
  def activities, do: not_loaded()
  def version, do: not_loaded()

  defp not_loaded, do: :erlang.nif_error(:nif_not_loaded)
end
