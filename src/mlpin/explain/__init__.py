"""Why a project cannot be solved, and which edits of the user's own lines mend it."""
