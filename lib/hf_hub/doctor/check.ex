defmodule HfHub.Doctor.Check do
  @moduledoc """
  The result of one check of `HfHub.Doctor`.
  """

  use HfHub.Schema,
    name: {:atom, "what was checked, such as `:tls`"},
    status:
      {{:or, [:ok, :warning, :error, :skipped]},
       "`:error` if calls will fail, `:warning` if some may, `:skipped` if it could not be checked"},
    message: {:string, "what was found, without secrets"},
    advice: {{:or, [:string, nil]}, "what to do about it"}
end
