# Handles errors by their kind. Messages are for people, and contain what to do.
Code.require_file("support/example.exs", __DIR__)
Example.start()

calls = [
  {"a file that is misspelled", [repo_id: Example.model(), filename: "confg.json"]},
  {"a revision that does not exist", [repo_id: Example.model(), filename: "config.json", revision: "v9.9"]},
  {"a repository that does not exist", [repo_id: "nobody/nothing", filename: "config.json"]},
  {"a Hub that is down",
   [repo_id: "nobody/nothing", filename: "x", endpoint: "http://127.0.0.1:9", retries: 0]}
]

for {what, call} <- calls do
  answer =
    case HfHub.Download.hf_hub_download(call) do
      {:ok, path} ->
        path

      {:error, %HfHub.Error{kind: kind}} when kind in [:entry_not_found, :revision_not_found] ->
        "check the name"

      {:error, %HfHub.Error{kind: :repo_not_found}} ->
        "check the id, or log in"

      {:error, error} ->
        Exception.message(error)
    end

  IO.puts("#{what}: #{answer}")
end

# Functions with `!` raise the error.
try do
  HfHub.Api.model_info!("nobody/nothing")
rescue
  error in HfHub.Error -> IO.puts("raised: #{error.kind}")
end
