"""A lock in other forms: one module a form, each a function from `model.Exported` to text."""
