# Creates a repository, changes its settings, renames it and deletes it.
Code.require_file("support/example.exs", __DIR__)
Example.start()

me = HfHub.Auth.whoami!().name
for name <- ["draft", "final"], do: HfHub.Repo.delete!("#{me}/hf-hub-example-#{name}", missing_ok: true)

{:ok, url} = HfHub.Repo.create("#{me}/hf-hub-example-draft", private: true)
IO.puts("created #{url.repo_id}: #{url}")

# Without exist_ok: true, an existing repository is an error.
{:error, error} = HfHub.Repo.create(url.repo_id)
IO.puts("again: #{error.kind}")

:ok = HfHub.Repo.update_settings(url.repo_id, private: false, gated: :manual)
{:ok, info} = HfHub.Api.model_info(url.repo_id)
IO.puts("private: #{info.private}, gated: #{info.gated}")

{:ok, url} = HfHub.Repo.move(url.repo_id, "#{me}/hf-hub-example-final")
IO.puts("renamed to #{url.repo_id}")

:ok = HfHub.Repo.delete(url.repo_id)
IO.puts("exists: #{HfHub.Repo.exists?(url.repo_id)}")
