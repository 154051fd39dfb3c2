defmodule HfHub.Webhooks.Payload do
  @moduledoc """
  What a webhook receives, version 3: an event of a repository. Python: `WebhookPayload`.

  `:scope` is `"repo"`, `"repo.content"`, `"repo.config"`, `"discussion"`, `"discussion.comment"`, or a narrower one
  that the Hub adds later, such as `"repo.config.dois"`. An event of an unknown scope is an update in the scope before
  its last dot.
  """

  alias HfHub.Brief
  alias HfHub.Webhooks.Payload.{Comment, Discussion, MovedTo, Repo, UpdatedRef}

  use HfHub.Schema,
    action: {["event", "action"], {:enum, [:create, :delete, :move, :update]}, "what has happened to it"},
    scope: {["event", "scope"], :name, "what the event is about"},
    repo: {"repo", Repo, "repository of the event"},
    discussion: {"discussion", Discussion, "discussion or pull request of the event"},
    comment: {"comment", Comment, "comment of the event"},
    moved_to: {"movedTo", MovedTo, "new name of the repository, if it was moved"},
    updated_refs: {"updatedRefs", [UpdatedRef], "refs that were created, moved or deleted", default: []},
    updated_config: {"updatedConfig", :map, "settings that were changed; a map with string keys"},
    webhook_id: {["webhook", "id"], :name, "id of the webhook"},
    version: {["webhook", "version"], :integer, "version of the payload: 3"},
    raw: {[], :map, "whole JSON object, including entries without a field"}

  HfHub.Schema.from_response("""
      iex> payload = %{
      ...>   "event" => %{"action" => "update", "scope" => "repo.content"},
      ...>   "repo" => %{"type" => "model", "name" => "me/m", "id" => "621ffdc036468d709f17434d"},
      ...>   "webhook" => %{"id" => "6390e855e30d9209411de93b", "version" => 3}
      ...> }
      iex> HfHub.Webhooks.Payload.from_response(payload).repo.name
      "me/m"
  """)

  defimpl Inspect do
    def inspect(payload, _opts) do
      Brief.line(payload, [payload.scope, payload.action, payload.repo && payload.repo.name])
    end
  end
end

defmodule HfHub.Webhooks.Payload.Repo do
  @moduledoc """
  The repository of a webhook's event. Python: `WebhookPayloadRepo`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    type: {"type", {:enum, [:model, :dataset, :space, :bucket, :kernel]}, "type of the repository"},
    name: {"name", :name, "id of the repository, such as `\"me/model\"`"},
    id: {"id", :name, "id in the Hub's database"},
    private: {"private", :boolean, "whether the repository is private"},
    head_sha:
      {{:or, ["headSha", "head_sha"]}, :string, "commit of the main branch; not in events of discussions"},
    subdomain: {"subdomain", :string, "subdomain of a Space"},
    tags: {"tags", [:string], "tags of the repository, where the Hub sends them", default: []},
    owner_id: {["owner", "id"], :string, "id of its user or organization in the Hub's database"},
    web_url: {["url", "web"], :string, "address of its page"},
    api_url: {["url", "api"], :string, "address of its information"}

  defimpl Inspect do
    def inspect(repo, _opts), do: Brief.line(repo, [repo.type, repo.name])
  end
end

defmodule HfHub.Webhooks.Payload.Discussion do
  @moduledoc """
  The discussion or pull request of a webhook's event. Python: `WebhookPayloadDiscussion`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    id: {"id", :name, "id in the Hub's database"},
    num: {"num", :integer, "number in the repository"},
    title: {"title", :string, "title"},
    status: {"status", {:enum, [:draft, :open, :closed, :merged]}, "status"},
    is_pull_request: {"isPullRequest", {:is, true}, "whether it is a pull request"},
    base: {["changes", "base"], :string, "branch that a pull request is for"},
    merge_commit_id: {["changes", "mergeCommitId"], :string, "commit of a merged pull request"},
    pinned: {"pinned", :boolean, "whether it is shown first"},
    author_id: {["author", "id"], :string, "id of its author in the Hub's database"},
    web_url: {["url", "web"], :string, "address of its page"},
    api_url: {["url", "api"], :string, "address of its details"}

  defimpl Inspect do
    def inspect(discussion, _opts),
      do: Brief.line(discussion, [discussion.num, discussion.status, discussion.title])
  end
end

defmodule HfHub.Webhooks.Payload.Comment do
  @moduledoc """
  The comment of a webhook's event. Python: `WebhookPayloadComment`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    id: {"id", :name, "id of the comment"},
    content: {"content", :string, "text in Markdown; `nil` if the comment is hidden"},
    hidden: {"hidden", {:is, true}, "whether the comment is hidden"},
    author_id: {["author", "id"], :string, "id of its author in the Hub's database"},
    web_url: {["url", "web"], :string, "address of the comment"}

  defimpl Inspect do
    def inspect(comment, _opts), do: Brief.line(comment, [comment.id])
  end
end

defmodule HfHub.Webhooks.Payload.MovedTo do
  @moduledoc """
  The new name of a moved repository in a webhook's event. Python: `WebhookPayloadMovedTo`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    name: {"name", :name, "new id of the repository"},
    owner_id: {["owner", "id"], :string, "id of its new user or organization in the Hub's database"}

  defimpl Inspect do
    def inspect(moved, _opts), do: Brief.line(moved, [moved.name])
  end
end

defmodule HfHub.Webhooks.Payload.UpdatedRef do
  @moduledoc """
  A ref that was created, moved or deleted, in a webhook's event. Python: `WebhookPayloadUpdatedRef`.
  """

  alias HfHub.Brief

  use HfHub.Schema,
    ref: {"ref", :name, "full name, such as `\"refs/heads/main\"`"},
    old_sha: {"oldSha", :string, "commit before; `nil` for a new ref"},
    new_sha: {"newSha", :string, "commit after; `nil` for a deleted ref"}

  defimpl Inspect do
    def inspect(ref, _opts), do: Brief.line(ref, [ref.ref, ref.old_sha, ref.new_sha])
  end
end
