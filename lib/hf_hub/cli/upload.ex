defmodule HfHub.CLI.Upload do
  # Uploads of a file or a folder.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.{Api, Commit, Error, Fnmatch, Git, Repo}
  alias HfHub.CLI.{Call, Command, Flags, Target}
  alias HfHub.CLI.Upload.Every

  @impl true
  def noun, do: [name: "upload", summary: "Uploads a file or a folder to a repository"]

  @impl true
  def commands do
    [
      struct!(Command,
        words: [],
        summary: "Uploads a file or a folder to a repository",
        details:
          "The repository is created if it does not exist, and so is the branch of `--revision`. An upload of a folder " <>
            "that was interrupted continues where it stopped.",
        hf: "upload",
        args: [
          repo_id: [doc: "Id of the repository, such as `me/my-model`, `datasets/me/data` or an `hf://` URI"],
          local_path: [
            required: false,
            complete: :file,
            doc: "File, folder or pattern. Defaults to the file or folder with the name of the repository"
          ],
          path_in_repo: [
            required: false,
            doc: "Path in the repository. Defaults to the file's name, or its root"
          ]
        ],
        flags: flags(),
        examples: [
          "me/my-model . .",
          "me/my-model ./models/model.safetensors",
          "me/my-data ./data train --repo-type dataset",
          ~s(me/my-model ./models . --commit-message "Epoch 34/50" --create-pr)
        ],
        run: &run/1
      )
    ]
  end

  defp flags do
    Flags.repo_type() ++
      [revision: [type: :string, doc: "Branch to commit to. Defaults to `main`"]] ++
      [
        private: [type: :boolean, negatable: true, doc: "Makes the repository private, if it is created"],
        include: [type: {:list, :string}, doc: "Pattern of files to upload"],
        exclude: [type: {:list, :string}, doc: "Pattern of files not to upload"],
        delete: [type: {:list, :string}, doc: "Pattern of files to delete in the same commit"],
        commit_message: [type: :string, doc: "Title of the commit"],
        commit_description: [type: :string, doc: "Body of the commit message"],
        create_pr: [type: :boolean, negatable: true, doc: "Opens a pull request with the commit"],
        every: [
          type: :float,
          doc: "Commits changes again and again, with this pause in minutes, until it is interrupted"
        ]
      ]
  end

  defp run(%{flags: %{every: minutes}}) when minutes <= 0,
    do: {:usage, "--every must be more than 0, got #{minutes}"}

  defp run(%{flags: %{every: _minutes, create_pr: true}}),
    do: {:usage, "--every and --create-pr are mutually exclusive"}

  defp run(%{flags: %{every: _minutes}} = call) do
    with {:ok, target} <- target(call),
         {:ok, source} <- source(call, target),
         {:ok, _repo} <- prepare(call, target),
         do: Every.run(call, target, source)
  end

  defp run(call) do
    with {:ok, target} <- target(call),
         {:ok, source} <- source(call, target),
         {:ok, repo} <- prepare(call, target),
         {:ok, commit} <- upload(source, repo, target, call) do
      warnings(call, source) ++ [{:done, "Uploaded", url: commit.commit_url}]
    end
  end

  defp target(call) do
    in_repo = call.args.path_in_repo

    case Target.of(call) do
      {:ok, %{path: nil} = target} ->
        {:ok, %{target | path: in_repo}}

      {:ok, _target} when in_repo != nil ->
        {:error, "a path in the URI and PATH_IN_REPO are mutually exclusive"}

      found_or_failed ->
        found_or_failed
    end
  end

  # What to upload: `{:file, path, name}`, or `{:folder, path, folder in the repository, patterns}`.
  defp source(%{args: %{local_path: nil}} = call, target) do
    name = target.id |> String.split("/") |> List.last()

    if File.exists?(name),
      do: found(name, target.path, call),
      else: {:error, "#{name} is not a local file or folder; pass LOCAL_PATH"}
  end

  defp source(%{args: %{local_path: path}} = call, target) do
    cond do
      File.exists?(path) ->
        found(path, target.path, call)

      not Fnmatch.pattern?(path) ->
        {:error, "no such file or folder: #{path}"}

      call.flags[:include] ->
        {:error, "--include and a pattern as LOCAL_PATH are mutually exclusive"}

      target.path not in [nil, "."] ->
        {:error, "PATH_IN_REPO and a pattern as LOCAL_PATH are mutually exclusive"}

      true ->
        {:ok, {:folder, ".", ".", [path]}}
    end
  end

  defp found(path, in_repo, call) do
    if File.dir?(path),
      do: {:ok, {:folder, path, in_repo || ".", call.flags[:include] || []}},
      else: {:ok, {:file, path, in_repo || Path.basename(path)}}
  end

  @doc "Creates the repository and the branch of a target, if they do not exist."
  @spec prepare(Call.t(), Target.t()) :: {:ok, String.t()} | {:error, Error.t()}
  def prepare(call, target) do
    sdk = if target.type == :space, do: [space_sdk: :gradio], else: []
    opts = [repo_type: target.type, exist_ok: true] ++ sdk ++ Call.options(call, [:private])

    with {:ok, url} <- Repo.create(target.id, opts),
         :ok <- branch(call, url.repo_id, target),
         do: {:ok, url.repo_id}
  end

  defp branch(%{flags: %{create_pr: true}}, _repo, _target), do: :ok
  defp branch(_call, _repo, %{revision: nil}), do: :ok

  defp branch(call, repo, target) do
    opts = [repo_type: target.type] ++ Call.options(call)

    case Api.repo_info(repo, [revision: target.revision] ++ opts) do
      {:ok, _info} -> :ok
      {:error, %Error{kind: :revision_not_found}} -> create_branch(repo, target.revision, opts)
      failed -> failed
    end
  end

  defp create_branch(repo, name, opts) do
    with {:ok, _branch} <- Git.create_branch(repo, name, [exist_ok: true] ++ opts), do: :ok
  end

  defp upload({:file, path, name}, repo, target, call) do
    Commit.upload_file({:path, path}, String.trim_leading(name, "/"), repo, options(call, target))
  end

  defp upload({:folder, path, folder, patterns}, repo, target, call) do
    where = if folder in [".", "./", "", "/"], do: [], else: [path_in_repo: String.trim(folder, "/")]

    opts =
      where ++
        [allow_patterns: patterns] ++
        Call.options(call, [{:exclude, :ignore_patterns}, {:delete, :delete_patterns}])

    Commit.upload_folder(path, repo, Keyword.merge(opts, options(call, target)))
  end

  defp options(call, target) do
    names = [:commit_message, :commit_description, :create_pr]
    Target.options(target) ++ Call.options(call, names) ++ Call.progress(call, target.id)
  end

  defp warnings(_call, {:folder, _path, _folder, _patterns}), do: []

  defp warnings(call, {:file, _path, _name}) do
    for name <- [:include, :exclude, :delete],
        call.flags[name],
        do: {:warning, "--#{name} has no effect with a single file"}
  end
end
