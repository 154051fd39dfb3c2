defmodule HfHub.Parity.AccessRequestsTest do
  use HfHub.TwoHubs

  alias HfHub.{AccessRequests, Repo}

  setup context do
    for args <- [
          ["user", "add", "you", "--token", "hf_you", "--fullname", "You There"],
          ["user", "add", "third", "--token", "hf_third"]
        ],
        do: command(context, args)

    :ok
  end

  defp request(context) do
    command(context, ["repo", "request", "acme/r", "you"])
    command(context, ["repo", "request", "acme/d", "you", "--type", "dataset"])
  end

  test "calls about access requests send the same requests and return the same", %{ours: ours} = context do
    theirs(context, """
    api.create_repo("acme/r")
    api.create_repo("acme/d", repo_type="dataset")
    api.update_repo_settings("acme/r", gated="manual")
    api.update_repo_settings("acme/d", gated="manual", repo_type="dataset")
    """)

    Repo.create!("acme/r", ours)
    Repo.create!("acme/d", [repo_type: :dataset] ++ ours)
    Repo.update_settings!("acme/r", [gated: :manual] ++ ours)
    Repo.update_settings!("acme/d", [gated: :manual, repo_type: :dataset] ++ ours)
    request(context)

    theirs =
      theirs(context, """
      def show(requests):
          for r in requests:
              print(r.username, r.fullname, r.email, r.status, r.fields)
      show(api.list_pending_access_requests("acme/r"))
      api.accept_access_request("acme/r", "you")
      show(api.list_accepted_access_requests("acme/r"))
      api.reject_access_request("acme/r", "you", rejection_reason="no")
      show(api.list_rejected_access_requests("acme/r"))
      api.cancel_access_request("acme/r", "you")
      request = next(api.list_pending_access_requests("acme/d", repo_type="dataset"))
      api.accept_access_request("acme/d", request_id=request.request_id, repo_type="dataset")
      api.grant_access("acme/r", "third")
      show(api.list_accepted_access_requests("acme/r"))
      for call, args in [
          (api.grant_access, ("acme/r", "third")), (api.grant_access, ("acme/r", "nobody")),
          (api.cancel_access_request, ("acme/r", "you")), (api.accept_access_request, ("acme/r", "me")),
      ]:
          try:
              call(*args)
          except Exception as e:
              print(e.response.status_code)
      """)

    shown = [
      show(AccessRequests.list_pending!("acme/r", ours)),
      AccessRequests.accept!("acme/r", "you", ours) && show(AccessRequests.list_accepted!("acme/r", ours)),
      AccessRequests.reject!("acme/r", "you", [reason: "no"] ++ ours) &&
        show(AccessRequests.list_rejected!("acme/r", ours)),
      AccessRequests.cancel!("acme/r", "you", ours) && [],
      dataset([repo_type: :dataset] ++ ours),
      AccessRequests.grant!("acme/r", "third", ours) && show(AccessRequests.list_accepted!("acme/r", ours)),
      for result <- [
            AccessRequests.grant("acme/r", "third", ours),
            AccessRequests.grant("acme/r", "nobody", ours),
            AccessRequests.cancel("acme/r", "you", ours),
            AccessRequests.accept("acme/r", "me", ours)
          ] do
        {:error, error} = result
        to_string(error.status)
      end
    ]

    assert String.split(theirs, "\n") == Enum.concat(shown)
    assert_same(context)
  end

  defp dataset(ours) do
    [request] = AccessRequests.stream_pending("acme/d", ours) |> Enum.take(1)
    AccessRequests.accept!("acme/d", {:request_id, request.request_id}, ours)
    []
  end

  defp show(requests) do
    for r <- requests,
        do: Enum.map_join([r.user, r.fullname, r.email, r.status, fields(r)], " ", &to_string(&1 || "None"))
  end

  # Without a form, there are no fields.
  defp fields(%{raw: raw}), do: raw["fields"] && "{}"
end
