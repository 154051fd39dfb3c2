defmodule HfHub.Extract do
  @moduledoc """
  Unpacks archives: zip, tar, tar.gz, tar.xz and single gz files.

  Archives are untrusted input. No entry can escape the destination, neither by its name nor through a link; device
  files are refused; and an archive that exceeds a limit is an error. Files are unpacked beside the destination and moved
  there once all of them are valid, so a failure leaves nothing behind.
  """

  alias HfHub.{Error, Native, Options}
  alias HfHub.Native.Nif

  @type archive_type :: :zip | :tar | :tar_gz | :tar_xz | :gz

  @options [
    max_size: [
      type: :pos_integer,
      doc:
        "Maximum total size of all files, in bytes. Defaults to 200 times the archive's size, but at least 1 GiB."
    ],
    max_entries: [
      type: :pos_integer,
      default: 1_000_000,
      doc: "Maximum number of files, folders and links."
    ]
  ]

  @doc """
  Unpacks `archive` to `destination` and returns the destination.

  The destination is a folder, or a file for `.gz`. Files in an existing folder are kept, except those that the archive
  replaces.

  ## Options

  #{Options.docs(@options)}

  ## Examples

      iex> HfHub.Extract.extract("missing.zip", "somewhere") |> elem(0)
      :error
  """
  @spec extract(Path.t(), Path.t(), keyword()) :: {:ok, Path.t()} | {:error, Error.t()}
  def extract(archive, destination, opts \\ []) when is_binary(archive) and is_binary(destination) do
    opts = Options.validate!(opts, @options)

    spec = %{
      archive: Path.expand(archive),
      destination: Path.expand(destination),
      limits: %{max_size: opts[:max_size], max_entries: opts[:max_entries]}
    }

    Native.run(:extract, spec)
  end

  @doc "Same as `extract/3`, but returns the destination or raises `HfHub.Error`."
  @spec extract!(Path.t(), Path.t(), keyword()) :: Path.t()
  def extract!(archive, destination, opts \\ []), do: Error.unwrap!(extract(archive, destination, opts))

  @doc """
  Returns the archive type that a file name indicates, or `nil`.

  ## Examples

      iex> HfHub.Extract.detect_archive_type("data/train.TAR.GZ")
      :tar_gz
      iex> HfHub.Extract.detect_archive_type("model.safetensors")
      nil
  """
  @spec detect_archive_type(Path.t()) :: archive_type() | nil
  def detect_archive_type(path) do
    case Nif.archive_format(path) do
      nil -> nil
      [format, _stem] -> format
    end
  end

  @doc """
  Returns the default destination of an archive: its path without the extension.

  ## Examples

      iex> HfHub.Extract.default_extract_path("data/né.zip")
      "data/né"
  """
  @spec default_extract_path(Path.t()) :: Path.t()
  def default_extract_path(path) do
    case Nif.archive_format(path) do
      nil -> path <> ".extracted"
      [_format, stem] -> stem
    end
  end
end
