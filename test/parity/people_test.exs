defmodule HfHub.Parity.PeopleTest do
  use HfHub.TwoHubs

  alias HfHub.{Organizations, Users}

  setup context do
    for args <- [
          ["user", "add", "you", "--org", "acme:read", "--token", "hf_you", "--fullname", "You There"],
          ["user", "follow", "you", "me"],
          ["user", "follow", "me", "you"],
          ["user", "follow", "you", "acme"],
          ["org", "set", "acme", "--fullname", "Acme Corp", "--details", "We make it"]
        ],
        do: command(context, args)

    :ok
  end

  test "calls about users and organizations send the same requests and return the same",
       %{ours: ours} = context do
    theirs =
      theirs(context, """
      def show(u):
          print(u.username, u.fullname, u.is_following, u.is_pro, u.num_models, u.num_followers, u.num_following)
      show(api.get_user_overview("you"))
      print([o.fullname for o in api.get_user_overview("me").orgs])
      for u in [*api.list_user_followers("me"), *api.list_user_following("me")]:
          show(u)
      for u in [*api.list_organization_followers("acme"), *api.list_organization_members("acme")]:
          show(u)
      o = api.get_organization_overview("acme")
      print(o.name, o.fullname, o.details, o.is_verified, o.is_following, o.num_users, o.num_models, o.num_followers, o.plan)
      """)

    shown = fn user ->
      fields = [:username, :fullname, :is_following, :is_pro, :num_models, :num_followers, :num_following]
      line(user, fields)
    end

    you = shown.(Users.get!("you", ours))
    orgs = for org <- Users.get!("me", ours).orgs, do: "'#{org.fullname}'"
    people = Users.list_followers!("me", ours) ++ Users.list_following!("me", ours)
    acme = Organizations.list_followers!("acme", ours) ++ Organizations.list_members!("acme", ours)
    organization = Organizations.get!("acme", ours)

    fields = [
      :name,
      :fullname,
      :details,
      :is_verified,
      :is_following,
      :num_users,
      :num_models,
      :num_followers,
      :plan
    ]

    expected =
      [you, "[#{Enum.join(orgs, ", ")}]"] ++ Enum.map(people ++ acme, shown) ++ [line(organization, fields)]

    assert String.split(theirs, "\n") == expected
    assert_same(context)
  end

  defp line(struct, fields), do: Enum.map_join(fields, " ", &python(Map.fetch!(struct, &1)))

  defp python(nil), do: "None"
  defp python(boolean) when is_boolean(boolean), do: boolean |> to_string() |> String.capitalize()
  defp python(other), do: to_string(other)
end
