defmodule HfHub.CLI.Discussions.Attached do
  # Files of `--attach`: a reference to one in the text becomes that to the uploaded file; others are appended.
  @moduledoc false

  alias HfHub.{Attachments, Error}
  alias HfHub.CLI.{Call, Command}

  # ![text](file), ![text](<file>) and ![text](file "title"); the file may contain parentheses.
  @reference ~r/!\[([^\]]*)\]\(<?((?:[^()<>\n]|\([^()<>\n]*\))+?)>?(?:\s+"[^"]*")?\)/

  @doc "Returns the flag."
  @spec flags() :: Command.rules()
  def flags do
    [
      attach: [
        type: {:list, :string},
        doc:
          "Picture, video or sound to attach, as `FILE` or `FILE#text`. `![text](FILE)` in the body shows it there, " <>
            "otherwise it is appended"
      ]
    ]
  end

  @doc "Uploads the files of a call, and returns the text that shows them."
  @spec text(Call.t(), String.t()) :: {:ok, String.t()} | {:error, Error.t() | String.t()}
  def text(call, body) do
    with {:ok, files} <- Call.each(call.flags[:attach] || [], &file/1),
         {:ok, uploaded} <- files |> Enum.uniq_by(&elem(&1, 0)) |> Call.each(&upload(&1, call)),
         do: {:ok, if(files == [], do: body, else: shown(body, uploaded))}
  end

  defp file(text) do
    [path | alt] = if File.regular?(text), do: [text], else: String.split(text, "#", parts: 2)

    if File.regular?(path),
      do: {:ok, {Path.expand(path), if(alt in [[], [""]], do: stem(path), else: hd(alt))}},
      else: {:error, "no such file to attach: #{path}"}
  end

  defp stem(path), do: path |> Path.basename() |> Path.rootname()

  defp upload({path, alt}, call) do
    with {:ok, url} <- Attachments.upload(path, Call.options(call)), do: {:ok, {path, alt, url}}
  end

  defp shown(body, uploaded) do
    named = for [_all, _alt, name] <- Regex.scan(@reference, body), do: local(name)

    text =
      Regex.replace(@reference, body, fn all, alt, name ->
        case List.keyfind(uploaded, local(name), 0) do
          {path, _alt, url} -> markdown(path, alt, url)
          nil -> all
        end
      end)

    appended = for {path, alt, url} <- uploaded, path not in named, do: markdown(path, alt, url)
    [String.trim(text) | appended] |> Enum.reject(&(&1 == "")) |> Enum.join("\n\n")
  end

  defp local(name), do: name |> URI.decode() |> Path.expand()

  # As the editor of the Hub inserts them: it shows the address of a video as a player.
  defp markdown(path, alt, url) do
    case path |> Path.extname() |> String.downcase() do
      sound when sound in ~w(.mp3 .wav) -> ~s(<audio controls src="#{url}"></audio>)
      video when video in ~w(.mp4 .mov .webm) -> url
      _picture -> "![#{alt}](#{url})"
    end
  end
end
