# Shows why calls to the Hub fail on this machine, and what to do about it.
Code.require_file("support/example.exs", __DIR__)
Example.start()

# Nothing to do: the network, the token, and the access to a repository.
report = HfHub.Doctor.run(repo_id: Example.model(), groups: [:network, :hub, :account])
IO.puts(report)
failed = for check <- report.checks, check.status == :error, do: check.name
IO.puts("failed: #{inspect(failed)}")

# A Hub that is down.
report = HfHub.Doctor.run(endpoint: "http://127.0.0.1:9", groups: [:network])
[check] = for check <- report.checks, check.status == :error, do: check
IO.puts("#{check.name}: #{check.message}; #{check.advice}")
