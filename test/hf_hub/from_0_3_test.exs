defmodule HfHub.From03Test do
  # Code written for hf_hub 0.3: the structs and shapes that it documents.
  use HfHub.Case, async: true

  alias HfHub.Commit.Operation

  # The structs of 0.3 with their fields, except `Operation.Add`, whose content is tagged here.
  @structs %{
    HfHub.Commit.CommitInfo =>
      ~w(commit_url commit_message commit_description oid pr_url pr_num pr_revision repo_url)a,
    HfHub.Commit.Operation.Copy => ~w(src_path dst_path src_revision)a,
    HfHub.Commit.Operation.Delete => ~w(path_in_repo is_folder)a,
    HfHub.Git.BranchInfo => ~w(name ref target_commit)a,
    HfHub.Git.CommitInfo => ~w(id title message authors date)a,
    HfHub.Git.GitRefs => ~w(branches tags converts pull_requests)a,
    HfHub.Git.TagInfo => ~w(name ref target_commit message)a,
    HfHub.Repo.RepoUrl => ~w(url repo_id repo_type)a,
    HfHub.Spaces.SpaceRuntime =>
      ~w(stage hardware requested_hardware sleep_time sdk sdk_version storage raw_logs)a,
    HfHub.Users.Organization =>
      ~w(name fullname avatar_url details num_members num_models num_datasets num_spaces)a,
    HfHub.Users.User =>
      ~w(username fullname avatar_url details is_following num_followers num_following num_models num_datasets
         num_spaces num_likes)a
  }

  test "structs have the names and fields of 0.3" do
    for {module, fields} <- @structs do
      assert Code.ensure_loaded?(module), inspect(module)
      assert fields -- Map.keys(module.__struct__()) == [], inspect(module)
    end
  end

  test "a copy has the path to copy to" do
    assert %Operation.Copy{src_path: "a", dst_path: "b", src_revision: nil} = Operation.copy("a", "b")
  end
end
