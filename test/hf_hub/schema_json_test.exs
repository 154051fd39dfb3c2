defmodule HfHub.SchemaJsonTest do
  # Jason is not a dependency; a protocol with its contract takes its place.
  use HfHub.Case, async: true

  alias HfHub.{Api, Error}
  alias HfHub.Auth.{DeviceCode, StoredToken, TokenInfo}
  alias HfHub.Cache.{Integrity, Lease}

  @protocol """
  defprotocol Jason.Encoder do
    @fallback_to_any true
    def encode(value, opts)
  end
  """

  @implementations """
  defimpl Jason.Encoder, for: Any do
    def encode(value, _opts), do: raise(Protocol.UndefinedError, protocol: @protocol, value: value)
  end

  defimpl Jason.Encoder, for: [Atom, BitString, Integer, Float] do
    def encode(value, _opts), do: HfHub.Native.Nif.to_json(value)
  end

  defimpl Jason.Encoder, for: DateTime do
    def encode(time, _opts), do: HfHub.Native.Nif.to_json(DateTime.to_iso8601(time))
  end

  defimpl Jason.Encoder, for: List do
    def encode(list, opts), do: [?[, Enum.map_intersperse(list, ?,, &Jason.Encoder.encode(&1, opts)), ?]]
  end

  defimpl Jason.Encoder, for: Map do
    def encode(map, opts) do
      pairs = for {name, value} <- map, do: [HfHub.Native.Nif.to_json("\#{name}"), ?:, Jason.Encoder.encode(value, opts)]
      [?{, Enum.intersperse(pairs, ?,), ?}]
    end
  end
  """

  setup_all do
    dir = Path.join(System.tmp_dir!(), "hf_hub_jason_#{System.unique_integer([:positive])}")
    File.mkdir_p!(dir)
    on_exit(fn -> File.rm_rf!(dir) end)
    made = Code.compile_string(@protocol) ++ Code.compile_string(@implementations)
    for {module, beam} <- made, do: File.write!(Path.join(dir, "#{module}.beam"), beam)
    Code.prepend_path(dir)
    # Protocols are consolidated from their files.
    for {module, _beam} <- made, do: load(module, &Code.ensure_loaded/1)
    {:ok, protocol_dir: dir}
  end

  defp jason(value), do: apply(Jason.Encoder, :encode, [value, []]) |> IO.iodata_to_binary() |> decode()

  # The object as Elixir terms, by the parser of cards, as JSON is YAML.
  defp decode(json) do
    {:ok, %{data: data}} = HfHub.Native.run(:parse_card, "---\n#{json}\n---\n")
    data
  end

  # As `mix compile` does in a project that has Jason and this library.
  defp consolidate(dir) do
    ebin = :hf_hub |> Application.app_dir("ebin") |> to_charlist()
    structs = Protocol.extract_impls(Jason.Encoder, [to_charlist(dir), ebin])
    {:ok, beam} = Protocol.consolidate(Jason.Encoder, structs)
    load(Jason.Encoder, &:code.load_binary(&1, ~c"consolidated", beam))
    true = Protocol.consolidated?(Jason.Encoder)
    structs
  end

  defp load(module, fun) do
    :code.delete(module)
    :code.purge(module)
    {:module, ^module} = fun.(module)
  end

  defp structs do
    for module <- Application.spec(:hf_hub, :modules),
        Code.ensure_loaded?(module) and function_exported?(module, :__fields__, 0),
        do: module
  end

  test "Jason encodes every struct, before and after its protocol is consolidated", context do
    {id, commit} = repo(context, %{"model.safetensors" => large(20_000)})
    info = Api.model_info!(id, endpoint: context.endpoint, files_metadata: true)
    assert length(structs()) > 40

    for consolidated? <- [false, true] do
      if consolidated?, do: assert(structs() -- consolidate(context.protocol_dir) == [])
      json = jason(info)
      assert %{"id" => ^id, "sha" => ^commit, "private" => false, "downloads" => _} = json
      assert json["updated_at"] == DateTime.to_iso8601(info.updated_at)
      weights = Enum.find(json["siblings"], &(&1["rfilename"] == "model.safetensors"))
      assert %{"size" => 20_000, "lfs" => %{"sha256" => <<_::512>>}} = weights
      refute Map.has_key?(json, "raw")

      for module <- structs(), do: assert(is_map(jason(module.__struct__())), inspect(module))
      assert %{"kind" => "not_found", "message" => "m"} = jason(Error.new(:not_found, "m"))
      assert %{"details" => [["a", "missing"]]} = jason(%Integrity{details: [{"a", :missing}]})
      assert %{"scoped" => [["org", ["repo.write"]]]} = jason(%TokenInfo{scoped: [{"org", ["repo.write"]}]})
      assert %{"maybe" => nil} = jason(%{maybe: nil})
    end
  end

  test "JSON has no secrets and handles" do
    stored = %StoredToken{name: "n", token: "hf_secret", refresh_token: "hf_secret"}
    assert %{"name" => "n"} = found = jason(stored)
    refute inspect(found) =~ "hf_secret"
    code = %DeviceCode{device_code: "hf_secret", user_code: "ABCD"}
    assert %{"user_code" => "ABCD"} = found = jason(code)
    refute inspect(found) =~ "hf_secret"
    lease = %Lease{path: "p", commit: "c", repo_id: "r", repo_type: :model, handle: make_ref()}
    assert %{"path" => "p"} = jason(lease)
  end

  if Code.ensure_loaded?(JSON) do
    test "the JSON module of Elixir encodes structs", context do
      {id, commit} = repo(context, %{"model.safetensors" => large(20_000)})
      info = Api.model_info!(id, endpoint: context.endpoint, files_metadata: true)
      json = info |> JSON.encode!() |> JSON.decode!()
      assert %{"id" => ^id, "sha" => ^commit, "siblings" => [%{"rfilename" => _} | _]} = json
      assert json["updated_at"] == DateTime.to_iso8601(info.updated_at)
      refute Map.has_key?(json, "raw")
      for module <- structs(), do: assert(is_binary(JSON.encode!(module.__struct__())), inspect(module))
      assert %{"kind" => "not_found"} = Error.new(:not_found, "m") |> JSON.encode!() |> JSON.decode!()
    end
  end
end
