defmodule HfHub.InferenceMediaTest do
  # The libraries are stubs of their documented contracts, in a separate VM: a module that is loaded here would be found by
  # other tests.
  use HfHub.Case, async: true

  alias HfHub.Vm

  @stubs """
  defmodule Kino.Image do
    def new(content, "image/" <> _ = type) when is_binary(content), do: {:kino_image, content, type}
  end

  defmodule Kino.Audio do
    def new(content, "audio/" <> _ = type, opts \\\\ []) when is_binary(content), do: {:kino_audio, content, type, opts}
  end

  defmodule Kino.Video do
    def new(content, "video/" <> _ = type, opts \\\\ []) when is_binary(content), do: {:kino_video, content, type, opts}
  end

  defmodule Vix.Vips.Image do
    def new_from_buffer(bin, opts \\\\ [])
    def new_from_buffer("image", []), do: {:ok, :vix_image}
    def new_from_buffer(_bin, []), do: {:error, "Failed to find load buffer"}

    def write_to_tensor(:vix_image),
      do: {:ok, %{data: <<1, 2, 3, 4, 5, 6>>, shape: {1, 2, 3}, names: [:height, :width, :bands], type: {:u, 8}}}
  end

  defmodule Nx do
    def tensor(list, opts), do: {:tensor, list, opts}
    def from_binary(binary, type) when is_binary(binary), do: {:flat, binary, type}
    def reshape(tensor, shape, opts), do: {:reshaped, tensor, shape, opts}
  end
  """

  test "media and embeddings are converted by the libraries that are there", context do
    script = """
    #{@stubs}
    alias HfHub.Inference.Media
    {:kino_image, "image", "image/jpeg"} = Media.to_kino(%Media{data: "image", content_type: "image/jpeg"})
    {:kino_image, "image", "image/png"} = Media.to_kino(%Media{data: "image"})
    {:kino_audio, "a", "audio/flac", []} = Media.to_kino(%Media{data: "a", content_type: "audio/flac"})
    {:kino_video, "v", "video/mp4", []} = Media.to_kino(%Media{data: "v", content_type: "video/mp4"})
    :vix_image = Media.to_vix(%Media{data: "image"})

    {:reshaped, {:flat, <<1, 2, 3, 4, 5, 6>>, {:u, 8}}, {1, 2, 3}, [names: [:height, :width, :bands]]} =
      Media.to_nx(%Media{data: "image"})

    {:tensor, [[1.0]], [type: {:f, 32}]} = HfHub.Inference.to_nx([[1.0]])

    error =
      try do
        Media.to_nx(%Media{data: "no image"})
      rescue
        error in HfHub.Error -> error
      end

    :invalid_response = error.kind
    "Failed to find load buffer" = error.reason
    IO.puts("converted")
    """

    assert {output, 0} = Vm.run(Vm.script(context, script))
    assert output =~ "converted"
  end
end
