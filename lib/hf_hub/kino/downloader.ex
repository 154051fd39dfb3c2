defmodule HfHub.Kino.Downloader do
  # The form of a download: a plan, a confirmation, a bar, and a button that stops it. Each transfer belongs to the process
  # that listens to its button: Kino ends that one with the cell, and the button ends it before.
  @moduledoc false

  alias HfHub.{Brief, Download}
  alias HfHub.Kino.{Cell, View}

  @doc "Returns the form."
  def form(opts) do
    types = [model: "Model", dataset: "Dataset", space: "Space"]

    fields = [
      repo: Cell.input("Repository", opts[:repo_id]),
      type: Cell.select("Type", types, opts[:repo_type]),
      revision: Cell.input("Revision", opts[:revision]),
      patterns: Cell.input("Files, such as *.json, *.safetensors (all if empty)", opts[:allow_patterns])
    ]

    form = Cell.form(fields, "Show the plan")
    frame = Cell.frame()
    fixed = Keyword.drop(opts, [:repo_id, :repo_type, :revision, :allow_patterns])
    Cell.listen(form, fn %{data: data} -> plan(frame, wanted(data) ++ HfHub.Options.given(fixed)) end)
    Cell.grid([form, frame])
  end

  defp wanted(data) do
    patterns =
      for pattern <- String.split(data.patterns, ","), (pattern = String.trim(pattern)) != "", do: pattern

    revision = String.trim(data.revision)

    [repo_id: String.trim(data.repo), repo_type: data.type, allow_patterns: patterns] ++
      if(revision == "", do: [], else: [revision: revision])
  end

  defp plan(frame, opts) do
    case Download.snapshot_download([dry_run: true] ++ opts) do
      {:ok, files} -> confirm(frame, files, opts)
      {:error, error} -> Cell.render(frame, Cell.text(Exception.message(error)))
    end
  end

  defp confirm(frame, files, opts) do
    missing = Enum.filter(files, & &1.will_download?)
    size = missing |> Enum.map(&(&1.file_size || 0)) |> Enum.sum()
    button = Cell.button("Download #{length(missing)} files, #{Brief.size(size)}")
    bar = Cell.frame()
    stop = Cell.button("Stop")
    {:ok, running} = Agent.start_link(fn -> nil end)

    Cell.listen(button, fn _event ->
      owner = self()
      Agent.update(running, fn _none -> owner end)
      Cell.render(bar, run(bar, opts))
      Agent.update(running, fn _self -> nil end)
    end)

    Cell.listen(stop, fn _event -> stop(Agent.get_and_update(running, &{&1, nil}), bar) end)
    Cell.render(frame, Cell.grid([Cell.table("#{length(files)} files", View.rows(files)), button, stop, bar]))
  end

  defp run(bar, opts) do
    label = opts[:repo_id]

    case Download.snapshot_download([progress: &Cell.render(bar, Cell.bar(&1, label))] ++ opts) do
      {:ok, folder} -> Cell.text("downloaded to #{folder}")
      {:error, error} -> Cell.text(Exception.message(error))
    end
  end

  # The transfer ends with its process.
  defp stop(nil, _bar), do: :ok

  defp stop(process, bar) do
    Process.exit(process, :kill)
    # Returns once the signal has arrived, so that no bar is rendered after the text.
    _ended = Process.alive?(process)
    Cell.render(bar, Cell.text("stopped; what was received is kept, and the next download continues"))
  end
end
