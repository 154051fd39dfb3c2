# Downloads an archive and unpacks it.
Code.require_file("support/example.exs", __DIR__)
Example.start()

repo_id = Example.new_repo("hf-hub-example-archive", repo_type: :dataset)
files = [{~c"ds/train.csv", "text,label\nhello,1\n"}, {~c"ds/test.csv", "text,label\nbye,0\n"}]
{:ok, {_name, zip}} = :zip.create(~c"ds.zip", files, [:memory])
{:ok, _info} = HfHub.Commit.upload_file({:binary, zip}, "ds.zip", repo_id, repo_type: :dataset)

case HfHub.Download.hf_hub_download(
       repo_id: repo_id,
       filename: "ds.zip",
       repo_type: :dataset,
       extract: true
     ) do
  {:ok, folder} ->
    IO.puts("Extracted to: #{folder}")

    for path <- Path.wildcard(Path.join(folder, "**/*")), File.regular?(path) do
      IO.puts("unpacked: #{Path.relative_to(path, folder)}")
    end

  {:error, reason} ->
    IO.puts("Error: #{inspect(reason)}")
end

HfHub.Repo.delete!(repo_id, repo_type: :dataset)
