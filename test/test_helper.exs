HfHub.Case.start_hub()
ExUnit.start(exclude: [:python, :build, :slow])
