# Keeps a folder and a bucket equal: uploads what is new, deletes what is gone, and shows each plan first.
Code.require_file("support/example.exs", __DIR__)
Example.start()

url = HfHub.Buckets.create!("hf-hub-example-bucket", private: true, exist_ok: true)
address = "hf://buckets/#{url.repo_id}/logs"

folder =
  Example.write(Example.folder(), %{
    "2026/1.log" => "one\n",
    "2026/2.log" => "two\n",
    "scratch.tmp" => "not for others\n"
  })

options = [exclude: "*.tmp", delete: true]
IO.puts(HfHub.Buckets.sync!(folder, address, [dry_run: true] ++ options))
HfHub.Buckets.sync!(folder, address, options)

File.rm!(Path.join(folder, "2026/1.log"))
Example.write(folder, %{"2026/3.log" => "three\n"})
plan = HfHub.Buckets.sync!(folder, address, [dry_run: true] ++ options)
IO.puts(plan)
HfHub.Buckets.apply_plan!(plan)

copy = Example.folder()
HfHub.Buckets.sync!(address, copy)

IO.puts(
  "in the copy: #{Path.join(copy, "**/*.log") |> Path.wildcard() |> Enum.map_join(", ", &Path.relative_to(&1, copy))}"
)

HfHub.Buckets.delete!(url.repo_id)
