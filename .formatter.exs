[
  inputs: ["{mix,.formatter}.exs", "{bench,bin,config,examples,lib,mix,test}/**/*.{ex,exs}"],
  line_length: 110
]
