[
  inputs: ["{mix,.formatter}.exs", "{bench,bin,config,lib,mix,test}/**/*.{ex,exs}"],
  line_length: 110
]
