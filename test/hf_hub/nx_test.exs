defmodule HfHub.NxTest do
  # With a stub of Nx, which is loaded for this module's tests only.
  use HfHub.Case, async: false

  alias HfHub.{Error, Safetensors}
  alias HfHub.Safetensors.Dtype

  defp with_nx(_context), do: stub(:nx)

  defp model(context, tensors) do
    path = Path.join(context.dir, "m.safetensors")
    Safetensors.write!(path, tensors)
    Safetensors.open!(path)
  end

  test "without Nx, the error names the dependency", context do
    model = model(context, %{"w" => {"U8", [1], "x"}})
    assert_raise ArgumentError, ~r/Nx is not loaded; add \{:nx/, fn -> Safetensors.nx_tensor(model, "w") end
    assert_raise ArgumentError, ~r/Nx is not loaded/, fn -> Safetensors.lazy_tensors(model) end
    assert_raise ArgumentError, ~r/or a tensor of Nx/, fn -> model(context, %{"w" => %{shape: {1}}}) end
  end

  describe "with Nx" do
    setup :with_nx

    test "tensors of all types are read, with their type or as their bytes", context do
      tensors =
        for dtype <- Dtype.names(),
            do: {dtype, {dtype, [3, 8], large(3 * Dtype.bits(dtype))}}

      model = model(context, tensors)

      for {dtype, {_, _, bytes}} <- tensors do
        tensor = Safetensors.nx_tensor!(model, dtype)
        assert tensor.data == bytes
        {type, shape} = expected(dtype)
        assert {dtype, tensor.type, tensor.shape} == {dtype, type, shape}
      end

      Process.put(:old_nx, true)
      for dtype <- ["F8_E4M3", "F8_E5M2"], do: assert(Safetensors.nx_tensor!(model, dtype).type == {:u, 8})
    end

    defp expected("F4"), do: {{:u, 8}, {3, 4}}
    defp expected("F6_" <> _), do: {{:u, 8}, {3, 6}}
    defp expected("F8_E4M3"), do: {{:f8_e4m3fn, 8}, {3, 8}}
    defp expected("F8_E5M2"), do: {{:f, 8}, {3, 8}}
    defp expected("F8" <> _), do: {{:u, 8}, {3, 8}}
    defp expected("BOOL"), do: {{:u, 8}, {3, 8}}
    defp expected("BF" <> bits), do: {{:bf, String.to_integer(bits)}, {3, 8}}
    defp expected("I" <> bits), do: {{:s, String.to_integer(bits)}, {3, 8}}
    defp expected("U" <> bits), do: {{:u, String.to_integer(bits)}, {3, 8}}
    defp expected("F" <> bits), do: {{:f, String.to_integer(bits)}, {3, 8}}
    defp expected("C" <> bits), do: {{:c, String.to_integer(bits)}, {3, 8}}

    test "rows, scalars and odd bytes have their shapes, and empty tensors are errors", context do
      model =
        model(context, %{
          "w" => {"I16", [4, 2], large(16)},
          "s" => {"F64", [], large(8)},
          "odd" => {"F4", [2, 3], large(3)},
          "none" => {"F32", [0, 2], ""}
        })

      assert Safetensors.nx_tensor!(model, "w", rows: 1..2).shape == {2, 2}
      assert Safetensors.nx_tensor!(model, "s").shape == {}
      assert Safetensors.nx_tensor!(model, "odd").shape == {3}
      assert {:error, %Error{kind: :bad_request}} = Safetensors.nx_tensor(model, "odd", rows: 0..0)
      assert {:error, %Error{kind: :bad_request}} = Safetensors.nx_tensor(model, "none")
      assert {:error, %Error{kind: :not_found}} = Safetensors.nx_tensor(model, "x")
    end

    test "lazy tensors are read when Nx needs them, with the types and shapes of their templates", context do
      tensors =
        for dtype <- Dtype.names(),
            do: {dtype, {dtype, [3, 8], large(3 * Dtype.bits(dtype))}}

      path = Path.join(context.dir, "lazy.safetensors")
      Safetensors.write!(path, [{"odd", {"F4", [2, 3], large(3)}} | tensors])
      # As Bumblebee.load_model/2 calls its :safetensors_reader.
      lazy = HfHub.Bumblebee.read_safetensors(path)
      assert map_size(lazy) == length(tensors) + 1

      for {_name, tensor} <- lazy,
          do: assert(apply(Nx.LazyContainer, :impl_for, [tensor]) != Nx.LazyContainer.Any)

      for {name, {_, _, bytes}} <- tensors, do: assert(apply(Nx, :to_tensor, [lazy[name]]).data == bytes)
      assert apply(Nx, :to_tensor, [lazy["odd"]]).shape == {3}
      assert inspect(lazy["F32"]) == "#HfHub.Safetensors.LazyTensor<F32, F32, [3, 8]>"

      File.write!(path, "changed")
      assert_raise Error, ~r/was changed or truncated/, fn -> apply(Nx, :to_tensor, [lazy["F32"]]) end
      assert_raise Error, ~r/invalid safetensors file/, fn -> HfHub.Bumblebee.read_safetensors(path) end
    end

    test "tensors of Nx are written", context do
      values = large(12)
      tensor = apply(Nx, :from_binary, [values, {:bf, 16}])
      model = model(context, %{"w" => apply(Nx, :reshape, [tensor, {3, 2}])})
      assert model.tensors["w"].dtype == "BF16" and model.tensors["w"].shape == [3, 2]
      assert Safetensors.tensor!(model, "w") == values
      complex = apply(Nx, :from_binary, [large(16), {:c, 128}])
      wrong = ~r/invalid tensor "w": its type \{:c, 128\} of Nx is none of safetensors files/
      assert_raise ArgumentError, wrong, fn -> model(context, %{"w" => complex}) end
    end
  end
end
