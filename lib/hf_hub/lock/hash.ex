defmodule HfHub.Lock.Hash do
  # The hashes by which a lock file pins contents, with the names that the engine has for them.
  @moduledoc false

  # Hex digits.
  @lengths %{sha256: 64, git_sha1: 40, git_sha256: 64}

  @doc "Returns whether a value is a hash of that kind."
  @spec valid?(term(), term()) :: boolean()
  def valid?(algorithm, hash),
    do: is_binary(hash) and byte_size(hash) == @lengths[algorithm] and hash =~ ~r/\A[0-9a-f]+\z/
end
