defmodule HfHub.Inference.Failure do
  # The errors of servers of models, each of which has a form of its own for the reason.
  @moduledoc false

  alias HfHub.{Decode, Error}
  alias HfHub.Inference.{Provider, Route}

  # What servers of text-generation-inference call their errors.
  @kinds %{"validation" => :bad_request, "overloaded" => :rate_limited}

  # Characters of a reason; some servers repeat the whole request in it.
  @longest 1000

  @doc "Returns the error of a response with the reason that its body has, and a hint where one helps."
  @spec explained(Error.t(), Route.t()) :: Error.t()
  def explained(error, route) do
    # Again through `Error.new/3`, which masks tokens: the text is the server's.
    %{reason: reason} = Error.new(error.kind, "", reason: error.reason || reason(error.details))
    hinted(%{error | reason: reason}, route)
  end

  defp hinted(%{status: 504, message: message} = error, %{task: "conversational"}) do
    %{error | message: message <> "; the reply may be too long to be sent as a whole, so try stream: true"}
  end

  defp hinted(error, _route), do: error

  @doc "Returns a response, and raises the error that some servers report with the status 200."
  @spec check!(Provider.answer(), Route.t()) :: Provider.answer()
  def check!(%{content: %{"error" => error} = json}, route) when error not in [nil, false, ""] do
    raise Error.new(:server, "#{route.provider} could not produce the result",
            reason: text(error),
            details: json
          )
  end

  def check!(answer, _route), do: answer

  @doc "Returns the error that a server reports in an event of a stream, whose entry `\"error\"` is `error`."
  @spec event(term(), map()) :: Error.t()
  def event(error, data) do
    kind = Map.get(@kinds, data["error_type"], :server)
    Error.new(kind, "the model failed while it produced the result", reason: text(error), details: data)
  end

  # OpenAI's API has `error.message`, FastAPI `detail`, which is a text or a list of what is wrong with the request.
  defp reason(details), do: text(Decode.get(details, "error")) || text(Decode.get(details, "detail"))

  defp text(text) when is_binary(text) and text != "",
    do: text |> String.slice(0, @longest) |> String.replace(~r/[[:cntrl:]]/u, " ")

  defp text(%{"message" => message}), do: text(message)
  defp text(%{"msg" => message}), do: text(message)

  defp text([_ | _] = list) do
    case for item <- list, text = text(item), do: text do
      [] -> nil
      texts -> texts |> Enum.join("; ") |> text()
    end
  end

  defp text(_other), do: nil
end
