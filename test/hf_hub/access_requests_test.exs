defmodule HfHub.AccessRequestsTest do
  use HfHub.Case, async: true

  alias HfHub.{AccessRequests, Download, Error, LocalHub, Repo}
  alias HfHub.AccessRequests.AccessRequest

  setup context do
    fan = "fan#{System.unique_integer([:positive])}"
    token = LocalHub.command!(hub(), ["user", "add", fan, "--fullname", "A Fan"])
    {:ok, fan: fan, as_fan: write(token: token), id: writable(context, %{"a" => "1"}, gated: :manual)}
  end

  defp downloads?(context, id \\ nil) do
    opts =
      opts(context,
        repo_id: id || context.id,
        filename: "a",
        token: context.as_fan[:token],
        force_download: true
      )

    case Download.hf_hub_download(opts) do
      {:ok, _path} -> true
      {:error, %Error{kind: kind}} when kind in [:gated_repo, :gated_pending] -> false
    end
  end

  defp users(requests), do: for(%AccessRequest{user: user} <- requests, do: user)

  test "accepted means readable, in every order of decisions", %{id: id, fan: fan} = context do
    refute downloads?(context)
    assert AccessRequests.request(id, context.as_fan) == :ok
    assert AccessRequests.request!(id, context.as_fan) == :ok
    refute downloads?(context)

    for {decide, list, readable} <- [
          {&AccessRequests.accept/3, &AccessRequests.list_accepted/2, true},
          {&AccessRequests.cancel/3, &AccessRequests.list_pending/2, false},
          {&AccessRequests.reject/3, &AccessRequests.list_rejected/2, false},
          {&AccessRequests.accept!/3, &AccessRequests.list_accepted/2, true},
          {&AccessRequests.reject!/3, &AccessRequests.list_rejected/2, false},
          {&AccessRequests.cancel!/3, &AccessRequests.list_pending/2, false}
        ] do
      assert decide.(id, fan, write()) == :ok
      assert {:ok, [%AccessRequest{user: ^fan}]} = list.(id, write())
      assert downloads?(context) == readable
    end
  end

  test "lists have what the user has shared", %{id: id, fan: fan} = context do
    AccessRequests.request!(id, context.as_fan)
    assert {:ok, [request]} = AccessRequests.list_pending(id, write())
    email = "#{fan}@localhost"
    assert %{user: ^fan, fullname: "A Fan", email: ^email, status: :pending, fields: fields} = request
    assert fields == %{}
    assert %DateTime{} = request.timestamp
    assert request.request_id =~ ~r/\A[0-9a-f]{24}\z/
    assert inspect(request) == "#HfHub.AccessRequests.AccessRequest<#{fan}, pending>"
    assert AccessRequest.from_response(request.raw, :pending) == request

    # By the request, and by its id.
    assert AccessRequests.reject(id, request, write(reason: "not now")) == :ok
    assert [%{status: :rejected, rejection_reason: "not now"}] = AccessRequests.list_rejected!(id, write())
    assert AccessRequests.accept(id, {:request_id, request.request_id}, write()) == :ok

    assert [%{status: :accepted, rejection_reason: nil, granted_by: nil}] =
             AccessRequests.list_accepted!(id, write())

    assert {:error, %Error{kind: :gated_repo}} = AccessRequests.request(id, reject_again(context))
  end

  defp reject_again(context) do
    AccessRequests.reject!(context.id, context.fan, write())
    context.as_fan
  end

  test "lists are lazy, and limited by number and time", %{id: id} do
    names = for number <- 1..3, do: "asks#{number}"
    for name <- names, do: LocalHub.command!(hub(), ["repo", "request", id, name])
    newest = Enum.reverse(names)
    assert AccessRequests.list_pending!(id, write(limit: 2)) |> users() == Enum.take(newest, 2)
    assert AccessRequests.stream_pending(id, write()) |> users() == newest
    assert AccessRequests.stream_accepted(id, write()) |> users() == []
    assert AccessRequests.stream_rejected(id, write()) |> users() == []
    [first | _] = AccessRequests.list_pending!(id, write())
    day = 24 * 3600

    assert AccessRequests.list_pending!(id, write(before: DateTime.add(first.timestamp, day))) |> users() ==
             newest

    assert AccessRequests.list_pending!(id, write(after: DateTime.add(first.timestamp, day))) == []

    assert AccessRequests.stream_pending(id, write(before: DateTime.add(first.timestamp, -day)))
           |> Enum.to_list() == []
  end

  test "access is granted without a request", %{id: id, fan: fan} = context do
    assert AccessRequests.grant(id, fan, write()) == :ok
    assert downloads?(context)

    assert [%{user: ^fan, email: nil, granted_by: %{username: "reader"}}] =
             AccessRequests.list_accepted!(id, write())

    assert {:error, %Error{kind: :bad_request} = error} = AccessRequests.grant(id, fan, write())
    named = %AccessRequests.AccessRequest{user: fan}
    assert {:error, %Error{kind: :bad_request}} = AccessRequests.grant(id, named, write())
    assert error.message =~ "already has access"
    assert_raise Error, fn -> AccessRequests.grant!(id, "nobody", write()) end
    assert AccessRequests.cancel(id, fan, write()) == :ok
    refute downloads?(context)
  end

  test "an automatic gate accepts at once, with the values of its form", context do
    card = "---\nextra_gated_fields:\n  Company: text\n  I agree: checkbox\n---\n"
    id = writable(context, %{"a" => "1", "README.md" => card}, gated: :auto, repo_type: :dataset)
    as_fan = [repo_type: :dataset] ++ context.as_fan
    owner = write(repo_type: :dataset)

    for {fields, message} <- [
          {%{}, "\"Company\" is required"},
          {%{"I agree" => false, Company: "C"}, "\"I agree\" must be checked"},
          {%{"I agree" => true, Company: "C", Age: "9"}, "its fields: \"Company\", \"I agree\""}
        ] do
      assert {:error, %Error{kind: :bad_request} = error} =
               AccessRequests.request(id, [fields: fields] ++ as_fan)

      assert error.message =~ message
    end

    assert {:error, %Error{kind: :gated_repo}} = Repo.check_access(id, as_fan)
    assert AccessRequests.request(id, [fields: %{"I agree" => true, Company: "C & Sons"}] ++ as_fan) == :ok
    assert Repo.check_access(id, as_fan) == :ok

    assert [%{fields: %{"Company" => "C & Sons", "I agree" => true}}] =
             AccessRequests.list_accepted!(id, owner)

    assert AccessRequests.list_pending!(id, owner) == []
  end

  test "a pending request can be withdrawn", %{id: id} = context do
    AccessRequests.request!(id, context.as_fan)
    assert AccessRequests.withdraw(id, context.as_fan) == :ok
    assert AccessRequests.list_pending!(id, write()) == []
    assert {:error, %Error{kind: :not_found}} = AccessRequests.withdraw(id, context.as_fan)
    assert_raise Error, fn -> AccessRequests.withdraw!(id, context.as_fan) end
  end

  test "errors say why", %{id: id, fan: fan, as_fan: as_fan} = context do
    decisions = [
      &AccessRequests.accept/3,
      &AccessRequests.reject/3,
      &AccessRequests.cancel/3,
      &AccessRequests.grant/3
    ]

    lists = [&AccessRequests.list_pending/2, &AccessRequests.list_accepted/2, &AccessRequests.list_rejected/2]
    open = writable(context, %{"a" => "1"})

    for decide <- decisions do
      assert {:error, %Error{kind: :forbidden}} = decide.(id, fan, as_fan)
      assert {:error, %Error{kind: :bad_request} = error} = decide.(open, fan, write())
      assert error.message =~ "not gated"
      assert {:error, %Error{kind: :not_found} = error} = decide.(id, "nobody", write())
      assert error.message =~ "The user nobody does not exist"
      assert {:error, %Error{kind: :repo_not_found}} = decide.("reader/missing", fan, write())
    end

    for list <- lists do
      assert {:error, %Error{kind: :forbidden}} = list.(id, as_fan)
      assert {:error, %Error{kind: :bad_request}} = list.(open, write())
    end

    assert {:error, %Error{kind: :not_found} = error} = AccessRequests.accept(id, fan, write())
    assert error.message =~ "no access request of #{fan}"
    LocalHub.command!(hub(), ["repo", "grant", id, fan])
    assert {:error, %Error{kind: :not_found} = error} = AccessRequests.accept(id, fan, write())
    assert error.message =~ "already in the accepted list"
    assert {:error, %Error{kind: :bad_request}} = AccessRequests.request(open, as_fan)
    assert {:error, %Error{kind: :no_token}} = AccessRequests.request(id, write(token: false))
    assert {:error, %Error{kind: :invalid_name}} = AccessRequests.request("hf://#{id}@main", as_fan)
    assert_raise Error, fn -> Enum.to_list(AccessRequests.stream_pending(id, as_fan)) end
  end

  test "a redirect to another page is no request", %{id: id} = context do
    fault("*/#{id}/ask-access", %{kind: "redirect", code: 303, location: "/login?next=x"}, %{times: 1})
    assert {:error, %Error{kind: :invalid_response} = error} = AccessRequests.request(id, context.as_fan)
    assert error.message =~ "/login"
    assert AccessRequests.list_pending!(id, write()) == []
  end

  test "bad input is an error before a request", %{id: id} do
    before = length(requests(id))
    too_long = String.duplicate("é", 201)

    assert_raise ArgumentError, ~r/201 characters; at most 200/, fn ->
      AccessRequests.reject(id, "u", reason: too_long)
    end

    assert_raise ArgumentError, ~r/a user name, a .* or {:request_id, id}/, fn ->
      AccessRequests.accept(id, nil)
    end

    assert_raise ArgumentError, ~r/:fields to be a map/, fn -> AccessRequests.request(id, fields: [a: 1]) end

    assert_raise ArgumentError, ~r/the field :a to be a text or a boolean/, fn ->
      AccessRequests.request(id, fields: %{a: 1})
    end

    assert_raise ArgumentError, ~r/DateTime/, fn -> AccessRequests.list_pending(id, after: "2020-01-01") end

    assert_raise ArgumentError, ~r/unknown option :reason/, fn ->
      AccessRequests.accept(id, "u", reason: "x")
    end

    for user <- [:ada, nil, {:request_id, "1"}, %AccessRequests.AccessRequest{user: nil}] do
      assert_raise ArgumentError, ~r/expected a user name, or a .*AccessRequest with one/, fn ->
        AccessRequests.grant(id, user)
      end
    end

    assert length(requests(id)) == before
  end
end
