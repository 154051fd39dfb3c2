defmodule HfHub.Parity.CLIHubTest do
  # `hf` and the command line of this library, side by side: models, datasets, Spaces, discussions, collections, webhooks.
  use HfHub.SideBySide

  alias HfHub.{Commit, Discussions}

  setup context do
    card = "---\nlicense: mit\ntags:\n- tiny\n---\n# Tiny\n\nText.\n"

    files = [
      Commit.Operation.add("README.md", {:binary, card}),
      Commit.Operation.add("data/a.txt", {:binary, "a"}),
      Commit.Operation.add("config.json", {:binary, "{}"})
    ]

    on_both(context, fn at ->
      for type <- [:model, :dataset, :space] do
        sdk = if type == :space, do: [space_sdk: :static], else: []
        HfHub.Repo.create!("me/tiny", [repo_type: type] ++ sdk ++ at)
        Commit.create!("me/tiny", files, [repo_type: type, commit_message: "Add"] ++ at)
      end

      :ok
    end)

    :ok
  end

  test "models, datasets and Spaces", context do
    for noun <- ~w(models datasets spaces) do
      same(context, [noun, "ls", "--author", "me", "--json"])
      same(context, [noun, "ls", "--search", "tiny", "--quiet"])
      same(context, [noun, "ls", "--author", "nobody", "--json"])
      same(context, [noun, "ls", "me/tiny", "--json"])
      same(context, [noun, "ls", "me/tiny", "-R", "--quiet"])
      same(context, [noun, "ls", "me/tiny", "-R", "-h"])
      same(context, [noun, "ls", "me/tiny", "-R", "--tree"])
      same(context, [noun, "ls", "me/tiny", "--search", "x"])
      same(context, [noun, "ls", "-R"])
      same(context, [noun, "ls", "me/none"])
      same(context, [noun, "info", "me/tiny", "--json"])
      same(context, [noun, "info", "me/tiny", "--expand", "likes,sha", "--json"])
      same(context, [noun, "info", "me/none"])
      same(context, [noun, "card", "me/tiny"])
      same(context, [noun, "card", "me/tiny", "--text"])
      same(context, [noun, "card", "me/tiny", "--metadata", "--json"])
      same(context, [noun, "card", "me/tiny", "--metadata", "--text"])
    end
  end

  test "Spaces", context do
    same(context, ~w(spaces variables add me/tiny -e MODE=fast -e) ++ ["TEXT=a b", "--json"])
    same(context, ~w(spaces variables ls me/tiny --json))
    same(context, ~w(spaces variables delete me/tiny MODE --yes --json))
    same(context, ~w(spaces variables ls me/tiny --quiet))
    same(context, ~w(spaces secrets add me/tiny -s KEY=s3cret --json))
    same(context, ~w(spaces secrets ls me/tiny --json))
    same(context, ~w(spaces secrets delete me/tiny KEY --yes --json))
    same(context, ~w(spaces secrets delete me/tiny KEY))
    same(context, ~w(spaces pause me/tiny --json))
    same(context, ~w(spaces restart me/tiny --json))
    same(context, ~w(spaces hardware --json))
    same(context, ~w(spaces volumes set me/tiny -v hf://me/tiny:/models --json))
    same(context, ~w(spaces volumes ls me/tiny --json))
    same(context, ~w(spaces volumes delete me/tiny --yes --json))
    same(context, ~w(spaces logs me/tiny -f -n 3))
  end

  test "discussions", context do
    same(context, ~w(discussions create me/tiny --title Typo --body Text --json))
    same(context, ~w(discussions create me/tiny --title Fix --pr --json))
    same(context, ~w(discussions ls me/tiny --json))
    same(context, ~w(discussions ls me/tiny --kind pull_request --status draft --quiet))
    same(context, ~w(discussions ls me/tiny --status all))
    same(context, ~w(discussions info me/tiny 1 --json))
    same(context, ~w(discussions comment me/tiny 1 --body More --json))
    same(context, ~w(discussions comment me/tiny 1))
    same(context, ~w(discussions rename me/tiny 1 Typos --json))
    same(context, ~w(discussions close me/tiny 1 --yes --json))
    same(context, ~w(discussions close me/tiny 1 --json))
    same(context, ~w(discussions reopen me/tiny 1 --yes --comment Again --json))
    same(context, ~w(discussions diff me/tiny 2))
    same(context, ~w(discussions info me/tiny 99))

    {theirs, ours} =
      on_both(context, &Enum.map(Discussions.list!("me/tiny", &1), fn d -> {d.num, d.title, d.status} end))

    assert ours == theirs
  end

  test "collections", context do
    same(context, ["collections", "create", "My Models", "--description", "Mine", "--json"])
    same(context, ~w(collections ls --owner me --json))
    [[their_slug], [our_slug]] = for side <- [:theirs, :ours], do: slugs(context.hubs[side])
    ours = fn args -> for(arg <- args, do: if(arg == their_slug, do: our_slug, else: arg)) end

    for args <- [
          ["add-item", their_slug, "me/tiny", "model", "--note", "Good", "--json"],
          ["info", their_slug, "--json"],
          ["add-item", their_slug, "me/tiny", "model"],
          ["add-item", their_slug, "me/tiny", "nonsense"],
          ["update", their_slug, "--theme", "green", "--json"],
          ["delete", their_slug, "--json"],
          ["delete", their_slug],
          ["delete", their_slug, "--missing-ok", "--json"]
        ] do
      same(context, ["collections" | args], ours: ["collections" | ours.(args)])
    end
  end

  defp slugs(endpoint),
    do: for(found <- HfHub.Collections.list!(owner: "me", endpoint: endpoint, token: "hf_me"), do: found.slug)

  test "webhooks", context do
    same(
      context,
      ~w(webhooks create --url http://127.0.0.1:9/hook --watch model:me/tiny --domain repo --json)
    )

    same(context, ~w(webhooks create --watch model:me/tiny))
    same(context, ~w(webhooks create --url http://127.0.0.1:9/hook --watch nonsense))
    same(context, ~w(webhooks ls --json))
    same(context, ~w(webhooks ls))
    ids = for side <- [:theirs, :ours], [id] = webhooks(context.hubs[side]), do: id

    for args <- [
          ~w(info ID --json),
          ~w(disable ID --json),
          ~w(enable ID --json),
          ~w(update ID --domain discussion --json),
          ~w(delete ID),
          ~w(delete ID --yes --json)
        ],
        do: same_of(context, ["webhooks" | args], ids)
  end

  defp webhooks(endpoint),
    do: for(found <- HfHub.Webhooks.list!(endpoint: endpoint, token: "hf_me"), do: found.id)
end
