defmodule HfHub.Kino.Downloader do
  # The form of a download: a plan, a confirmation, a bar, and a button that stops it. The transfer runs below a supervisor
  # that is linked to the process which listens to the form: Kino ends that one with the cell. A new plan ends it, too.
  @moduledoc false

  alias HfHub.{Brief, Download, Options}
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

    Cell.listen_with_state(form, fn %{data: data}, transfers ->
      if transfers, do: Supervisor.stop(transfers)
      {:ok, transfers} = Task.Supervisor.start_link()
      plan(frame, transfers, wanted(data) ++ Options.given(fixed))
      transfers
    end)

    Cell.grid([form, frame])
  end

  defp wanted(data) do
    patterns =
      for pattern <- String.split(data.patterns, ","), (pattern = String.trim(pattern)) != "", do: pattern

    revision = String.trim(data.revision)

    [repo_id: String.trim(data.repo), repo_type: data.type, allow_patterns: patterns] ++
      if(revision == "", do: [], else: [revision: revision])
  end

  defp plan(frame, transfers, opts) do
    case Download.snapshot_download([dry_run: true] ++ opts) do
      {:ok, files} -> confirm(frame, transfers, files, opts)
      {:error, error} -> Cell.render(frame, Cell.text(Exception.message(error)))
    end
  end

  defp confirm(frame, transfers, files, opts) do
    missing = Enum.filter(files, & &1.will_download?)
    size = missing |> Enum.map(&(&1.file_size || 0)) |> Enum.sum()
    button = Cell.button("Download #{Brief.count(length(missing), "files")}, #{Brief.size(size)}")
    stop = Cell.button("Stop")
    bar = Cell.frame()

    Cell.listen(button, fn _event -> start(transfers, fn -> Cell.render(bar, run(bar, opts)) end) end)
    Cell.listen(stop, fn _event -> stop(transfers, bar) end)
    table = Cell.table(Brief.count(length(files), "files"), View.rows(files))
    Cell.render(frame, Cell.grid([table, button, stop, bar]))
  end

  # One at a time, however often the button is pressed.
  defp start(transfers, transfer) do
    if Task.Supervisor.children(transfers) == [], do: Task.Supervisor.start_child(transfers, transfer)
  end

  defp run(bar, opts) do
    label = opts[:repo_id]

    case Download.snapshot_download([progress: &Cell.render(bar, Cell.bar(&1, label))] ++ opts) do
      {:ok, folder} -> Cell.text("downloaded to #{folder}")
      {:error, error} -> Cell.text(Exception.message(error))
    end
  end

  # A transfer ends with its process, so that no bar is rendered after the text.
  defp stop(transfers, bar) do
    for transfer <- Task.Supervisor.children(transfers) do
      Task.Supervisor.terminate_child(transfers, transfer)
      Cell.render(bar, Cell.text("stopped; what was received is kept, and the next download continues"))
    end
  end
end
