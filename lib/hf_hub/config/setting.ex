defmodule HfHub.Config.Setting do
  @moduledoc """
  A setting with its value and source. `HfHub.Config.explain/1` lists all of them.

    * `:name` - name of the setting
    * `:value` - value that calls use; tokens and the passwords of proxies are masked
    * `:origin` - source of the value: `:option`, `{:config, key}`, `{:env, variable}`, `{:file, path}` or `:default`
  """

  alias HfHub.Config.Source

  @enforce_keys [:name, :value, :origin]
  defstruct [:name, :value, :origin]

  @type origin :: :option | {:config, atom()} | {:env, String.t()} | {:file, Path.t()} | :default

  @type t :: %__MODULE__{name: atom(), value: term(), origin: origin()}

  @home "~/.cache/huggingface"
  @staging "https://hub-ci.huggingface.co"

  # `app` is the type of the value in `config :hf_hub`, `entry` its place in a list there, as in 0.3, and `env` lists
  # variables with the format of their text. The first one with a value is used.
  @table [
    endpoint: [
      app: :string,
      env: [{"HUGGINGFACE_CO_STAGING", {:if_true, @staging}}, {"HF_ENDPOINT", :text}],
      default: "https://huggingface.co",
      doc: "the Hub's base URL"
    ],
    inference_endpoints_url: [
      app: :string,
      default: "https://api.endpoints.huggingface.cloud/v2",
      doc: "the base URL of the API of `HfHub.InferenceEndpoints`, which gets the token"
    ],
    inference_catalog_url: [
      app: :string,
      default: "https://endpoints.huggingface.co/api/v1/catalog",
      doc: "the base URL of the catalog of `HfHub.InferenceEndpoints`, which gets the token"
    ],
    inference_router_url: [
      app: :string,
      default: "https://router.huggingface.co",
      doc: "the base URL of the router of `HfHub.Inference`, which gets the token"
    ],
    cache_dir: [
      app: :path,
      env: [
        {"HF_HUB_CACHE", :path},
        {"HUGGINGFACE_HUB_CACHE", :path},
        {"HF_HOME", {:below, "hub"}},
        {"XDG_CACHE_HOME", {:below, "huggingface/hub"}}
      ],
      default: {:path, @home <> "/hub"},
      doc: "the cache folder"
    ],
    token_path: [
      env: [
        {"HUGGINGFACE_CO_STAGING", {:if_true, {:path, @home <> "_staging/token"}}},
        {"HF_TOKEN_PATH", :path},
        {"HF_HOME", {:below, "token"}},
        {"XDG_CACHE_HOME", {:below, "huggingface/token"}}
      ],
      default: {:path, @home <> "/token"},
      doc: "the file of the active token; `stored_tokens` is in the same folder"
    ],
    implicit_token: [
      env: [{"HF_HUB_DISABLE_IMPLICIT_TOKEN", :no_flag}],
      default: true,
      doc: "whether calls without the option `:token` send the stored token"
    ],
    allow_http_token: [
      app: {:list, :string},
      env: [{"HF_HUB_ALLOW_HTTP_TOKEN", :list}],
      default: [],
      doc:
        "origins, such as `http://hub.lan:8080`, that the token is sent to over plain HTTP (separated by `,` in the variable)"
    ],
    offline: [
      app: :boolean,
      env: [{"HF_HUB_OFFLINE", :flag}, {"TRANSFORMERS_OFFLINE", :flag}],
      default: false,
      doc: "offline mode: no network requests are made"
    ],
    etag_timeout: [
      app: :pos_integer,
      entry: {:http_opts, :receive_timeout},
      env: [{"HF_HUB_ETAG_TIMEOUT", :seconds}],
      default: 10_000,
      doc: "timeout for the connection and the response headers, in ms (seconds in the environment)"
    ],
    download_timeout: [
      app: :pos_integer,
      entry: {:http_opts, :receive_timeout},
      env: [{"HF_HUB_DOWNLOAD_TIMEOUT", :seconds}],
      default: 10_000,
      doc: "timeout between two reads of a response body, in ms (seconds in the environment)"
    ],
    symlinks: [
      app: :boolean,
      env: [{"HF_HUB_DISABLE_SYMLINKS", :no_flag}],
      default: true,
      doc: "whether the cache uses symbolic links"
    ],
    progress_bars: [
      env: [{"HF_HUB_DISABLE_PROGRESS_BARS", :no_flag}],
      doc: "whether `progress: true` shows a progress line; otherwise only on a terminal"
    ],
    http_proxy: [
      app: :string,
      env: [
        {"http_proxy", :text},
        {"HTTP_PROXY", :text},
        {"all_proxy", :text},
        {"ALL_PROXY", :text}
      ],
      doc: "proxy for `http://` URLs"
    ],
    https_proxy: [
      app: :string,
      env: [
        {"https_proxy", :text},
        {"HTTPS_PROXY", :text},
        {"all_proxy", :text},
        {"ALL_PROXY", :text}
      ],
      doc: "proxy for `https://` URLs"
    ],
    no_proxy: [
      app: :string,
      env: [{"no_proxy", :text}, {"NO_PROXY", :text}],
      doc: "hosts that are accessed without a proxy, in addition to this machine"
    ],
    ca_file: [
      app: :path,
      env:
        for(
          name <- ~w(SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE HEX_CACERTS_PATH),
          do: {name, :path}
        ),
      doc: "certificates to trust instead of the system's: a PEM file or a folder of PEM files"
    ],
    ca_dir: [
      env: [{"SSL_CERT_DIR", :text}],
      doc: "folders of such certificates, separated by `:`; used without the setting above"
    ],
    max_connections: [
      app: :pos_integer,
      default: 16,
      doc: "maximum number of connections for the parts of large files"
    ],
    max_bandwidth: [
      app: :pos_integer,
      doc: "maximum bytes per second of all transfers of the VM together"
    ],
    xet: [
      app: {:in, [:auto, true, false]},
      env: [{"HF_HUB_DISABLE_XET", {:if_true, false}}],
      default: :auto,
      doc: "whether files are transferred by Xet, as the option `:xet` of calls"
    ],
    shared_blobs: [
      app: :boolean,
      env: [{"HF_HUB_DISABLE_SHARED_BLOBS", :no_flag}],
      default: true,
      doc:
        "whether repositories in the cache share files of Xet storage that have the same content; needs `:xet` and `:symlinks`"
    ],
    xet_cache_dir: [
      app: :path,
      env: [
        {"HF_XET_CACHE", :path},
        {"HF_HOME", {:below, "xet"}},
        {"XDG_CACHE_HOME", {:below, "huggingface/xet"}}
      ],
      default: {:path, @home <> "/xet"},
      doc: "the folder for what is known about the contents of Xet storage; at most 1 GB is kept"
    ],
    xet_buffer: [
      app: :pos_integer,
      default: 134_217_728,
      doc:
        "memory for all downloads by Xet, in bytes, beyond 6 MiB for each, and for all uploads; larger is faster on networks of several Gbit/s"
    ],
    max_cache_size: [
      app: :non_neg_integer,
      entry: {:cache_opts, :max_size},
      doc:
        "size, in bytes, that `HfHub.Cache.evict/1` reduces the cache to if its options name no other limit"
    ],
    user_agent: [
      app: :string,
      doc: "name and version of the application, such as `my_app/1.0`, to append to the user agent"
    ],
    user_agent_origin: [
      env: [{"HF_HUB_USER_AGENT_ORIGIN", :text}],
      doc: "text to append to the user agent"
    ],
    device_client_id: [
      env: [{"HF_DEVICE_CODE_OAUTH_CLIENT_ID", :text}],
      # Not a secret: the public client id of the official clients.
      default: "26be6b09-91c5-47da-9861-d2d2bb7a7e36",
      doc: "OAuth client id of browser logins with `HfHub.Auth.login/1`"
    ],
    oidc_resource: [
      env: [{"HF_OIDC_RESOURCE", :text}],
      doc: "the repository or user that a CI job requests a token for"
    ],
    bumblebee_cache_dir: [
      env: [{"BUMBLEBEE_CACHE_DIR", :path}],
      doc: "the cache folder of Bumblebee, which `HfHub.Bumblebee.seed_cache/2` fills"
    ],
    local_hub_executable: [
      app: :path,
      env: [{"HF_HUB_SERVER_PATH", :text}],
      doc: "the server executable of `HfHub.LocalHub`"
    ]
  ]

  @doc false
  @spec names() :: [atom()]
  def names, do: Keyword.keys(@table)

  @doc false
  # The value of a setting and its source.
  @spec find(atom(), keyword()) :: {term(), origin()}
  def find(name, opts \\ []) do
    rule = Keyword.fetch!(@table, name)

    option(name, opts) || app(name, rule[:app]) || entry(rule[:entry], rule[:app]) ||
      Enum.find_value(rule[:env] || [], &env/1) ||
      {ready(rule[:default]), :default}
  end

  @doc false
  @spec value(atom(), keyword()) :: term()
  def value(name, opts \\ []), do: name |> find(opts) |> elem(0)

  @doc false
  # The environment variables whose text is not a value of their setting.
  @spec ignored() :: [String.t()]
  def ignored do
    for {_name, rule} <- @table,
        {variable, :seconds} <- rule[:env] || [],
        Source.env(variable) != nil and Source.env(variable, :seconds) == nil,
        do: variable
  end

  @doc false
  # The table in Markdown, for the docs.
  @spec docs() :: String.t()
  def docs do
    rows =
      for {name, rule} <- @table do
        app = Enum.join(if(rule[:app], do: ["`#{inspect(name)}`"], else: []) ++ entry_doc(rule[:entry]), ", ")
        env = Enum.map_join(rule[:env] || [], ", ", fn {variable, _form} -> "`#{variable}`" end)
        # Last, because a terminal pads the columns before it to their widest cell.
        "| #{app} | #{env} | #{rule[:doc]}; default: #{shown(rule[:default])} |"
      end

    Enum.join(["| `config :hf_hub` | environment | setting |", "|---|---|---|" | rows], "\n")
  end

  defp option(name, opts), do: if((value = opts[name]) != nil, do: {value, :option})

  defp app(_name, nil), do: nil
  defp app(name, type), do: if((value = Source.app(name, type)) != nil, do: {value, {:config, name}})

  defp entry(nil, _type), do: nil

  defp entry({key, entry}, type),
    do: if((value = Source.app_entry(key, entry, type)) != nil, do: {value, {:config, key}})

  defp env({variable, form}) do
    if (value = Source.env(variable, form)) != nil, do: {ready(value), {:env, variable}}
  end

  # Expanded only when used: a service may have no home folder.
  defp ready({:path, path}), do: Source.expand(path)
  defp ready(value), do: value

  defp entry_doc(nil), do: []
  defp entry_doc({key, entry}), do: ["`#{key}: [#{entry}: …]`"]

  defp shown(nil), do: "none"
  defp shown({:path, path}), do: "`#{path}`"
  defp shown([]), do: "none"
  defp shown(value), do: "`#{value}`"
end
