defmodule HfHub.Parity.RepoTest do
  use HfHub.TwoHubs

  alias HfHub.{Git, Repo}

  test "repository calls send the same requests", %{ours: ours} = context do
    theirs(context, """
    api.create_repo("acme/r")
    api.create_repo("own", private=True)
    api.create_repo("acme/r", exist_ok=True)
    api.create_repo("acme/d", repo_type="dataset", visibility="private", resource_group_id="66670e5163145ca562cb1988")
    api.create_repo("acme/eu", region="eu", private=False)
    api.create_repo(
        "acme/s", repo_type="space", space_sdk="gradio", space_hardware="t4-small", space_sleep_time=300,
        space_secrets=[{"key": "K", "value": "V"}], space_variables=[{"key": "A", "value": "B", "description": "C"}],
        space_volumes=[Volume(type="dataset", source="acme/d", mount_path="/data", read_only=True)], visibility="protected",
    )
    api.create_repo("acme/awake", repo_type="space", space_sdk="docker", space_sleep_time=-1)
    api.update_repo_settings("acme/r", gated="auto", private=True)
    api.update_repo_settings("acme/d", gated=False, visibility="public", repo_type="dataset")
    api.move_repo("acme/r", "acme/moved")
    api.move_repo("acme/d", "me/d", repo_type="dataset")
    api.duplicate_repo("acme/moved", "acme/copy", private=True)
    api.duplicate_repo("acme/moved", "copy")
    api.duplicate_repo("acme/moved", "copy", exist_ok=True)
    api.duplicate_repo("acme/moved", "copy2", resource_group_id="66670e5163145ca562cb1988")
    api.duplicate_repo("acme/s", "me/s2", repo_type="space", space_hardware="t4-medium", space_secrets=[{"key": "K", "value": "V"}])
    api.auth_check("acme/moved")
    api.auth_check("acme/moved", write=True)
    api.delete_repo("acme/moved")
    api.delete_repo("acme/moved", missing_ok=True)
    api.delete_repo("me/d", repo_type="dataset")
    """)

    group = "66670e5163145ca562cb1988"
    Repo.create!("acme/r", ours)
    Repo.create!("own", [private: true] ++ ours)
    Repo.create!("acme/r", [exist_ok: true] ++ ours)
    Repo.create!("acme/d", [repo_type: :dataset, visibility: :private, resource_group_id: group] ++ ours)
    Repo.create!("acme/eu", [region: :eu, private: false] ++ ours)

    Repo.create!(
      "acme/s",
      [
        repo_type: :space,
        space_sdk: :gradio,
        space_hardware: "t4-small",
        space_sleep_time: 300,
        space_secrets: %{K: "V"},
        space_variables: [%{key: "A", value: "B", description: "C"}],
        space_volumes: [%{type: :dataset, source: "acme/d", mount_path: "/data", read_only: true}],
        visibility: :protected
      ] ++ ours
    )

    Repo.create!("acme/awake", [repo_type: :space, space_sdk: :docker, space_sleep_time: :never] ++ ours)
    Repo.update_settings!("acme/r", [gated: :auto, private: true] ++ ours)
    Repo.update_settings!("acme/d", [gated: false, visibility: :public, repo_type: :dataset] ++ ours)
    Repo.move!("acme/r", "acme/moved", ours)
    Repo.move!("acme/d", "me/d", [repo_type: :dataset] ++ ours)
    Repo.duplicate!("acme/moved", [to: "acme/copy", private: true] ++ ours)
    Repo.duplicate!("acme/moved", [to: "copy"] ++ ours)
    Repo.duplicate!("acme/moved", [to: "copy", exist_ok: true] ++ ours)
    Repo.duplicate!("acme/moved", [to: "copy2", resource_group_id: group] ++ ours)

    space = [repo_type: :space, space_hardware: "t4-medium", space_secrets: %{"K" => "V"}]
    Repo.duplicate!("acme/s", [to: "me/s2"] ++ space ++ ours)
    Repo.check_access!("acme/moved", ours)
    Repo.check_access!("acme/moved", [write: true] ++ ours)
    Repo.delete!("acme/moved", ours)
    Repo.delete!("acme/moved", [missing_ok: true] ++ ours)
    Repo.delete!("me/d", [repo_type: :dataset] ++ ours)
    assert_same(context)
    assert length(asked(context.hubs.ours)) > 20
  end

  test "calls about branches, tags and histories send the same requests", %{ours: ours} = context do
    theirs(context, """
    api.create_repo("acme/r")
    api.create_branch("acme/r", branch="dev/x")
    api.create_branch("acme/r", branch="old", revision="dev/x")
    api.create_branch("acme/r", branch="old", exist_ok=True)
    api.create_tag("acme/r", tag="v1")
    api.create_tag("acme/r", tag="v2", tag_message="m", revision="old")
    api.create_tag("acme/r", tag="v2", exist_ok=True)
    api.super_squash_history("acme/r", branch="old", commit_message="All")
    api.delete_branch("acme/r", branch="dev/x")
    api.delete_tag("acme/r", tag="v1")
    api.list_repo_refs("acme/r", include_pull_requests=True)
    list(api.list_repo_commits("acme/r", revision="v2"))
    """)

    Repo.create!("acme/r", ours)
    Git.create_branch!("acme/r", "dev/x", ours)
    Git.create_branch!("acme/r", "old", [revision: "dev/x"] ++ ours)
    Git.create_branch!("acme/r", "old", [exist_ok: true] ++ ours)
    Git.create_tag!("acme/r", "v1", ours)
    Git.create_tag!("acme/r", "v2", [message: "m", revision: "old"] ++ ours)
    Git.create_tag!("acme/r", "v2", [exist_ok: true] ++ ours)
    Git.super_squash!("acme/r", [branch: "old", message: "All"] ++ ours)
    Git.delete_branch!("acme/r", "dev/x", ours)
    Git.delete_tag!("acme/r", "v1", ours)
    Git.list_refs!("acme/r", [include_pull_requests: true] ++ ours)
    Git.list_commits!("acme/r", [revision: "v2"] ++ ours)
    assert_same(context)
  end
end
