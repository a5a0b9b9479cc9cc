"""The compatibility matrix: what no index says and decides whether a stack runs."""
