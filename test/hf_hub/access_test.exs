defmodule HfHub.AccessTest do
  # Each reason for which the Hub denies access has an error with advice and a URL.
  use HfHub.Case, async: true

  alias HfHub.{Api, Download, Error, LocalHub, Request}

  setup context do
    user = "user#{System.unique_integer([:positive])}"
    token = LocalHub.command!(hub(), ["user", "add", user])
    {gated, _} = repo(context, %{"a" => "1"}, gated: :manual)
    {private, _} = repo(context, %{"a" => "1"}, private: true)
    {:ok, user: user, token: token, gated: gated, private: private}
  end

  defp get(context, id, token) do
    {:error, %Error{} = error} =
      Download.hf_hub_download(opts(context, repo_id: id, filename: "a", token: token))

    for text <- [Exception.message(error), inspect(error)], is_binary(token), do: refute(text =~ token)
    {error.kind, error.message}
  end

  test "a gated repository: errors without a token, without a request, with a pending and a rejected one",
       context do
    %{gated: id, token: token, user: user, endpoint: endpoint} = context
    page = "#{endpoint}/#{id}"

    assert {:gated_repo, message} = get(context, id, false)

    assert message =~ "accept its terms at #{page}" and
             message =~ "create a token at #{endpoint}/settings/tokens"

    assert {:gated_repo, message} = get(context, id, token)
    assert message =~ "the account of this token has no access; request it at #{page}"

    LocalHub.command!(hub(), ["repo", "request", id, user])
    assert {:gated_pending, message} = get(context, id, token)
    assert message =~ "its authors have not decided yet" and message =~ page

    LocalHub.command!(hub(), ["repo", "reject", id, user])
    assert {:gated_repo, message} = get(context, id, token)
    assert message =~ "its authors have rejected the request; see #{page}"

    LocalHub.command!(hub(), ["repo", "grant", id, user])
    assert {:ok, _path} = Download.hf_hub_download(opts(context, repo_id: id, filename: "a", token: token))
  end

  test "a token whose permissions are too narrow is :forbidden, with the missing permission", context do
    %{gated: id, user: user, endpoint: endpoint} = context
    LocalHub.command!(hub(), ["repo", "grant", id, user])
    narrow = LocalHub.command!(hub(), ["user", "add", user, "--role", "fine-grained"])
    assert {:gated_repo, message} = get(context, id, narrow)
    assert message =~ "this token may not read gated repositories; allow it at #{endpoint}/settings/tokens"

    read = LocalHub.command!(hub(), ["user", "add", user, "--role", "read"])
    request = Request.new(:post, "/api/repos/create", [], endpoint: endpoint, token: read)
    assert {:error, %Error{kind: :forbidden} = error} = request |> Request.json(%{name: "x"}) |> Request.run()
    assert error.message =~ "you must use a write token" and error.message =~ "#{endpoint}/settings/tokens"
  end

  test "a private repository and a missing one have the same error", context do
    %{private: id, token: token, endpoint: endpoint} = context

    for {given, advice} <- [{false, "HfHub.Auth.login()"}, {token, "whether the token has access"}] do
      assert {:repo_not_found, there} = get(context, id, given)
      assert {:repo_not_found, missing} = get(context, id <> "x", given)
      assert String.replace(missing, id <> "x", id) == there
      assert there =~ advice and there =~ "#{endpoint}/#{id}"
    end
  end

  test "a bad token is :unauthorized, a missing one :no_token", context do
    %{private: id, endpoint: endpoint} = context
    assert {:unauthorized, message} = get(context, id, "hf_mistyped")
    assert message =~ "rejected the token from the option :token" and message =~ "#{endpoint}/settings/tokens"

    request = Request.new(:get, "/api/whoami-v2", [], endpoint: endpoint, token: false)
    assert {:error, %Error{kind: :no_token, message: message}} = Request.run(request)
    assert message =~ "needs a token, and none was given" and message =~ "HfHub.Auth.login()"
  end

  test "requests for information and for files have the same errors", context do
    for call <- [&Api.model_info/2, &Api.list_repo_files/2] do
      assert {:error, %Error{kind: :repo_not_found, repo_id: id} = error} =
               call.(context.private, endpoint: context.endpoint, token: false)

      assert id == context.private and error.message =~ "#{context.endpoint}/#{id}"
    end
  end

  describe "a store that rejects a signed URL" do
    @words "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"

    # The fault matches the hash of the file, so it does not affect other repositories.
    defp refuses(content, status, method) do
      more = %{method: method, origin: "cdn"}
      fault(sha256(content), %{kind: "status", code: status, headers: %{}, body: @words}, more)
    end

    defp explained(error, token) do
      assert error.message =~ "rejected the Hub's signed link: Request has expired (AccessDenied)"
      assert error.message =~ "new links were rejected as well: check the clock"
      assert error.message =~ ~r/the content host 127\.0\.0\.1:\d+ rejected/
      assert error.details["code"] == "AccessDenied"
      refute error.message =~ "token" or inspect(error) =~ to_string(token)
    end

    test "of a download: the error quotes the store, with and without a token", context do
      content = large(300_000)
      {id, _commit} = repo(context, %{"a.bin" => content, ".gitattributes" => "*.bin filter=lfs\n"})

      for {status, kind} <- [{401, :forbidden}, {403, :forbidden}, {404, :not_found}, {400, :bad_request}],
          token <- [false, token()] do
        refuses(content, status, "GET")
        ask = opts(context, repo_id: id, filename: "a.bin", token: token, force_download: true)
        assert {:error, %Error{kind: ^kind, status: ^status} = error} = Download.hf_hub_download(ask)
        explained(error, token || "hf_CANARY")
      end
    end

    test "of an upload: the error quotes the store and does not mention permissions", context do
      content = large(300_000)
      id = writable(context)
      refuses(content, 403, "PUT")

      assert {:error, %Error{kind: :forbidden, status: 403} = error} =
               HfHub.Commit.upload_file({:binary, content}, "a.bin", id, write())

      assert error.message =~ "cannot upload \"a.bin\""
      explained(error, token())
    end
  end
end
