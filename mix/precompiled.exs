defmodule HfHub.Precompiled do
  # Published native libraries: which one fits this machine, where it comes from, and that it is the one whose hash is
  # in the package.
  #
  # A package of a release has `native/precompiled.sha256`, in the format of sha256sum: a line for each archive. Without
  # the file, as in a checkout, the library is compiled. `bin/release` makes both.
  #
  #   HF_HUB_BUILD       "1" compiles the library instead; so does `config :hf_hub, HfHub.Native, build: true`
  #   HF_HUB_NIF_MIRROR  the folder of the archives as a URL; so does `config :hf_hub, HfHub.Native, mirror: url`
  #   HF_HUB_NIF_CACHE   the folder of downloaded archives, which projects share
  #
  # Proxies (HTTPS_PROXY, HTTP_PROXY, NO_PROXY) and certificates (SSL_CERT_FILE) are those of the environment.
  @moduledoc false

  # The oldest version of the NIF interface that the library runs with.
  @nif_version "2.15"

  @timeouts [timeout: 120_000, connect_timeout: 15_000]

  @switches ~w(HF_HUB_BUILD HF_HUB_NIF_MIRROR HF_HUB_NIF_TARGET)

  @doc "Returns what decides which library is installed, besides the sources."
  @spec state(Path.t()) :: term()
  def state(root), do: {Enum.map(@switches, &System.get_env/1), config(), File.read(checksums_path(root))}

  @doc """
  Returns the content of the library for this machine, from the cache or downloaded.

  `:none` if the package has no archives, or a build was asked for. An archive that fits but cannot be had is an
  error with its reason; one with another hash raises.
  """
  @spec fetch(Path.t(), String.t()) :: {:ok, binary()} | :none | {:error, String.t()}
  def fetch(root, version) do
    with false <- build?(),
         {:ok, text} <- File.read(checksums_path(root)) do
      target = target()
      name = name(version, target)

      case {sha256(text, name), version_fits?()} do
        {_any, false} -> {:error, "this OTP is older than version #{@nif_version} of the NIF interface"}
        {nil, true} -> {:error, "release #{version} of hf_hub has no native library for #{target}"}
        {sha256, true} -> archive(name, sha256, folder(text))
      end
    else
      _build_or_checkout -> :none
    end
  end

  @doc "Returns the name of the archive for a target triple."
  @spec name(String.t(), String.t()) :: String.t()
  def name(version, target), do: "libhf_hub_nif-v#{version}-nif-#{@nif_version}-#{target}.tar.gz"

  @doc "Returns the target triple of a machine, as Rust names it."
  @spec target(String.t()) :: String.t()
  def target(architecture \\ architecture()) do
    case System.get_env("HF_HUB_NIF_TARGET", "") do
      "" -> triple(String.split(architecture, "-"), architecture)
      target -> target
    end
  end

  defp architecture do
    case :os.type() do
      {:win32, _name} -> "#{System.get_env("PROCESSOR_ARCHITECTURE", "amd64")}-pc-windows-msvc"
      _unix -> to_string(:erlang.system_info(:system_architecture))
    end
  end

  defp triple([processor | rest], architecture) do
    system = Enum.join(rest, "-")

    cond do
      system =~ "windows" -> "#{processor(processor)}-pc-windows-msvc"
      system =~ "darwin" -> "#{processor(processor)}-apple-darwin"
      system =~ "linux" and system =~ "musl" -> "#{processor(processor)}-unknown-linux-musl"
      system =~ "linux" -> "#{processor(processor)}-unknown-linux-gnu"
      true -> architecture
    end
  end

  defp processor(name) do
    case String.downcase(name) do
      name when name in ["amd64", "x64"] -> "x86_64"
      "arm64" -> "aarch64"
      name -> name
    end
  end

  defp build?, do: System.get_env("HF_HUB_BUILD") in ["1", "true"] or Keyword.get(config(), :build, false)

  defp config, do: Application.get_env(:hf_hub, HfHub.Native, [])

  defp version_fits? do
    parts = fn version -> version |> String.split(".") |> Enum.map(&String.to_integer/1) end
    parts.(to_string(:erlang.system_info(:nif_version))) >= parts.(@nif_version)
  end

  defp checksums_path(root), do: Path.join(root, "native/precompiled.sha256")

  defp sha256(text, name) do
    Enum.find_value(lines(text), fn line ->
      with [sha256, ^name] <- String.split(line), do: String.downcase(sha256), else: (_other -> nil)
    end)
  end

  # The folder of the archives: the first line of the checksums has that of the release.
  defp folder(text) do
    case {System.get_env("HF_HUB_NIF_MIRROR", ""), config()[:mirror], lines(text)} do
      {"", nil, ["# http" <> rest | _lines]} -> "http" <> rest
      {"", mirror, _lines} -> mirror
      {mirror, _config, _lines} -> mirror
    end
  end

  defp lines(text), do: text |> String.split("\n", trim: true) |> Enum.map(&String.trim/1)

  defp archive(name, sha256, folder) do
    path = Path.join(cache(), name)

    with {:ok, content} <- File.read(path),
         ^sha256 <- hash(content) do
      library(content, name)
    else
      _missing_or_damaged -> download(name, sha256, folder, path)
    end
  end

  defp download(name, _sha256, nil, _path),
    do: {:error, "HF_HUB_NIF_MIRROR does not say where #{name} is"}

  defp download(name, sha256, folder, path) do
    url = String.trim_trailing(folder, "/") <> "/" <> name
    Mix.shell().info("Downloading the native part of hf_hub from #{without_password(url)}")

    with {:ok, content} <- get(url) do
      unless hash(content) == sha256 do
        Mix.raise(
          "the native library of hf_hub was not installed: SHA-256 of #{without_password(url)} is #{hash(content)} " <>
            "instead of #{sha256}; the archive was changed or belongs to another release"
        )
      end

      keep(path, content)
      library(content, name)
    end
  end

  # The archive is the one of the release by its hash. Only its library is taken, whatever else it has.
  defp library(content, name) do
    wanted = Path.basename(name, ".tar.gz")

    with {:ok, files} <- :erl_tar.extract({:binary, content}, [:memory, :compressed]),
         {_name, library} <- Enum.find(files, fn {file, _content} -> Path.rootname(file) == wanted end) do
      {:ok, library}
    else
      _not_an_archive -> {:error, "#{name} has no library in it"}
    end
  end

  # Without a cache, the next project downloads it again.
  defp keep(path, content) do
    temporary = "#{path}.#{System.unique_integer([:positive])}.#{System.pid()}"

    with :ok <- File.mkdir_p(Path.dirname(path)),
         :ok <- File.write(temporary, content),
         {:error, _reason} <- File.rename(temporary, path),
         do: File.rm(temporary)
  end

  defp cache do
    case System.get_env("HF_HUB_NIF_CACHE", "") do
      "" -> :user_cache |> :filename.basedir("hf_hub") |> Path.join("native")
      folder -> Path.expand(folder)
    end
  end

  defp hash(content), do: :crypto.hash(:sha256, content) |> Base.encode16(case: :lower)

  defp get(url) do
    # Newer versions of Mix take what a project does not name out of the code path.
    if function_exported?(Mix, :ensure_application!, 1),
      do: Enum.each([:inets, :ssl], &Mix.ensure_application!/1)

    for application <- [:inets, :ssl], do: {:ok, _started} = Application.ensure_all_started(application)
    {:ok, profile} = :inets.start(:httpc, profile: :hf_hub_native)

    try do
      :httpc.set_options(proxies(), profile)
      request = {String.to_charlist(url), [{~c"user-agent", ~c"hf_hub"}]}

      case :httpc.request(
             :get,
             request,
             @timeouts ++ proxy_password() ++ tls(url),
             [body_format: :binary],
             profile
           ) do
        {:ok, {{_version, 200, _reason}, _headers, content}} -> {:ok, content}
        {:ok, {{_version, status, _reason}, _headers, _content}} -> {:error, failed(url, "status #{status}")}
        {:error, reason} -> {:error, failed(url, reason(reason))}
      end
    rescue
      # Raised by OTP, before any request, where the system has no certificates.
      error in [ErlangError, MatchError] ->
        {:error, failed(url, "#{Exception.message(error)}; SSL_CERT_FILE names a bundle of certificates")}
    after
      :inets.stop(:httpc, profile)
    end
  end

  defp failed(url, why), do: "#{without_password(url)} cannot be downloaded: #{why}"

  defp reason({:failed_connect, details}) do
    Enum.find_value(details, "no connection", fn
      {family, _options, reason} when family in [:inet, :inet6] -> "no connection (#{inspect(reason)})"
      _address -> nil
    end)
  end

  defp reason(reason), do: inspect(reason)

  defp without_password(url), do: String.replace(url, ~r{//[^/@]*@}, "//")

  defp tls("https:" <> _rest) do
    trusted =
      case System.get_env("SSL_CERT_FILE", "") do
        "" -> [cacerts: :public_key.cacerts_get()]
        path -> [cacertfile: path]
      end

    match = :public_key.pkix_verify_hostname_match_fun(:https)
    [ssl: [verify: :verify_peer, depth: 10, customize_hostname_check: [match_fun: match]] ++ trusted]
  end

  defp tls(_plain), do: []

  defp proxies do
    for {option, names} <- [proxy: ~w(http_proxy HTTP_PROXY), https_proxy: ~w(https_proxy HTTPS_PROXY)],
        uri = proxy(names),
        do: {option, {{String.to_charlist(uri.host), uri.port}, excluded()}}
  end

  defp proxy(names) do
    with url when url not in [nil, ""] <- Enum.find_value(names, &System.get_env/1),
         # The scheme is often left out.
         url = if(url =~ "://", do: url, else: "http://" <> url),
         %URI{host: host} = uri when is_binary(host) and host != "" <- URI.parse(url),
         do: uri,
         else: (_none -> nil)
  end

  defp excluded do
    names = System.get_env("no_proxy") || System.get_env("NO_PROXY", "")

    for name <- String.split(names, [",", " "], trim: true),
        do: name |> String.trim_leading(".") |> to_charlist()
  end

  defp proxy_password do
    case proxy(~w(https_proxy HTTPS_PROXY http_proxy HTTP_PROXY)) do
      %URI{userinfo: userinfo} when is_binary(userinfo) ->
        [name | password] = userinfo |> String.split(":", parts: 2) |> Enum.map(&URI.decode/1)
        [proxy_auth: {to_charlist(name), to_charlist(Enum.join(password))}]

      _none ->
        []
    end
  end
end
