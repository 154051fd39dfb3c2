# Reads the card of a model, writes another one, and changes it without losing comments.
Code.require_file("support/example.exs", __DIR__)
Example.start()

{:ok, card} = HfHub.Cards.load_model_card(Example.model())
IO.puts("license: #{card.data.license}, task: #{card.data.pipeline_tag}")

card =
  HfHub.Cards.create_model_card(
    [license: "mit", language: "en", tags: ["example"], base_model: Example.model()],
    "# A model for an example\n"
  )

repo = Example.new_repo("hf-hub-example-card")
{:ok, warnings} = HfHub.Cards.validate(card)
IO.puts("#{length(warnings)} warnings")
{:ok, _info} = HfHub.Commit.upload_file({:binary, HfHub.Cards.render(card)}, "README.md", repo)

{:ok, info} = HfHub.Api.model_info(repo)
IO.puts("the Hub shows: #{Enum.join(info.tags, ", ")}")

{:ok, card} = HfHub.Cards.parse_model_card("---\nlicense: mit # for now\ntags: [a]\n---\n# Title\n")
IO.puts(HfHub.Cards.render(put_in(card.data.tags, ["a", "b"])))
HfHub.Repo.delete!(repo)
