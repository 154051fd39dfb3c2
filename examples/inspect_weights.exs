# Reads the names, types and shapes of a model's tensors without downloading the model.
Code.require_file("support/example.exs", __DIR__)
Example.start()

{:ok, metadata} = HfHub.Safetensors.metadata(Example.model())
for {type, count} <- metadata.parameter_count, do: IO.puts("#{count} parameters of type #{type}")

for {name, file} <- metadata.files_metadata, {tensor, info} <- Enum.take(file.tensors, 3) do
  IO.puts("#{name}: #{tensor} #{inspect(info.shape)}")
end
