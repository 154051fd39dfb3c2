defmodule HfHub.CLI.Repo do
  # Repositories: creation, settings, branches, tags, files.
  @moduledoc false

  @behaviour HfHub.CLI.Noun

  alias HfHub.{Commit, Git, Repo}
  alias HfHub.CLI.{Browse, Call, Command, Cp, Flags, Listed, Output, RepoType, Values}
  alias HfHub.CLI.Repo.Listing

  @visibility [
    private: [type: :boolean, negatable: true, doc: "Makes the repository private"],
    public: [type: :boolean, doc: "Makes the repository public"],
    protected: [type: :boolean, doc: "Makes the Space protected: its app is public, its files are private"]
  ]

  @exist_ok [exist_ok: [type: :boolean, negatable: true, doc: "Succeeds if it exists already"]]
  @group [resource_group_id: [type: :string, doc: "Id of the resource group of an Enterprise organization"]]

  @commit [
    revision: [type: :string, doc: "Branch to commit to. Defaults to `main`"],
    commit_message: [type: :string, doc: "Title of the commit"],
    commit_description: [type: :string, doc: "Body of the commit message"],
    create_pr: [type: :boolean, negatable: true, doc: "Opens a pull request with the commit"]
  ]

  @impl true
  def noun, do: [name: "repo", aliases: ["repos"], summary: "Manages repositories"]

  @impl true
  def commands do
    [
      command(["list"], &Listing.run/1,
        summary: "Lists your repositories and buckets with their storage",
        aliases: ["ls"],
        flags: Listing.flags(),
        type: false
      ),
      command(["create"], &create/1,
        summary: "Creates a repository",
        args: Flags.repo_id(),
        flags: create_flags(),
        examples: ["me/my-model --private", "me/my-app --type space --sdk gradio"]
      ),
      command(["delete"], &delete/1,
        summary: "Deletes a repository for good",
        args: Flags.repo_id(),
        flags:
          [missing_ok: [type: :boolean, negatable: true, doc: "Succeeds if it does not exist"]] ++ Flags.yes()
      ),
      command(["move"], &move/1,
        summary: "Renames a repository, or moves it to another namespace",
        args: from_to()
      ),
      command(["duplicate"], &duplicate/1,
        summary: "Copies a repository on the Hub",
        args: [
          from_id: [doc: "Id of the repository"],
          to_id: [required: false, doc: "Id of the copy. Defaults to the same name in your namespace"]
        ],
        flags: @visibility ++ @exist_ok ++ @group ++ space_flags()
      ),
      command(["settings"], &settings/1,
        summary: "Changes the settings of a repository",
        args: Flags.repo_id(),
        flags:
          [gated: [type: {:in, ~w(auto manual false)}, doc: "Whether access must be requested"]] ++
            @visibility
      ),
      command(["files"], &Browse.files(&1, &1.flags[:repo_type] || "model"),
        summary: "Lists the files of a repository",
        args: Flags.repo_id(),
        flags: Listed.flags() ++ Flags.revision(),
        hf: nil
      ),
      command(["delete-files"], &delete_files/1,
        summary: "Deletes files of a repository",
        args:
          Flags.repo_id() ++
            [patterns: [type: {:list, :string}, doc: "Patterns of files; `*` matches `/`, too"]],
        flags: @commit
      ),
      Cp.command(["cp"], "repos cp", :repo),
      command(["branch", "create"], &create_branch/1,
        summary: "Creates a branch",
        args: Flags.repo_id() ++ [branch: [doc: "Name of the branch"]],
        flags: Flags.revision() ++ @exist_ok
      ),
      command(["branch", "delete"], &delete_branch/1,
        summary: "Deletes a branch",
        args: Flags.repo_id() ++ [branch: [doc: "Name of the branch"]]
      ),
      command(["tag", "create"], &create_tag/1,
        summary: "Creates a tag",
        args: Flags.repo_id() ++ [tag: [doc: "Name of the tag"]],
        flags: [message: [type: :string, short: "m", doc: "Message of the tag"]] ++ Flags.revision()
      ),
      command(["tag", "list"], &list_tags/1, summary: "Lists the tags", aliases: ["ls"], args: Flags.repo_id()),
      command(["tag", "delete"], &delete_tag/1,
        summary: "Deletes a tag",
        args: Flags.repo_id() ++ [tag: [doc: "Name of the tag"]],
        flags: Flags.yes()
      )
    ]
  end

  defp command(words, run, fields) do
    {type, fields} = Keyword.pop(fields, :type, true)
    flags = if(type, do: Flags.repo_type(), else: []) ++ Keyword.get(fields, :flags, [])

    fields =
      [words: words, run: run, hf: "repos #{Enum.join(words, " ")}"] ++ Keyword.put(fields, :flags, flags)

    struct!(Command, fields)
  end

  defp from_to, do: [from_id: [doc: "Id of the repository"], to_id: [doc: "New id"]]

  defp create_flags do
    [
      sdk: [
        type: {:in, ~w(gradio streamlit docker static)},
        names: ["sdk", "space-sdk"],
        doc: "SDK of the Space; required for a Space without `--template`"
      ],
      template: [type: :string, doc: "Name or id of the official template to create the Space from"],
      region: [type: {:in, ~w(us eu)}, doc: "Region in which the files are stored"]
    ] ++ @visibility ++ @exist_ok ++ @group ++ space_flags()
  end

  defp space_flags do
    [
      flavor: [type: :string, doc: "Hardware of the Space, such as `t4-medium`"],
      sleep_time: [type: :integer, doc: "Idle seconds after which the Space is put to sleep; -1 is never"]
    ] ++ Values.flags() ++ Values.volume_flag()
  end

  defp create(call) do
    names = [
      :repo_type,
      :exist_ok,
      :resource_group_id,
      :region,
      {:sdk, :space_sdk},
      {:template, :space_template}
    ]

    with {:ok, url} <-
           Repo.create(call.args.repo_id, Call.options(call, names) ++ visibility(call) ++ space(call)),
         do: {:done, "Repo created", repo_id: url.repo_id, url: url.url}
  end

  defp duplicate(call) do
    to = if call.args.to_id, do: [to: call.args.to_id], else: []

    opts =
      Call.options(call, [:repo_type, :exist_ok, :resource_group_id]) ++ visibility(call) ++ space(call) ++ to

    with {:ok, url} <- Repo.duplicate(call.args.from_id, opts) do
      pending =
        {:warning, "large files are still being copied; downloads of #{url.repo_id} may fail until then"}

      done = {:done, "Repo duplicated", from_id: call.args.from_id, to_id: url.repo_id, url: url.url}
      if url.files_copy_pending, do: [pending, done], else: done
    end
  end

  defp visibility(%{flags: flags}) do
    case for(name <- [:private, :public, :protected], flags[name], do: name) do
      [] -> []
      [first | _more] -> [visibility: first]
    end
  end

  defp space(%{flags: flags} = call) do
    lists = [
      space_secrets: Values.variables(flags[:secrets], flags[:secrets_file]),
      space_variables: Values.variables(flags[:env], flags[:env_file]),
      space_volumes: Values.volumes(flags[:volume]) || %{}
    ]

    given = for {name, value} <- lists, value not in [%{}, []], do: {name, value}
    sleep = if flags[:sleep_time] == -1, do: [space_sleep_time: :never], else: []
    given ++ sleep ++ Keyword.take(Call.options(call, names(sleep)), [:space_hardware, :space_sleep_time])
  end

  defp names([]), do: [{:flavor, :space_hardware}, {:sleep_time, :space_sleep_time}]
  defp names(_never), do: [{:flavor, :space_hardware}]

  defp delete(call) do
    id = call.args.repo_id

    with :ok <-
           Output.confirm(call, "You are about to permanently delete #{RepoType.of(call)} '#{id}'. Proceed?"),
         :ok <- Repo.delete(id, Call.options(call, [:repo_type, :missing_ok])),
         do: {:done, "Repo deleted", repo_id: id}
  end

  defp move(call) do
    %{from_id: from, to_id: to} = call.args

    with {:ok, _url} <- Repo.move(from, to, Call.options(call, [:repo_type])),
         do: {:done, "Repo moved", from_id: from, to_id: to}
  end

  defp settings(call) do
    gated =
      case call.flags[:gated],
        do:
          (
            nil -> []
            "false" -> [gated: false]
            text -> [gated: text]
          )

    opts = Call.options(call, [:repo_type]) ++ gated ++ visibility(call)

    with :ok <- Repo.update_settings(call.args.repo_id, opts),
         do: {:done, "Repo settings updated", repo_id: call.args.repo_id}
  end

  defp delete_files(call) do
    names = [:repo_type, :revision, :commit_message, :commit_description, :create_pr]

    with {:ok, commit} <-
           Commit.delete_files(call.args.repo_id, call.args.patterns, Call.options(call, names)),
         do: {:done, "Files deleted", repo_id: call.args.repo_id, commit_url: commit.commit_url}
  end

  defp create_branch(call) do
    %{repo_id: id, branch: name} = call.args

    with {:ok, _branch} <-
           Git.create_branch(id, name, Call.options(call, [:repo_type, :revision, :exist_ok])),
         do: done(call, "Branch created", branch: name)
  end

  defp delete_branch(call) do
    %{repo_id: id, branch: name} = call.args

    with :ok <- Git.delete_branch(id, name, Call.options(call, [:repo_type])),
         do: done(call, "Branch deleted", branch: name)
  end

  defp create_tag(call) do
    %{repo_id: id, tag: name} = call.args

    with {:ok, _tag} <- Git.create_tag(id, name, Call.options(call, [:repo_type, :revision, :message])),
         do: done(call, "Tag created", tag: name)
  end

  defp list_tags(call) do
    with {:ok, refs} <- Git.list_refs(call.args.repo_id, Call.options(call, [:repo_type])) do
      rows =
        for tag <- refs.tags, do: [{"name", tag.name}, {"target_commit", tag.target_commit}, {"ref", tag.ref}]

      {:table, rows, id: "name"}
    end
  end

  defp delete_tag(call) do
    %{repo_id: id, tag: name} = call.args

    with :ok <- Output.confirm(call, "Delete the tag #{name} of #{RepoType.of(call)} '#{id}'?"),
         :ok <- Git.delete_tag(id, name, Call.options(call, [:repo_type])),
         do: done(call, "Tag deleted", tag: name)
  end

  defp done(call, message, facts),
    do: {:done, message, facts ++ [repo_type: RepoType.of(call), repo_id: call.args.repo_id]}
end
