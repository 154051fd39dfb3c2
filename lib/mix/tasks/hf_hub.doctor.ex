defmodule Mix.Tasks.HfHub.Doctor do
  use HfHub.CLI.Task, noun: HfHub.CLI.Doctor
end
