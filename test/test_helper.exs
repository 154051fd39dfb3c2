# Excludes tests whose requirements this machine does not meet.
root = if match?({"0\n", 0}, System.cmd("id", ["-u"])), do: [], else: [:root]
strace = if System.find_executable("strace"), do: [], else: [:strace]
proc = if File.dir?("/proc/self/fd"), do: [], else: [:proc]
terminal = if System.find_executable("script"), do: [], else: [:terminal]
programs = for name <- ~w(zsh ssh), System.find_executable(name) == nil, do: String.to_atom(name)
openssl = if System.find_executable("openssl"), do: [], else: [:openssl, :proxies]
datasets = if File.exists?(HfHub.DatasetsJudge.python()), do: [], else: [:datasets]
duckdb = if HfHub.DuckDb.there?(), do: [], else: [:duckdb]
proxies = if Enum.all?(["tinyproxy", "microsocks"], &System.find_executable/1), do: [], else: [:proxies]

# Most tests of uploads are about the store of large files; those of Xet ask for it by `xet: :auto`.
System.put_env("HF_HUB_DISABLE_XET", "1")
HfHub.OwnHome.start()
HfHub.Canary.start()
HfHub.Case.start_hub()

ExUnit.start(
  # Most tests wait for sockets, files and other processes: twice ExUnit's default keeps the processors busy.
  max_cases: 4 * System.schedulers_online(),
  # Captured logs are shown with the report of a failed test only.
  capture_log: true,
  formatters: [ExUnit.CLIFormatter, HfHub.Slowest],
  exclude:
    [:python, :build, :slow] ++
      root ++ strace ++ openssl ++ proxies ++ terminal ++ proc ++ datasets ++ duckdb ++ programs
)
