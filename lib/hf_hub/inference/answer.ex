defmodule HfHub.Inference.Answer do
  @moduledoc """
  A result of question answering, about a text, a document or an image. Python: `QuestionAnsweringOutputElement`,
  `DocumentQuestionAnsweringOutputElement`, `VisualQuestionAnsweringOutputElement`.
  """

  use HfHub.Schema,
    answer: {"answer", :name, "text that the question asks for"},
    score: {"score", :number, "probability"},
    start: {"start", :integer, "first character in the context, or its first word in the document"},
    end: {"end", :integer, "last character in the context, or its last word in the document"}
end
