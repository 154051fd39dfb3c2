defmodule HfHub.InferenceMediaTest do
  # With stubs of the libraries in a separate VM: a module that is loaded here would be found by other tests.
  use HfHub.Case, async: true

  alias HfHub.Vm

  test "media and embeddings are converted by the libraries that are there", context do
    script = """
    for name <- ~w(kino nx vix), do: Code.require_file("#{Path.expand("../support", __DIR__)}/\#{name}_stub.exs")
    alias HfHub.Inference.Media

    check = fn expected, actual ->
      if expected != actual, do: raise("expected \#{inspect(expected)}, got: \#{inspect(actual)}")
    end

    kino = fn media ->
      shown = Media.to_kino(media)
      check.({shown.__struct__, shown.type}, with({:output, cell} <- Kino.Render.to_livebook(media), do: {cell.__struct__, cell.type}))
      {shown.__struct__, shown.content, shown.type}
    end

    check.({Kino.Image, "image", "image/jpeg"}, kino.(%Media{data: "image", content_type: "image/jpeg"}))
    check.({Kino.Audio, "a", "audio/flac"}, kino.(%Media{data: "a", content_type: "audio/flac"}))
    check.({Kino.Video, "v", "video/mp4"}, kino.(%Media{data: "v", content_type: "video/mp4"}))

    for {bytes, module, type} <- [
          {<<0x89, "PNG">>, Kino.Image, "image/png"},
          {<<0xFF, 0xD8, 0xFF, 0xE0>>, Kino.Image, "image/jpeg"},
          {"RIFF1234WEBP", Kino.Image, "image/webp"},
          {"RIFF1234WAVE", Kino.Audio, "audio/wav"},
          {"fLaC", Kino.Audio, "audio/flac"},
          {<<0xFF, 0xFB, 0>>, Kino.Audio, "audio/mpeg"},
          {<<0, 0, 0, 24, "ftypmp42">>, Kino.Video, "video/mp4"}
        ],
        unknown <- [nil, "application/octet-stream"],
        do: check.({module, bytes, type}, kino.(%Media{data: bytes, content_type: unknown}))

    check.(Vix.Vips.Image, Media.to_vix(%Media{data: "image"}).__struct__)
    pixels = Media.to_nx(%Media{data: "image"})
    check.({<<1, 2, 3, 4, 5, 6>>, {1, 2, 3}, {:u, 8}}, {pixels.data, pixels.shape, pixels.type})
    check.(<<1.0::float-native-32, 2.0::float-native-32>>, HfHub.Inference.to_nx([[1.0], [2.0]]).data)

    error =
      try do
        Media.to_nx(%Media{data: "no image"})
      rescue
        error in HfHub.Error -> error
      end

    check.({:invalid_response, "Failed to find load buffer"}, {error.kind, error.reason})
    IO.puts("converted")
    """

    assert {output, 0} = Vm.run(Vm.script(context, script))
    assert output =~ "converted"
  end
end
