defmodule HfHub.Inference.Tasks.Image do
  # Tasks with images and videos.
  @moduledoc false

  alias HfHub.Inference.{Answer, Classification, DetectedObject, Media, Parameters, Segment}

  @seed Parameters.tokens([:seed])

  @negative_prompt [
    negative_prompt: [type: :string, doc: "What the result must not show."]
  ]

  @steps [
    num_inference_steps: [
      type: :pos_integer,
      doc: "Number of denoising steps. More of them take longer and usually give a better result."
    ],
    guidance_scale: [type: :number, doc: "How closely the result follows the prompt."]
  ]

  @prompt [prompt: [type: :string, doc: "Text that describes the result."]]

  @target_size [
    target_size: [type: :map, doc: "Size of the result in pixels, as a map of `:width` and `:height`."]
  ]

  @frames [num_frames: [type: :pos_integer, doc: "Number of frames."]]

  @rows [
    document_question_answering: [
      task: "document-question-answering",
      doc: "Finds what a question asks for in the image of a document.",
      args: [:image, :question],
      params:
        Parameters.question() ++
          Parameters.results() ++
          [
            lang: [type: :string, doc: "Language of the text recognition."],
            word_boxes: [
              type: {:list, :any},
              doc: "Words and their boxes, if the text was recognized before."
            ]
          ],
      returns: [Answer],
      example: """
      {:ok, [%{answer: number} | _rest]} =
        HfHub.Inference.document_question_answering(
          client,
          {:path, "invoice.png"},
          "What is the invoice number?"
        )
      """
    ],
    image_classification: [
      task: "image-classification",
      doc: "Classifies an image.",
      args: [:image],
      params: Parameters.classification(),
      returns: [Classification],
      example: """
      {:ok, [%{label: label} | _rest]} =
        HfHub.Inference.image_classification(client, {:path, "cat.jpg"})
      """
    ],
    image_segmentation: [
      task: "image-segmentation",
      doc: "Divides an image into labelled parts.",
      args: [:image],
      params: [
        threshold: [type: :number, doc: "Minimum probability of a part."],
        mask_threshold: [type: :number, doc: "Threshold of the masks' pixels."],
        overlap_mask_area_threshold: [
          type: :number,
          doc: "Threshold for discarding small, disconnected parts."
        ],
        subtask: [type: {:in, [:instance, :panoptic, :semantic]}, doc: "Kind of segmentation."]
      ],
      returns: [Segment],
      example: """
      {:ok, parts} = HfHub.Inference.image_segmentation(client, {:path, "street.jpg"})
      for part <- parts, do: File.write!("\#{part.label}.png", part.mask.data)
      """
    ],
    image_to_image: [
      task: "image-to-image",
      doc: "Makes a new image of an image.",
      args: [:image],
      params: @prompt ++ @negative_prompt ++ @steps ++ @target_size,
      returns: Media,
      example: """
      {:ok, image} =
        HfHub.Inference.image_to_image(client, {:path, "cat.jpg"}, prompt: "make it a tiger")

      File.write!("tiger.png", image.data)
      """
    ],
    image_to_video: [
      task: "image-to-video",
      doc: "Makes a video that begins with an image.",
      args: [:image],
      params: @prompt ++ @negative_prompt ++ @frames ++ @steps ++ @seed ++ @target_size,
      returns: Media,
      example: """
      {:ok, video} =
        HfHub.Inference.image_to_video(client, {:path, "cat.jpg"}, prompt: "the cat jumps")

      File.write!("cat.mp4", video.data)
      """
    ],
    image_to_text: [
      task: "image-to-text",
      doc: "Describes an image, or returns the text in it.",
      args: [:image],
      params: [],
      returns: :string,
      example: """
      {:ok, caption} = HfHub.Inference.image_to_text(client, {:path, "cat.jpg"})
      """
    ],
    object_detection: [
      task: "object-detection",
      doc: "Finds objects in an image.",
      args: [:image],
      params: [threshold: [type: :number, doc: "Minimum probability of an object."]],
      returns: [DetectedObject],
      example: """
      {:ok, objects} = HfHub.Inference.object_detection(client, {:path, "street.jpg"})
      for object <- objects, do: {object.label, object.box}
      """
    ],
    text_to_image: [
      task: "text-to-image",
      doc: "Makes an image from a text.",
      args: [:prompt],
      params:
        @negative_prompt ++
          [
            height: [type: :pos_integer, doc: "Height, in pixels."],
            width: [type: :pos_integer, doc: "Width, in pixels."],
            scheduler: [type: :string, doc: "Name of the scheduler."]
          ] ++ @steps ++ @seed,
      returns: Media,
      example: """
      {:ok, image} =
        HfHub.Inference.text_to_image(client, "an astronaut riding a horse", width: 512, height: 512)

      File.write!("astronaut.png", image.data)
      """
    ],
    text_to_video: [
      task: "text-to-video",
      doc: "Makes a video from a text.",
      args: [:prompt],
      params:
        [negative_prompt: [type: {:list, :string}, doc: "What the result must not show."]] ++
          @frames ++ @steps ++ @seed,
      returns: Media,
      example: """
      {:ok, video} = HfHub.Inference.text_to_video(client, "a young man walking on the street")
      File.write!("walk.mp4", video.data)
      """
    ],
    visual_question_answering: [
      task: "visual-question-answering",
      doc: "Returns what a question about an image asks for.",
      args: [:image, :question],
      params: Parameters.results(),
      returns: [Answer],
      example: """
      {:ok, [%{answer: animal} | _rest]} =
        HfHub.Inference.visual_question_answering(
          client,
          {:path, "cat.jpg"},
          "What is the animal doing?"
        )
      """
    ],
    zero_shot_image_classification: [
      task: "zero-shot-image-classification",
      doc: "Classifies an image by labels of your choice, at least two.",
      args: [:image, :labels],
      params: [hypothesis_template: [type: :string, doc: "Sentence with `{}` in the place of a label."]],
      returns: [Classification],
      example: """
      {:ok, [%{label: "cat"} | _rest]} =
        HfHub.Inference.zero_shot_image_classification(client, {:path, "pet.jpg"}, ["cat", "dog"])
      """
    ]
  ]

  @doc "Returns the rows; see `HfHub.Inference.Tasks`."
  @spec rows() :: keyword(keyword())
  def rows, do: @rows
end
