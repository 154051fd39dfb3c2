defmodule HfHub.Test.Plan do
  # What a connection of a scripted Hub sends: a response, and the fault in it.
  @moduledoc false

  alias HfHub.Test.Routes

  @enforce_keys [:status, :headers, :body]
  defstruct [:status, :headers, :body, :fault]

  @type t :: %__MODULE__{
          status: pos_integer() | nil,
          headers: [{String.t(), term()}],
          body: binary(),
          fault: term()
        }

  @doc "Returns the plan for a request with a fault, if any; `respond` is called unless the fault stands for the response."
  @spec new(term(), (() -> Routes.response())) :: t()
  def new(fault, respond)
  def new({:status, code}, _respond), do: plan({code, [], ""})
  def new({:status, code, headers}, _respond), do: plan({code, headers, ""})
  def new({:rate_limit, seconds}, _respond), do: plan({429, [{"retry-after", "#{seconds}"}], ""})

  def new(fault, _respond) when fault in [:hang, :hang_up],
    do: %__MODULE__{status: nil, headers: [], body: "", fault: fault}

  def new({:body, text}, respond), do: %{plan(respond.()) | body: text}
  def new({:corrupt, at}, respond), do: Map.update!(plan(respond.()), :body, &corrupt(&1, at))
  def new(fault, respond), do: %{plan(respond.()) | fault: fault}

  defp plan({status, headers, body}), do: %__MODULE__{status: status, headers: headers, body: body}

  defp corrupt(body, at) when at < byte_size(body) do
    <<before::binary-size(at), byte, rest::binary>> = body
    <<before::binary, Bitwise.bxor(byte, 1), rest::binary>>
  end

  defp corrupt(body, _beyond), do: body
end
