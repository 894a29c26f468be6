"""Models: find people in a frame. One file for each family; `_template.py` shows how.

A model module offers

    SPECS: dict[str, ModelSpec]     its tags; the first is the default
    create(argument, *, engine, threads, weights) -> Segmenter

and loads no engine until `create` is called.
"""
