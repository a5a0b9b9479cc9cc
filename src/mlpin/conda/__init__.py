"""conda's own notions as values: records, MatchSpecs, versions, virtual packages, the names of both worlds."""
