defmodule HfHub.Discussions.Address do
  # How a discussion is named: its number, its revision, its page, its comments. And what may be written in one, which is
  # checked before a request.
  @moduledoc false

  alias HfHub.{Constants, Decode, Error, Options, RepoRef}

  @titles 3..200
  @texts 1..65_536

  @doc """
  Returns the number of a discussion of a repository, given as one or as `:pr_url` or `:pr_revision` of
  `HfHub.Commit.CommitInfo`. The URL of another repository's discussion, or of another Hub's, is an error.
  """
  @spec number(term(), HfHub.repo(), keyword()) :: {:ok, pos_integer()} | {:error, Error.t()}
  def number(num, _repo_id, _opts) when is_integer(num) and num > 0, do: {:ok, num}

  def number(text, repo_id, opts) when is_binary(text) do
    case Regex.run(~r"\A(?:refs/pr/|(https?://.*)/discussions/)([1-9][0-9]{0,17})\z"s, text) do
      [_all, "", num] -> {:ok, String.to_integer(num)}
      [_all, page, num] -> with :ok <- same(page, text, repo_id, opts), do: {:ok, String.to_integer(num)}
      nil -> no_number(text)
    end
  end

  def number(other, _repo_id, _opts), do: no_number(other)

  # With a revision, the page of a repository without a namespace is one, too.
  defp same(page, url, repo_id, opts) do
    case {RepoRef.resolve(page <> "/tree/main", endpoint: opts[:endpoint]), RepoRef.resolve(repo_id, opts)} do
      {{:ok, there}, {:ok, here}} ->
        if name(there) == name(here), do: :ok, else: other(url, there, here)

      {{:error, _error}, _here} ->
        invalid("#{Options.shown(url)} is not the URL of a discussion of the endpoint or of the public Hub")

      # The request returns the error of the repository.
      {_there, _error} ->
        :ok
    end
  end

  # Names of repositories are case-insensitive.
  defp name(ref), do: {ref.repo_type, String.downcase(ref.repo_id)}

  defp other(url, there, here) do
    type = if there.repo_type == here.repo_type, do: "", else: "#{here.repo_type} "

    invalid(
      "#{Options.shown(url)} is the URL of a discussion of #{there.repo_type} #{there.repo_id}, not of #{type}#{here.repo_id}"
    )
  end

  defp no_number(value) do
    expected = "a positive integer, or the pr_url or pr_revision of a commit"
    invalid("invalid number of a discussion #{Options.shown(value)}: expected #{expected}")
  end

  defp invalid(message), do: {:error, Error.new(:invalid_name, message)}

  @doc "Returns the id of a comment in lower case."
  @spec comment_id(term()) :: {:ok, String.t()} | {:error, Error.t()}
  def comment_id(id) do
    if is_binary(id) and id =~ ~r/\A[0-9a-fA-F]{24}\z/ do
      {:ok, String.downcase(id)}
    else
      invalid("invalid id of a comment #{Options.shown(id)}: expected 24 hex digits")
    end
  end

  @doc "Returns a title, as it is sent."
  @spec title(term()) :: {:ok, String.t()} | {:error, Error.t()}
  def title(title), do: text("title", title, @titles)

  @doc "Returns the text of a comment, as it is sent."
  @spec comment(term()) :: {:ok, String.t()} | {:error, Error.t()}
  def comment(text), do: text("comment", text, @texts)

  @doc "Same as `comment/1`, without spaces around it; an empty text, or none, is `nil`."
  @spec optional_comment(term()) :: {:ok, String.t() | nil} | {:error, Error.t()}
  def optional_comment(text) do
    case trimmed(text) do
      "" -> {:ok, nil}
      nil when text == nil -> {:ok, nil}
      trimmed -> comment(trimmed)
    end
  end

  defp text(what, text, first..last//_) do
    length = if trimmed = trimmed(text), do: String.length(trimmed)

    if length && length in first..last do
      {:ok, text}
    else
      got = if length, do: "got #{length}", else: "got something else"
      message = "invalid #{what}: expected a text of #{first} to #{last} characters, #{got}"
      {:error, Error.new(:bad_request, message)}
    end
  end

  defp trimmed(text), do: if(is_binary(text) and String.valid?(text), do: String.trim(text))

  @doc "Returns a status that can be set. Raises `ArgumentError` for any other."
  @spec status!(term()) :: :open | :closed
  def status!(status) when status in [:open, :closed], do: status
  def status!("open"), do: :open
  def status!("closed"), do: :closed

  def status!(other) do
    raise ArgumentError, "invalid status #{Options.shown(other)}: expected :open or :closed"
  end

  @doc "Returns the revision of a pull request; `nil` for a discussion."
  @spec git_reference(map()) :: String.t() | nil
  def git_reference(json) do
    num = Decode.get(json, "num")
    if Decode.get(json, "isPullRequest") == true and is_integer(num), do: "refs/pr/#{num}"
  end

  @doc "Sets the URL of the page of a discussion."
  @spec put_url(struct, String.t()) :: struct when struct: struct()
  def put_url(%{repo_id: id, num: num} = found, endpoint) when is_binary(id) and is_integer(num),
    do: %{
      found
      | url: "#{String.trim_trailing(endpoint, "/")}/#{prefix(found.repo_type)}#{id}/discussions/#{num}"
    }

  def put_url(found, _endpoint), do: found

  defp prefix(type) when type in [:dataset, :space], do: Constants.repo_type_url_prefix(type)
  defp prefix(_model), do: ""
end
