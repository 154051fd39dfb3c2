defmodule HfHub.Error.Hint do
  # What to do about an error: the engine returns hints as data, and this module writes the
  # sentences that name functions and options.
  @moduledoc false

  # The longest message; names and addresses in hints come from users and servers.
  @max_length 4000

  @sign_in "run HfHub.Auth.login(), set HF_TOKEN (in Livebook the secret HF_TOKEN, LB_HF_TOKEN) or pass :token"
  @folder "choose another folder with :cache_dir, HF_HUB_CACHE or HF_HOME, or with :local_dir"

  @sentences %{
    "another_folder" => "; " <> @folder,
    "free_space" => "; free some, or " <> @folder,
    "another_cache" => "; name another with :cache_dir, HF_HUB_CACHE or HF_HOME",
    "adopt" =>
      "; HfHub.Cache.adopt/1 or mix hf_hub.cache adopt moves them into the shared layout without another download",
    "prune" => "; call HfHub.Cache.prune/1",
    "repair" => "; call HfHub.Cache.validate_integrity/1 with repair: true",
    "overwrite" => "; pass overwrite: true to replace files of the same names",
    "copy_instead" => "; pass method: :auto to copy instead",
    "check_name" => "; check the name and :repo_type",
    "namespace" =>
      "; most ids contain the namespace (the user or organization that owns it), as \"namespace/name\"",
    "check_endpoint" => "; check :endpoint and HF_ENDPOINT, and any proxy or mirror in between",
    "pull_request" => "; with create_pr: true the change becomes a pull request, which needs no such right",
    "open_draft" => "; open it first with HfHub.Discussions.change_status(repo_id, num, :open)",
    "reopen" => "; open it again with HfHub.Discussions.reopen(repo_id, num)",
    "another_pull_request" => "; further changes need another pull request",
    "enable_discussions" =>
      "; with write access, HfHub.Repo.update_settings(repo_id, discussions_disabled: false) enables them",
    "list_discussions" =>
      "; HfHub.Discussions.list(repo_id) returns those that exist, and HfHub.Discussions.get(repo_id, num) the comments of one",
    "create_repo" => "; if it does not exist yet, create it first with HfHub.Repo.create/2",
    "create_bucket" => "; if it does not exist yet, create it first with HfHub.Buckets.create/2",
    "check_bucket" => "; check the name",
    "allow_xet" =>
      "; see the option :xet, and set proxies and certificates by the usual environment variables",
    "delete_folder" => "; a folder is deleted with a path that ends in \"/\", or with is_folder: true",
    "explain_config" => "; see HfHub.Config.explain()",
    "ca_file" => ", or in config :hf_hub, ca_file: …",
    "expected_sha256" => "; check :expected_sha256, and whether :revision is the commit it belongs to",
    "local_files_only" => ", and only cached files are used (:local_files_only, or :offline of a repository)",
    "shorten_list" => "; restrict it by :limit or filters",
    "exclude_file" => "; rename the file or exclude it with :ignore_patterns",
    "max_entries" => " (:max_entries)",
    "max_size" => "; if the archive is trusted, raise :max_size (bytes)",
    "http_origins" => " (option :allow_http_token)"
  }

  @doc "Returns what to do without a token."
  @spec sign_in() :: String.t()
  def sign_in, do: @sign_in

  @doc "Returns a message with the sentences of its hints."
  @spec append(String.t(), [map()] | nil) :: String.t()
  def append(message, hints) when hints in [nil, []], do: message

  def append(message, hints) do
    message = message <> Enum.map_join(hints, &sentence/1)
    if String.length(message) > @max_length, do: String.slice(message, 0, @max_length) <> "…", else: message
  end

  @doc "Returns the sentence of a hint, with the punctuation that connects it to the message."
  @spec sentence(map()) :: String.t()
  def sentence(%{"hint" => "create_token", "tokens" => tokens}),
    do: "; create one at #{tokens}, then #{@sign_in}"

  def sentence(%{"hint" => "use_cache_below", "path" => path}),
    do:
      "; if these are the files in question, set HF_HUB_CACHE or config :hf_hub, cache_dir: #{inspect(path)}"

  def sentence(%{"hint" => "accept_terms", "page" => page, "tokens" => tokens}),
    do: "; accept its terms at #{page}, create a token at #{tokens}, then #{@sign_in}"

  def sentence(%{"hint" => "check_access", "page" => page, "tokens" => tokens}),
    do: ", and whether the token has access: open #{page} signed in, and see the permissions at #{tokens}"

  def sentence(%{"hint" => "sign_in", "page" => page}),
    do: "; if you can open #{page}, it is private: #{@sign_in}"

  def sentence(%{"hint" => "write_permission", "repo" => repo}) do
    "; writing to \"#{repo}\" needs a token with write permission for it; " <>
      "with create_pr: true the change is proposed instead"
  end

  def sentence(%{"hint" => "parent_commit", "revision" => revision}) do
    "; \"#{revision}\" has changed: review the new commits, then commit again with its head as :parent_commit"
  end

  def sentence(%{"hint" => "solve_conflicts", "revision" => revision}),
    do: "; commit the merged files with revision: #{inspect(revision)}, then merge again"

  def sentence(%{"hint" => "upload_again", "revision" => nil}), do: "; upload it again to send the rest"

  def sentence(%{"hint" => "upload_again", "revision" => revision}),
    do: "; upload it again with revision: #{inspect(revision)} to send the rest"

  def sentence(%{"hint" => "repo_type", "repo_type" => type}), do: "; pass repo_type: :#{type}"

  def sentence(%{"hint" => "skip_files", "patterns" => patterns}) do
    "; to download the others, pass ignore_patterns: [#{Enum.map_join(patterns, ", ", &literal/1)}]"
  end

  def sentence(%{"hint" => "allow_http_token", "origin" => origin}) do
    "; use https, or allow it with HF_HUB_ALLOW_HTTP_TOKEN=#{origin}, config :hf_hub, " <>
      "allow_http_token: [#{inspect(origin)}] or the option :allow_http_token"
  end

  def sentence(%{"hint" => "go_online"}) do
    if HfHub.Config.offline?(),
      do: "; unset HF_HUB_OFFLINE (or config :hf_hub, offline: true) to use the network",
      else: "; omit local_files_only: true, or offline: true in {:hf, id, opts}, to use the network"
  end

  def sentence(%{"hint" => name}), do: Map.fetch!(@sentences, name)

  # Unlike `inspect/1`, which writes a control character above ASCII as a byte.
  defp literal(text), do: ~s(") <> (text |> String.to_charlist() |> Enum.map_join(&escaped/1)) <> ~s(")

  defp escaped(char) when char in [?", ?\\, ?#], do: <<?\\, char>>

  defp escaped(char) do
    if char >= 32 and String.printable?(<<char::utf8>>),
      do: <<char::utf8>>,
      else: "\\u{#{Integer.to_string(char, 16)}}"
  end
end
