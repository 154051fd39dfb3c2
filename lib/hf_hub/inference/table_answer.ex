defmodule HfHub.Inference.TableAnswer do
  @moduledoc """
  A result of question answering about a table. Python: `TableQuestionAnsweringOutputElement`.
  """

  use HfHub.Schema,
    answer: {"answer", :name, "text that the question asks for"},
    aggregator: {"aggregator", :string, "function that was applied to the cells, such as `\"SUM\"`"},
    cells: {"cells", [:string], "texts of the cells it was found in", default: []},
    coordinates: {"coordinates", [[:integer]], "row and column of these cells", default: []}
end
