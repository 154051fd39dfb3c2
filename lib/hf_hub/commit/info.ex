defmodule HfHub.Commit.Info do
  @moduledoc """
  A commit that was made, or the head of the branch where there was nothing to commit.

  ## Fields

    * `:committed?` - whether the call made a commit. If not, `:oid` and `:commit_url` are those of the branch's head,
      and a warning in the log says why
    * `:oid`, `:commit_url` - its id and its page
    * `:commit_message`, `:commit_description` - the message of the call, which the head of the branch does not bear
    * `:pr_url`, `:pr_num`, `:pr_revision` - the pull request that was opened with it, or `nil`;
      more goes into it with `revision: info.pr_revision`
    * `:repo_url` - the page of the repository

  As text it is its page: `"\#{info}"`.
  """

  @type t :: %__MODULE__{
          committed?: boolean(),
          oid: String.t(),
          commit_url: String.t(),
          commit_message: String.t(),
          commit_description: String.t(),
          pr_url: String.t() | nil,
          pr_num: pos_integer() | nil,
          pr_revision: String.t() | nil,
          repo_url: String.t()
        }

  defstruct [
    :committed?,
    :oid,
    :commit_url,
    :commit_message,
    :commit_description,
    :pr_url,
    :pr_num,
    :pr_revision,
    :repo_url
  ]

  @doc false
  @spec from_native(map()) :: t()
  def from_native(fields) do
    {committed?, fields} = Map.pop!(fields, :committed)
    number = pr_number(fields.pr_url)

    struct!(
      __MODULE__,
      Map.merge(fields, %{
        committed?: committed?,
        pr_num: number,
        pr_revision: number && "refs/pr/#{number}",
        repo_url: fields.commit_url |> String.split("/commit/") |> hd()
      })
    )
  end

  defp pr_number(nil), do: nil

  defp pr_number(url) do
    case url |> String.split("/") |> List.last() |> Integer.parse() do
      {number, ""} when number > 0 -> number
      _other -> nil
    end
  end

  defimpl String.Chars do
    def to_string(info), do: info.commit_url
  end
end
