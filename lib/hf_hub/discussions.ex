defmodule HfHub.Discussions do
  @moduledoc """
  Discussions and pull requests of a repository, which share their numbers.

      {:ok, discussions} = HfHub.Discussions.list("openai-community/gpt2", status: :open)
      {:ok, details} = HfHub.Discussions.get("openai-community/gpt2", 11)
      for %HfHub.Discussions.Comment{} = comment <- details.events, do: comment.content

  A pull request is opened by a commit, or as a draft that commits are added to:

      {:ok, commit} =
        HfHub.Commit.upload_file({:path, "notes.txt"}, "notes.txt", "me/my-model", create_pr: true)

      {:ok, details} = HfHub.Discussions.get("me/my-model", commit.pr_num)
      :ok = HfHub.Discussions.merge("me/my-model", details.num)

  Wherever a function takes the number of a discussion, it also takes `:pr_url` and `:pr_revision` of
  `HfHub.Commit.CommitInfo`. Writing requires a token that may write. Everyone who can see a repository may open
  discussions and comment on them; titles and statuses are changed by the author, or with write access to the
  repository; merging requires write access.
  """

  alias HfHub.{Error, Options, Request}
  alias HfHub.Discussions.{Address, Call, Comment, Discussion, DiscussionDetails, StatusChange, TitleChange}

  @typedoc "The number of a discussion, or `:pr_url` or `:pr_revision` of a commit."
  @type num :: pos_integer() | String.t()

  @call Options.repo_type() ++ Options.common()

  @stream [
            author: [type: :string, doc: "User that opened the discussions."],
            type: [
              type: {:in, [:all, :discussion, :pull_request]},
              aliases: [:discussion_type],
              doc: "`:discussion`, `:pull_request` or `:all`. Defaults to all."
            ],
            status: [
              type: {:in, [:all, :open, :closed, :draft, :merged]},
              aliases: [:discussion_status],
              spellings: for(status <- [:all, :open, :closed, :draft, :merged], do: {"#{status}", status}),
              doc:
                "`:open` (drafts included), `:closed` (merged ones included), `:draft`, `:merged` or `:all`. Defaults " <>
                  "to all."
            ]
          ] ++ @call

  @list [limit: [type: :pos_integer, doc: "Maximum number of discussions to return. Defaults to all."]] ++
          @stream

  @get [
         diff: [
           type: :boolean,
           default: true,
           doc: "Whether to include the diff of a pull request."
         ]
       ] ++ @call

  @description [
    description: [
      type: :string,
      doc: "First comment, as Markdown. Defaults to a line that names this library."
    ]
  ]

  @create @description ++
            [
              pull_request: [
                type: :boolean,
                default: false,
                doc: "Whether to create a pull request, as a draft."
              ]
            ] ++ @call

  @comment [comment: [type: :string, doc: "Comment to add before the change."]] ++ @call

  @doc """
  Returns the discussions and pull requests of a repository, the newest first.

  ## Options

  #{Options.docs(@list)}

  ## Examples

      {:ok, drafts} = HfHub.Discussions.list("me/my-model", type: :pull_request, status: :draft)
      for draft <- drafts, do: {draft.num, draft.title}
  """
  @doc python: "get_repo_discussions"
  @spec list(HfHub.repo(), keyword()) :: {:ok, [Discussion.t()]} | {:error, Error.t()}
  def list(repo_id, opts \\ []), do: Call.list(repo_id, Options.validate!(opts, @list))

  @doc "Same as `list/2`, but returns the discussions or raises `HfHub.Error`."
  @spec list!(HfHub.repo(), keyword()) :: [Discussion.t()]
  def list!(repo_id, opts \\ []), do: Error.unwrap!(list(repo_id, opts))

  @doc """
  Returns the discussions and pull requests as a lazy stream. Options: those of `list/2` but `:limit`.

  ## Examples

      HfHub.Discussions.stream("openai-community/gpt2") |> Enum.find(&(&1.title =~ "safetensors"))
  """
  @doc python: "get_repo_discussions"
  @spec stream(HfHub.repo(), keyword()) :: Enumerable.t()
  def stream(repo_id, opts \\ []), do: Call.stream(repo_id, Options.validate!(opts, @stream))

  @doc """
  Returns a discussion or pull request with its events, conflicts and diff.

  ## Options

  #{Options.docs(@get)}

  ## Examples

      {:ok, details} = HfHub.Discussions.get("openai-community/gpt2", 11)
      details.conflicting_files
  """
  @doc python: "get_discussion_details"
  @spec get(HfHub.repo(), num(), keyword()) :: {:ok, DiscussionDetails.t()} | {:error, Error.t()}
  def get(repo_id, num, opts \\ []), do: Call.get(repo_id, num, Options.validate!(opts, @get))

  @doc "Same as `get/3`, but returns the details or raises `HfHub.Error`."
  @spec get!(HfHub.repo(), num(), keyword()) :: DiscussionDetails.t()
  def get!(repo_id, num, opts \\ []), do: Error.unwrap!(get(repo_id, num, opts))

  @doc """
  Opens a discussion, and returns its details, which takes a second request.

  A title has 3 to 200 characters.

  ## Options

  #{Options.docs(@create)}

  ## Examples

      {:ok, details} =
        HfHub.Discussions.create("me/my-model", "Which data is it trained on?", description: "…")

      details.url
  """
  @doc python: "create_discussion"
  @spec create(HfHub.repo(), String.t(), keyword()) :: {:ok, DiscussionDetails.t()} | {:error, Error.t()}
  def create(repo_id, title, opts \\ []),
    do: Call.create(repo_id, title, Options.validate!(opts, @create))

  @doc "Same as `create/3`, but returns the details or raises `HfHub.Error`."
  @spec create!(HfHub.repo(), String.t(), keyword()) :: DiscussionDetails.t()
  def create!(repo_id, title, opts \\ []), do: Error.unwrap!(create(repo_id, title, opts))

  @doc """
  Opens a pull request without changes, as a draft, and returns its details.

  Commits are added to its `:git_reference`. `change_status/4` with `:open` makes it ready to be merged. A pull request
  with changes is opened in one call by `HfHub.Commit.create/3` with `create_pr: true`. Options: those of `create/3` but
  `:pull_request`.

  ## Examples

      {:ok, draft} = HfHub.Discussions.create_pull_request("me/my-model", "Add notes")

      HfHub.Commit.upload_file({:path, "notes.txt"}, "notes.txt", "me/my-model",
        revision: draft.git_reference
      )

      HfHub.Discussions.change_status("me/my-model", draft.num, :open)
  """
  @doc python: "create_pull_request"
  @spec create_pull_request(HfHub.repo(), String.t(), keyword()) ::
          {:ok, DiscussionDetails.t()} | {:error, Error.t()}
  def create_pull_request(repo_id, title, opts \\ []) do
    opts = Options.validate!(opts, @description ++ @call)
    Call.create(repo_id, title, [pull_request: true] ++ opts)
  end

  @doc "Same as `create_pull_request/3`, but returns the details or raises `HfHub.Error`."
  @spec create_pull_request!(HfHub.repo(), String.t(), keyword()) :: DiscussionDetails.t()
  def create_pull_request!(repo_id, title, opts \\ []),
    do: Error.unwrap!(create_pull_request(repo_id, title, opts))

  @doc """
  Same as `create_pull_request/3`, by its name in hf_hub 0.3. Options: those of `create_pull_request/3`.

  ## Examples

      {:ok, draft} = HfHub.Discussions.create_pr("me/my-model", "Add notes")
  """
  @spec create_pr(HfHub.repo(), String.t(), keyword()) :: {:ok, DiscussionDetails.t()} | {:error, Error.t()}
  def create_pr(repo_id, title, opts \\ []), do: create_pull_request(repo_id, title, opts)

  @doc "Same as `create_pr/3`, but returns the details or raises `HfHub.Error`."
  @spec create_pr!(HfHub.repo(), String.t(), keyword()) :: DiscussionDetails.t()
  def create_pr!(repo_id, title, opts \\ []), do: create_pull_request!(repo_id, title, opts)

  @doc """
  Adds a comment of 1 to 65,536 characters, as Markdown.

  ## Options

  #{Options.docs(@call)}

  ## Examples

      {:ok, comment} = HfHub.Discussions.comment("me/my-model", 3, "Thank you. **Merged** soon.")
      comment.id
  """
  @doc python: "comment_discussion"
  @spec comment(HfHub.repo(), num(), String.t(), keyword()) :: {:ok, Comment.t()} | {:error, Error.t()}
  def comment(repo_id, num, text, opts \\ []) do
    with {:ok, text} <- Address.comment(text),
         do: post(repo_id, num, "/comment", %{comment: text}, opts) |> Call.event("newMessage", Comment)
  end

  @doc "Same as `comment/4`, but returns the comment or raises `HfHub.Error`."
  @spec comment!(HfHub.repo(), num(), String.t(), keyword()) :: Comment.t()
  def comment!(repo_id, num, text, opts \\ []), do: Error.unwrap!(comment(repo_id, num, text, opts))

  @doc """
  Replaces the text of a comment of one's own. The earlier ones stay in its `:edit_history`. Options: those of `comment/4`.

  ## Examples

      {:ok, comment} = HfHub.Discussions.comment("me/my-model", 3, "Thank you")
      HfHub.Discussions.edit_comment("me/my-model", 3, comment.id, "Thank you all")
  """
  @doc python: "edit_discussion_comment"
  @spec edit_comment(HfHub.repo(), num(), String.t(), String.t(), keyword()) ::
          {:ok, Comment.t()} | {:error, Error.t()}
  def edit_comment(repo_id, num, comment_id, text, opts \\ []) do
    with {:ok, id} <- Address.comment_id(comment_id),
         {:ok, text} <- Address.comment(text),
         do:
           post(repo_id, num, "/comment/#{id}/edit", %{content: text}, opts)
           |> Call.event("updatedComment", Comment)
  end

  @doc "Same as `edit_comment/5`, but returns the comment or raises `HfHub.Error`."
  @spec edit_comment!(HfHub.repo(), num(), String.t(), String.t(), keyword()) :: Comment.t()
  def edit_comment!(repo_id, num, comment_id, text, opts \\ []),
    do: Error.unwrap!(edit_comment(repo_id, num, comment_id, text, opts))

  @doc """
  Hides a comment. This cannot be undone: the Hub does not return its content any more. Options: those of `comment/4`.

  ## Examples

      HfHub.Discussions.hide_comment("me/my-model", 3, "65f0c2b5b7e8f1a2b3c4d5e6")
  """
  @doc python: "hide_discussion_comment"
  @spec hide_comment(HfHub.repo(), num(), String.t(), keyword()) ::
          {:ok, Comment.t()} | {:error, Error.t()}
  def hide_comment(repo_id, num, comment_id, opts \\ []) do
    with {:ok, id} <- Address.comment_id(comment_id),
         do: post(repo_id, num, "/comment/#{id}/hide", nil, opts) |> Call.event("updatedComment", Comment)
  end

  @doc "Same as `hide_comment/4`, but returns the comment or raises `HfHub.Error`."
  @spec hide_comment!(HfHub.repo(), num(), String.t(), keyword()) :: Comment.t()
  def hide_comment!(repo_id, num, comment_id, opts \\ []),
    do: Error.unwrap!(hide_comment(repo_id, num, comment_id, opts))

  @doc """
  Changes the title of a discussion or pull request. A title has 3 to 200 characters. Options: those of `comment/4`.

  ## Examples

      {:ok, change} = HfHub.Discussions.rename("me/my-model", 3, "Add notes about the data")
      change.old_title
  """
  @doc python: "rename_discussion"
  @spec rename(HfHub.repo(), num(), String.t(), keyword()) :: {:ok, TitleChange.t()} | {:error, Error.t()}
  def rename(repo_id, num, title, opts \\ []) do
    with {:ok, title} <- Address.title(title),
         do: post(repo_id, num, "/title", %{title: title}, opts) |> Call.event("newTitle", TitleChange)
  end

  @doc "Same as `rename/4`, but returns the change or raises `HfHub.Error`."
  @spec rename!(HfHub.repo(), num(), String.t(), keyword()) :: TitleChange.t()
  def rename!(repo_id, num, title, opts \\ []), do: Error.unwrap!(rename(repo_id, num, title, opts))

  @doc """
  Opens or closes a discussion or pull request: the status is `:open` or `:closed`.

  A draft becomes ready to be merged by being opened; it cannot become a draft again. A merged pull request keeps its
  status.

  ## Options

  #{Options.docs(@comment)}

  ## Examples

      {:ok, change} =
        HfHub.Discussions.change_status("me/my-model", 3, :closed, comment: "Solved by #4")

      change.status
      #=> :closed
  """
  @doc python: "change_discussion_status"
  @spec change_status(HfHub.repo(), num(), :open | :closed | String.t(), keyword()) ::
          {:ok, StatusChange.t()} | {:error, Error.t()}
  def change_status(repo_id, num, status, opts \\ []) do
    opts = Options.validate!(opts, @comment)
    status = Address.status!(status)

    with {:ok, comment} <- Address.optional_comment(opts[:comment]) do
      Call.post(repo_id, num, "/status", %{status: status, comment: comment}, opts)
      |> Call.event("newStatus", StatusChange)
    end
  end

  @doc "Same as `change_status/4`, but returns the change or raises `HfHub.Error`."
  @spec change_status!(HfHub.repo(), num(), :open | :closed | String.t(), keyword()) :: StatusChange.t()
  def change_status!(repo_id, num, status, opts \\ []),
    do: Error.unwrap!(change_status(repo_id, num, status, opts))

  @doc """
  Closes a discussion or pull request. Options: those of `change_status/4`.

  ## Examples

      HfHub.Discussions.close("me/my-model", 3, comment: "Solved by #4")
  """
  @spec close(HfHub.repo(), num(), keyword()) :: {:ok, StatusChange.t()} | {:error, Error.t()}
  def close(repo_id, num, opts \\ []), do: change_status(repo_id, num, :closed, opts)

  @doc "Same as `close/3`, but returns the change or raises `HfHub.Error`."
  @spec close!(HfHub.repo(), num(), keyword()) :: StatusChange.t()
  def close!(repo_id, num, opts \\ []), do: Error.unwrap!(close(repo_id, num, opts))

  @doc """
  Opens a closed discussion or pull request again. Options: those of `change_status/4`.

  ## Examples

      HfHub.Discussions.reopen("me/my-model", 3)
  """
  @spec reopen(HfHub.repo(), num(), keyword()) :: {:ok, StatusChange.t()} | {:error, Error.t()}
  def reopen(repo_id, num, opts \\ []), do: change_status(repo_id, num, :open, opts)

  @doc "Same as `reopen/3`, but returns the change or raises `HfHub.Error`."
  @spec reopen!(HfHub.repo(), num(), keyword()) :: StatusChange.t()
  def reopen!(repo_id, num, opts \\ []), do: Error.unwrap!(reopen(repo_id, num, opts))

  @doc """
  Merges an open pull request into its target branch.

  If there are conflicts, the error is of kind `:conflict` and names the files; commits to the pull request's
  `:git_reference` resolve them. Options: those of `change_status/4`.

  ## Examples

      :ok = HfHub.Discussions.merge("me/my-model", 3, comment: "Thank you")
      HfHub.Discussions.get!("me/my-model", 3).merge_commit_oid
  """
  @doc python: "merge_pull_request"
  @spec merge(HfHub.repo(), num(), keyword()) :: :ok | {:error, Error.t()}
  def merge(repo_id, num, opts \\ []) do
    opts = Options.validate!(opts, @comment)

    with {:ok, comment} <- Address.optional_comment(opts[:comment]) do
      body = if comment, do: %{comment: comment}
      Call.post(repo_id, num, "/merge", body, opts) |> Request.effect()
    end
  end

  @doc "Same as `merge/3`, but raises `HfHub.Error` on failure."
  @spec merge!(HfHub.repo(), num(), keyword()) :: :ok
  def merge!(repo_id, num, opts \\ []), do: Error.unwrap!(merge(repo_id, num, opts))

  @doc """
  Same as `merge/3`, by its name in hf_hub 0.3. Options: those of `merge/3`.

  ## Examples

      :ok = HfHub.Discussions.merge_pr("me/my-model", 3)
  """
  @spec merge_pr(HfHub.repo(), num(), keyword()) :: :ok | {:error, Error.t()}
  def merge_pr(repo_id, num, opts \\ []), do: merge(repo_id, num, opts)

  @doc "Same as `merge_pr/3`, but raises `HfHub.Error` on failure."
  @spec merge_pr!(HfHub.repo(), num(), keyword()) :: :ok
  def merge_pr!(repo_id, num, opts \\ []), do: merge!(repo_id, num, opts)

  defp post(repo_id, num, what, body, opts),
    do: Call.post(repo_id, num, what, body, Options.validate!(opts, @call))
end
