"""A real C# compiler's answers to our own list of expressions: data for CI, and a runner where Mono is installed."""
