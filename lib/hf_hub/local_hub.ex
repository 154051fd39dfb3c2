defmodule HfHub.LocalHub do
  @moduledoc """
  Runs a Hugging Face Hub on this machine, for tests, demos and air-gapped networks.

  The Local Hub is a server on bare git repositories. Any client can use it: this library, the Python client
  (through `HF_ENDPOINT`), `git`. It runs as a separate operating system process that ends with its owner, even
  when the VM is killed.

      {:ok, hub} = HfHub.LocalHub.start_link(root: "/tmp/hub")
      {:ok, _} = HfHub.LocalHub.import_folder(hub, "my_model", "me/my-model")

      HfHub.Download.snapshot_download(repo_id: "me/my-model", endpoint: HfHub.LocalHub.endpoint(hub))

  In a supervision tree: `{HfHub.LocalHub, root: "/var/lib/hub", port: 8080}`.

  `git clone http://127.0.0.1:8080/me/my-model` and `git push` work, with or without git-lfs, with a token as the
  password. A push is checked like a commit through the API: rights, file names, metadata, files larger than 10 MiB.

  ## In a browser

  The address of the Hub shows its repositories: lists with a search, files, READMEs, commits, branches, discussions. The
  files of buckets are below `/buckets`.
  The pages are read only, without scripts, and load images from this Hub only. To see private repositories, log in
  with any user name and a token as the password. The browser sends it until it is closed.

  Users, organizations, roles and tokens are managed by `HfHub.LocalHub.Accounts`.

  ## Copies

  A root in use cannot be copied file by file: its database and its repositories change meanwhile.
  `hf_hub_server backup TARGET --root ROOT` writes a copy to a new folder while servers run. A server that is started
  with that folder as its root continues from there. Where no server runs, copying the folder is enough.

  ## Clients in other languages

  `environment/1` returns the variables that a client needs.

  Large files are uploaded through Xet, as a default installation of the Python client does, or through LFS. Xet
  storage keeps each chunk of content once: a new version of a file sends and stores what has changed. Its files are
  below `xet` in the root, and every client can download them, with ranges, git-lfs included. Every upload is checked
  by its content before a commit can refer to it. Deleted files leave their chunks, which other files may use:
  `command(hub, ["xet", "collect"])` deletes the chunks of no file that no client has asked for in the last 28 days
  (`--unused-days`).

  With `xet: false`, and where the server was built without its feature `xet`, there are only uploads through LFS, and
  the environment of the Python client needs `HF_HUB_DISABLE_XET=1`.

  ## HTTPS

  Clients send a token over plain HTTP to their own machine only. For clients on other machines, serve HTTPS: with
  `:tls_cert` and `:tls_key`, or with `tls_self_signed: true`, which creates a certificate, keeps it in
  `tls/certificate.pem` below the root, and logs its fingerprint. Clients must trust that file: set `SSL_CERT_FILE`
  for this library, the Python client, curl and git-lfs, `GIT_SSL_CAINFO` for git, `NODE_EXTRA_CA_CERTS` for Node.js.
  In this VM, set `config :hf_hub, ca_file: path`.

      {:ok, hub} = HfHub.LocalHub.start_link(root: "/tmp/hub", host: "0.0.0.0", tls_self_signed: true)
      HfHub.LocalHub.environment(hub)
      #=> %{"HF_ENDPOINT" => "https://127.0.0.1:40123",
      #=>   "REQUESTS_CA_BUNDLE" => "/tmp/hub/tls/certificate.pem",
      #=>   "SSL_CERT_FILE" => "/tmp/hub/tls/certificate.pem"}

  The certificate is valid for `localhost`, the host name and `:host`. If `:host` is `"0.0.0.0"` or `"::"`, it is also
  valid for the addresses that the machine uses towards other networks. `args: ["--tls-name", "hub.lan"]` adds another
  name or address. A certificate that lacks one of them, or expires within 30 days, is replaced when the Hub starts.

  ## Spaces

  The Local Hub stores what is requested of a Space, and does not run it: a Space with an app is `:stopped`. Commands
  set what `HfHub.Spaces` then sees:

      HfHub.LocalHub.command!(hub, ["space", "stage", "me/app", "BUILDING:2", "RUNNING"])
      HfHub.LocalHub.command!(hub, ["space", "log", "me/app", "Running on local URL"])
      HfHub.LocalHub.command!(hub, ["space", "env", "me/app"])

  The stages are those of the Hub, each with its seconds; the script begins again at each restart. `env` prints the
  variables and the decrypted secrets, to run the app by other means. The search for Spaces compares words, not
  meanings.

  ## Jobs

  With `jobs: :local`, the Local Hub runs the jobs of `HfHub.Jobs`, of `hf jobs` and of the Python client: their
  commands, as processes of this machine. **A job has the rights of the server's user.** It can read and change what the
  server can, its root included, so allow jobs only where all accounts with a write token are trusted.

      {:ok, hub} = HfHub.LocalHub.start_link(root: "/tmp/hub", jobs: :local)

      {:ok, job} =
        HfHub.Jobs.run("python:3.12", ["python3", "-c", "print(6 * 7)"],
          endpoint: HfHub.LocalHub.endpoint(hub)
        )

  Images are not pulled: the name of the image is stored, and the command must be installed here. A job runs in an empty
  folder that is deleted afterwards. Its environment has its variables and secrets, `HF_ENDPOINT`, `JOB_ID`, `CPU_CORES`,
  `MEMORY`, and `PATH` of the server, and nothing else of the server's. Volumes and SSH are errors, and exposed ports are
  those of this machine. Secrets are stored encrypted and never returned, but a job that prints one has it in its log.

  A job ends with all processes that it has started, on Linux also those in sessions of their own: at the end of its
  command, when it is canceled (SIGTERM, two seconds later SIGKILL), after its timeout, and when the server stops,
  whatever stops it. After a restart, such a job is one that failed. These options go into `:args`:

  | option | limit |
  |---|---|
  | `--job-slots` | jobs that run at a time (4); others are `:scheduling` |
  | `--job-timeout` | seconds, unless the job has a timeout of its own (1800) |
  | `--job-memory`, `--job-disk` | MiB of memory, and of files in its folder (4096 each) |
  | `--job-processes` | processes (512) |
  | `--job-log` | KiB of its log (8192); the rest is dropped |

  Of each account, the last 1,000 jobs that have ended are kept.

  Scheduled jobs start at the minutes of their cron expressions, in UTC, while the server runs and the user who created
  them may still run jobs for their owner. What was missed while the server was stopped is not made up for.

  ## Inference endpoints

  Inference endpoints are stored and change their states as on the Hub, but nothing is deployed. Their API is below
  `/v2`, and their catalog, the models of this Hub that have a task, below `/api/v1/catalog`:

      {:ok, hub} =
        HfHub.LocalHub.start_link(
          root: "/tmp/hub",
          endpoint_start: 5,
          endpoint_url: "http://127.0.0.1:8000"
        )

      url = HfHub.LocalHub.endpoint(hub)

      opts = [
        endpoint: url,
        inference_endpoints_url: url <> "/v2",
        inference_catalog_url: url <> "/api/v1/catalog"
      ]

      {:ok, endpoints} = HfHub.InferenceEndpoints.list(opts)

  `:endpoint_url` is the address of each endpoint that runs, so that a real server of models can stand behind them;
  `args: ["--endpoint-health", "/v1/models"]` is its health check. Without it, the address is one of the Local Hub, whose
  health check succeeds while the endpoint runs, and a request to an endpoint that is scaled to zero starts it. The
  values of secrets are not stored. A command sets the states of an endpoint, each with its seconds, for this and each
  other start:

      states = ["pending:2", "initializing:3", "failed"]
      HfHub.LocalHub.command!(hub, ["endpoint", "state", "me/my-bert" | states])

  ## Faults and dialects

  With `test_control: true`, tests can inject faults and make a repository behave like that of another server:

      POST /_test/faults   {"match": "*/me/x/*", "times": 2, "fault": {"kind": "status", "code": 503}}
      POST /_test/dialects {"dialect": "nexus", "repo": "me/x"}

  A rule is limited by `match` (a glob on the path), `method`, `origin` (`hub`, or `cdn` for large files), `lacks`
  (headers that a request does not have), `skip` and `times`. The kinds of fault are:

  | kind | effect |
  |---|---|
  | `drop`, `stall`, `dribble`, `throttle`, `short`, `long`, `chunked`, `corrupt`, `gzip`, `body` | the response body is cut off, slow, too short or too long, damaged or replaced |
  | `hang`, `hang_up`, `delay`, `lose_answer`, `drop_request`, `throttle_request` | the connection is closed or delayed, or the request is slow |
  | `status`, `rate_limit`, `redirect` (`{target}` is the path and query), `expired` | the response is replaced by this one |
  | `ignore_range`, `wrong_range`, `range_416`, `multipart_range` | range requests are handled wrongly |
  | `etag`, `header`, `replace_header`, `replace_body`, `replace_target`, `replace_request` | text is set, or replaced by a regular expression |
  | `direct`, `proxied`, `checksums` | files are sent without a redirect, or with the checksums of a package registry |

  A dialect is a named set of such rules for one repository: `kohakuhub`, `olah`, `artifactory`, `nexus`, `hf_mirror`,
  `giftless`, and the traits they are made of, such as `commits_sha256`, `metadata_on_head` or `range_unnamed`.
  `GET /_test/dialects` lists all of them with their rules. The response to `POST` has the `prefix` that the endpoint's
  path begins with.

  `POST /_test/clock {"seconds": 3600}` sets the clock of scheduled jobs and inference endpoints forward.

  ## The executable

  The server is not built with the library. It is looked up in this order: the option `:executable`,
  `config :hf_hub, local_hub_executable: path`, the variable `HF_HUB_SERVER_PATH`, the library's `priv/native`, and
  the project's `target/release`. If none exists, but the sources and cargo do, it is built once and kept in the
  user's cache folder.
  """

  use GenServer
  require Logger

  alias HfHub.{Error, Options}
  alias HfHub.LocalHub.{Announcement, Executable}

  @options [
    root: [type: :string, required: true, doc: "Folder of repositories, users and large files."],
    port: [type: :non_neg_integer, default: 0, doc: "Port to listen on. 0 chooses a free one."],
    host: [type: :string, default: "127.0.0.1", doc: "Address to listen on."],
    executable: [
      type: :string,
      doc: "Path of the server executable. Defaults to the lookup that the module docs describe."
    ],
    test_control: [
      type: :boolean,
      default: false,
      doc:
        "Whether to serve the routes below `/_test`, which list requests and inject faults. Do not use it for a Hub " <>
          "that others can reach."
    ],
    tls_cert: [type: :string, doc: "PEM file of a certificate to serve HTTPS with. Requires `:tls_key`."],
    tls_key: [type: :string, doc: "PEM file of the certificate's private key."],
    tls_self_signed: [
      type: :boolean,
      default: false,
      doc:
        "Whether to serve HTTPS with a certificate created for this Hub. Mutually exclusive with `:tls_cert` and " <>
          "`:tls_key`."
    ],
    xet: [
      type: :boolean,
      default: true,
      doc: "Whether clients can use Xet storage. Files that are in it can be downloaded either way."
    ],
    jobs: [
      type: {:in, [:local]},
      doc:
        "`:local` runs jobs as processes of this machine; see the module docs. Defaults to none: requests for jobs are " <>
          "errors."
    ],
    endpoint_start: [
      type: :non_neg_integer,
      default: 0,
      doc: "Seconds that an inference endpoint takes to start or to be updated."
    ],
    endpoint_url: [
      type: :string,
      doc:
        "URL of a server of models, which is that of each inference endpoint that runs. Defaults to an address of the " <>
          "Local Hub where only the health check succeeds."
    ],
    args: [type: {:list, :string}, default: [], doc: "Additional arguments of `hf_hub_server serve`."],
    name: [type: :atom, doc: "Name to register the process under. Defaults to no registration."]
  ]

  @import_options [
    repo_type: [type: :repo_type, default: :model, doc: "Type of the repository."],
    revision: [type: :string, default: "main", doc: "Branch to commit to."],
    message: [type: :string, doc: "Message of the commit. Defaults to `\"Import\"`."],
    private: [type: :boolean, default: false, doc: "Whether the repository can be read with a token only."],
    gated: [
      type: {:in, [:auto, :manual]},
      doc: "`:auto` (access is granted on request) or `:manual` (the owner decides). Defaults to no gate."
    ]
  ]

  @type hub :: GenServer.server()

  @doc false
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  # A supervisor may have several, by their names.
  def child_spec(opts), do: %{super(opts) | id: opts[:name] || __MODULE__}

  @doc """
  Starts a Hub and waits until it accepts requests.

  ## Options

  #{Options.docs(@options)}

  ## Examples

      iex> {:error, error} = HfHub.LocalHub.start_link(root: "/tmp/hub", executable: "/missing")
      iex> error.kind
      :io
  """
  @spec start_link(keyword()) :: {:ok, pid()} | {:error, Error.t()}
  def start_link(opts) do
    opts = Options.validate!(opts, @options)

    # Here and not in the new process, so that the error is the caller's result.
    with {:ok, executable} <- Executable.find(opts[:executable]) do
      start(Keyword.put(opts, :executable, executable))
    end
  end

  @doc """
  Returns the Hub's base URL, for the `:endpoint` option or `HF_ENDPOINT`.

  ## Examples

      HfHub.LocalHub.endpoint(hub)
      #=> "http://127.0.0.1:40123"
  """
  @spec endpoint(hub()) :: String.t()
  def endpoint(hub), do: GenServer.call(hub, :endpoint)

  @doc """
  Returns a map of the environment variables that another client needs to use this Hub.

  It includes `"SSL_CERT_FILE"` and `"REQUESTS_CA_BUNDLE"` if the Hub created its own certificate.

  ## Examples

      System.cmd("hf", ["models", "ls"], env: HfHub.LocalHub.environment(hub))
  """
  @spec environment(hub()) :: %{String.t() => String.t()}
  def environment(hub), do: GenServer.call(hub, :environment)

  @doc """
  Commits the files of a folder to a repository, and returns the id of the commit.

  A repository that does not exist is created. Links in the folder are followed: the files they point to are
  committed. Importing the same files again makes no commit.

  ## Options

  #{Options.docs(@import_options)}

  ## Examples

      HfHub.LocalHub.import_folder(hub, "my_dataset", "me/my-dataset", repo_type: :dataset)
      #=> {:ok, "0c2ba07d…"}
  """
  @spec import_folder(hub(), Path.t(), String.t(), keyword()) :: {:ok, String.t()} | {:error, Error.t()}
  def import_folder(hub, folder, repo_id, opts \\ []) when is_binary(folder) and is_binary(repo_id) do
    opts = Options.validate!(opts, @import_options)

    flags = [
      type: opts[:repo_type],
      revision: opts[:revision],
      message: opts[:message],
      gated: opts[:gated],
      private: if(opts[:private], do: true)
    ]

    # After `--`, an argument that begins with a dash is not an option.
    args = Enum.flat_map(flags, &flag/1) ++ ["--", Path.expand(folder), repo_id]

    with {:ok, output} <- run(hub, &["import", "--root", &1 | args]) do
      [_line, commit] = Regex.run(~r/"commit":\s*"([0-9a-f]{40})"/, output)
      {:ok, commit}
    end
  end

  defp flag({_name, nil}), do: []
  defp flag({name, true}), do: ["--" <> dashed(name)]
  defp flag({name, value}), do: ["--#{dashed(name)}=#{value}"]

  defp dashed(name), do: String.replace(to_string(name), "_", "-")

  @doc "Same as `import_folder/4`, but returns the commit or raises `HfHub.Error`."
  @spec import_folder!(hub(), Path.t(), String.t(), keyword()) :: String.t()
  def import_folder!(hub, folder, repo_id, opts \\ []),
    do: Error.unwrap!(import_folder(hub, folder, repo_id, opts))

  @doc """
  Runs another command of the server executable on this Hub's root, such as `["user", "add", "me"]`,
  and returns its output. `["--help"]` lists the commands.

  ## Examples

      HfHub.LocalHub.command(hub, ["user", "add", "me"])
      #=> {:ok, "hf_…"}
  """
  @spec command(hub(), [String.t()]) :: {:ok, String.t()} | {:error, Error.t()}
  def command(hub, args) when is_list(args) do
    if "--help" in args, do: run(hub, fn _root -> args end), else: run(hub, &(args ++ ["--root", &1]))
  end

  defp run(hub, args) do
    with {:ok, {executable, root}} <- program(hub), do: execute(executable, args.(root))
  end

  defp program(hub) do
    {:ok, GenServer.call(hub, :program)}
  catch
    :exit, {reason, {GenServer, :call, _args}} ->
      {:error, Error.new(:io, "the Local Hub is not running", reason: inspect(reason))}
  end

  defp execute(executable, args) do
    case System.cmd(executable, args, stderr_to_stdout: true) do
      {output, 0} ->
        {:ok, String.trim(output)}

      {output, _status} ->
        {:error, Error.new(:bad_request, "Local Hub command failed: #{String.trim(output)}")}
    end
  end

  @doc "Same as `command/2`, but returns the output or raises `HfHub.Error`."
  @spec command!(hub(), [String.t()]) :: String.t()
  def command!(hub, args), do: Error.unwrap!(command(hub, args))

  @doc """
  Stops the Hub and waits until its process has exited.

  ## Examples

      HfHub.LocalHub.stop(hub)
      #=> :ok
  """
  @spec stop(hub()) :: :ok
  def stop(hub) do
    GenServer.stop(hub)
  catch
    :exit, reason -> ended(reason)
  end

  # It had ended, or was ending because its owner has exited. The calls around the reason depend on the version of Elixir.
  defp ended(:noproc), do: :ok
  defp ended({:shutdown, _reason}), do: :ok
  defp ended({reason, {_module, _function, _arguments}}), do: ended(reason)
  defp ended(other), do: exit(other)

  @impl true
  def init({opts, owner}) do
    Process.flag(:trap_exit, true)

    with :ok <- make_root(opts[:root]),
         {:ok, port} <- open_port(opts),
         {:ok, announcement} <- Announcement.await(port) do
      # Linked only now: a failed start returns an error and must not exit the owner.
      Process.link(owner)
      state = Map.merge(announcement, %{port: port, owner: owner})
      {:ok, Map.merge(state, Map.new(Keyword.take(opts, [:executable, :root])))}
    else
      {:error, error} -> {:stop, error}
    end
  end

  @impl true
  def handle_call(:endpoint, _from, state), do: {:reply, state.endpoint, state}

  def handle_call(:environment, _from, state) do
    variables = %{"HF_ENDPOINT" => state.endpoint}
    variables = if state.xet, do: variables, else: Map.put(variables, "HF_HUB_DISABLE_XET", "1")
    names = if state.certificate, do: ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"], else: []
    trusted = Map.new(names, &{&1, state.certificate})
    {:reply, Map.merge(variables, trusted), state}
  end

  def handle_call(:program, _from, state), do: {:reply, {state.executable, state.root}, state}

  @impl true
  def handle_info({port, {:exit_status, status}}, %{port: port} = state) do
    {:stop, {:local_hub_exited, status}, state}
  end

  def handle_info({port, {:data, {_eol, line}}}, %{port: port} = state) do
    Logger.debug(["Local Hub: ", line])
    {:noreply, state}
  end

  def handle_info({:EXIT, owner, reason}, %{owner: owner} = state), do: {:stop, {:shutdown, reason}, state}
  def handle_info(_other, state), do: {:noreply, state}

  # Closing the port closes the server's standard input, and the server exits at its end.
  @impl true
  def terminate(_reason, %{port: port}) do
    if Port.info(port) do
      {:os_pid, pid} = Port.info(port, :os_pid)
      Port.close(port)
      await_end(pid, 100)
    end
  end

  defp start(opts) do
    GenServer.start(__MODULE__, {opts, self()}, if(opts[:name], do: [name: opts[:name]], else: []))
  end

  defp make_root(root) do
    case File.mkdir_p(root) do
      :ok ->
        :ok

      {:error, reason} ->
        {:error, Error.new(:io, "cannot create the Local Hub's root #{root}", reason: posix(reason))}
    end
  end

  defp open_port(opts) do
    settings = [:binary, :exit_status, :stderr_to_stdout, line: 4096, args: args(opts)]
    {:ok, Port.open({:spawn_executable, opts[:executable]}, settings)}
  rescue
    error in ErlangError ->
      {:error, Error.new(:io, "cannot run #{opts[:executable]}", reason: posix(error.original))}
  end

  defp posix(reason), do: reason |> :file.format_error() |> to_string()

  defp args(opts) do
    flags = [
      test_control: opts[:test_control] || nil,
      tls_cert: opts[:tls_cert],
      tls_key: opts[:tls_key],
      tls_self_signed: opts[:tls_self_signed] || nil,
      no_xet: if(opts[:xet], do: nil, else: true),
      jobs: opts[:jobs],
      endpoint_start: opts[:endpoint_start],
      endpoint_url: opts[:endpoint_url]
    ]

    ["serve", "--root", opts[:root], "--host", opts[:host], "--port", to_string(opts[:port])] ++
      ["--stop-on-stdin-close"] ++ Enum.flat_map(flags, &flag/1) ++ opts[:args]
  end

  defp await_end(_pid, 0), do: :ok

  defp await_end(pid, tries) do
    if File.exists?("/proc/#{pid}") do
      Process.sleep(10)
      await_end(pid, tries - 1)
    end
  end
end
