defmodule HfHub.Jobs.Position do
  # How far the events of a job were read. They have no ids, and each response begins with the first event of the log: one
  # that is opened again is skipped up to the number of events that were read. A response to a request for the last lines
  # does not show their numbers in the log: reading then continues after the last event.
  #
  #   * `:live` - responses begin with the current event
  #   * `{:count, seen, index}` - numbers of the events that were read, and of the last one in this response
  #   * `{:tail, lines, last}` - the last lines were requested, and the last event of them that was read
  #   * `{:after, last, index}` - reading continues after this event
  @moduledoc false

  alias HfHub.Request.LogTime

  @type t ::
          :live
          | {:count, non_neg_integer(), non_neg_integer()}
          | {:tail, pos_integer(), map() | nil}
          | {:after, map(), non_neg_integer()}

  @doc "Returns the position before the first line, or before the last `lines` lines."
  @spec first(pos_integer() | nil) :: t()
  def first(nil), do: {:count, 0, 0}
  def first(lines), do: {:tail, lines, nil}

  @doc "Returns the parameters of a request at this position."
  @spec query(t()) :: keyword()
  def query({:tail, lines, nil}), do: [tail: lines]
  def query(_position), do: []

  @doc "Returns the position at the beginning of another response."
  @spec reopened(t()) :: t()
  def reopened({:count, seen, _index}), do: {:count, seen, 0}
  def reopened({:tail, _lines, last}) when last != nil, do: {:after, last, 0}
  def reopened({:after, last, _index}), do: {:after, last, 0}
  def reopened(position), do: position

  @doc "Returns whether the next event of a response is new, and the position after it."
  @spec at(t(), map()) :: {boolean(), t()}
  def at(:live, _event), do: {true, :live}
  def at({:tail, lines, _last}, event), do: {true, {:tail, lines, event}}
  def at({:count, seen, index}, _event) when index < seen, do: {false, {:count, seen, index + 1}}
  def at({:count, seen, _index}, _event), do: {true, {:count, seen + 1, seen + 1}}
  def at({:after, event, index}, event), do: {false, {:count, index + 1, index + 1}}

  def at({:after, last, index}, event) do
    # The last event may be missing in the log.
    if LogTime.later?(event, last),
      do: {true, {:count, index + 1, index + 1}},
      else: {false, {:after, last, index + 1}}
  end
end
