defmodule HfHub.Safetensors.Dtype do
  # The data types of the format.
  @moduledoc false

  # In the order of the format's library, which begins a file with the last one: name, bits, type in Nx.
  # Values of less than 8 bits share bytes.
  @dtypes [
    {"BOOL", 8, {:u, 8}},
    {"F4", 4, nil},
    {"F6_E2M3", 6, nil},
    {"F6_E3M2", 6, nil},
    {"U8", 8, {:u, 8}},
    {"I8", 8, {:s, 8}},
    {"F8_E5M2", 8, {:f, 8}},
    {"F8_E4M3", 8, {:f8_e4m3fn, 8}},
    {"F8_E8M0", 8, nil},
    {"F8_E4M3FNUZ", 8, nil},
    {"F8_E5M2FNUZ", 8, nil},
    {"I16", 16, {:s, 16}},
    {"U16", 16, {:u, 16}},
    {"F16", 16, {:f, 16}},
    {"BF16", 16, {:bf, 16}},
    {"I32", 32, {:s, 32}},
    {"U32", 32, {:u, 32}},
    {"F32", 32, {:f, 32}},
    {"C64", 64, {:c, 64}},
    {"F64", 64, {:f, 64}},
    {"I64", 64, {:s, 64}},
    {"U64", 64, {:u, 64}}
  ]

  @doc "Returns the names of the types."
  @spec names() :: [String.t()]
  def names, do: for({name, _bits, _nx} <- @dtypes, do: name)

  for {{name, bits, nx}, rank} <- Enum.with_index(@dtypes) do
    def bits(unquote(name)), do: unquote(bits)
    def nx(unquote(name)), do: unquote(nx)
    def rank(unquote(name)), do: unquote(rank)
  end

  @doc "Returns the number of bits of a value; `nil` if the type is unknown."
  @spec bits(String.t()) :: pos_integer() | nil
  def bits(_unknown), do: nil

  @doc "Returns the type in Nx; `nil` if there is none."
  @spec nx(String.t()) :: {atom(), pos_integer()} | nil
  def nx(_unknown), do: nil

  @doc "Returns the position of the type in a file: types with a greater one come first."
  @spec rank(String.t()) :: non_neg_integer() | nil
  def rank(_unknown), do: nil

  @doc "Returns the type of a value in Nx; `nil` if the format lacks it."
  @spec from_nx({atom(), pos_integer()}) :: String.t() | nil
  # BOOL is read as a number of 8 bits, too.
  def from_nx({:u, 8}), do: "U8"
  def from_nx(type), do: Enum.find_value(@dtypes, fn {name, _bits, nx} -> if nx == type, do: name end)
end
