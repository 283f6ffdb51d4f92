"""Fragments and policies, from lint to rollback: what is here, what is there, and every guarded way to change it.

`documents` names places, `local` reads folders, `deployed` reads the gateway, `compare` and `inspect` look, `plan`
decides (pure), `execute` writes, `history` remembers, `rollback` goes back, `watch` looks at callers afterwards,
`rehearse` tries a change on a private copy, `pull` brings a gateway into a folder. Nothing here draws.
"""
