defmodule HfHub.Doctor.Account do
  # The token: where it is from, what it may do, and whether it gives access to a repository.
  @moduledoc false

  import HfHub.Doctor, only: [check: 3, check: 4]

  alias HfHub.{Auth, Brief, Config, Error, Repo}
  alias HfHub.Config.Token
  alias HfHub.Doctor.Hub

  @doc "Returns the results."
  @spec checks(map()) :: [HfHub.Doctor.Check.t()]
  def checks(place), do: [token(place) | access(place)]

  defp token(%{opts: opts} = place) do
    %{value: value, origin: origin} =
      opts |> Keyword.take([:endpoint, :token]) |> HfHub.Options.given() |> explained()

    if value == nil,
      do: check(:token, :ok, "none: public repositories only; HfHub.Auth.login() or HF_TOKEN sets one"),
      else: identified(Auth.whoami(Hub.network(place)), "#{value} of #{Token.place(origin)}")
  end

  defp explained(opts), do: Enum.find(Config.explain(opts).settings, &(&1.name == :token))

  defp identified({:ok, me}, token) do
    message = "#{token}: #{me.name}, #{Brief.token(me.auth)}" <> permissions(me.auth) <> expiry(me.auth)
    expired = me.auth.expires_at
    soon? = match?(%DateTime{}, expired) and DateTime.diff(expired, DateTime.utc_now()) < 86_400

    if soon?,
      do: check(:token, :warning, message, advice: "it expires within a day: create another one"),
      else: check(:token, :ok, message)
  end

  defp identified({:error, %Error{kind: :unauthorized}}, token),
    do:
      check(:token, :error, "#{token}: the Hub rejects it",
        advice: "it is mistyped, expired or revoked: create another one, and set it in the same place"
      )

  defp identified({:error, %Error{status: 404}}, token),
    do: check(:token, :skipped, "#{token}: the server does not show whose it is, as mirrors do")

  defp identified({:error, error}, token),
    do: check(:token, :warning, "#{token}: #{Exception.message(error)}")

  defp permissions(%{role: :fine_grained, global: global, scoped: scoped}) do
    names = Enum.uniq(global ++ Enum.flat_map(scoped, &elem(&1, 1)))
    if names == [], do: " without permissions", else: ", #{names |> Enum.take(8) |> Enum.join(" ")}"
  end

  defp permissions(_other), do: ""

  defp expiry(%{expires_at: %DateTime{} = time}), do: ", until #{time}"
  defp expiry(_never), do: ""

  defp access(%{opts: opts} = place) do
    if opts[:repo_id] do
      case Repo.check_access(opts[:repo_id], Keyword.take(opts, [:repo_type]) ++ Hub.network(place)) do
        :ok -> [check(:access, :ok, "#{inspect(opts[:repo_id])} can be read")]
        {:error, error} -> [check(:access, :error, error.message, advice: advice(error))]
      end
    else
      []
    end
  end

  defp advice(%{kind: :gated_repo}),
    do: "open the page of the repository, accept its terms, and use a token of that account"

  defp advice(%{kind: :gated_pending}), do: "wait until the authors have decided about the request"

  defp advice(%{kind: :repo_not_found}),
    do: "check the id and :repo_type; a private repository needs a token with access to it"

  defp advice(%{kind: :forbidden}), do: "use a token whose permissions include this repository"
  defp advice(_error), do: "the message shows what to do"
end
