"""Our own test split: whole scenes of the training pictures, kept out of training by their names.

Decides which pictures are one scene (`scenes`), which scenes are held out (`choose`), and reads and writes
the list. A scene stays together, since a neighbouring frame in training would tell the answer. Which
figures are computed on the list is `models.eval.run`'s task; that training leaves it out, `models.training`'s.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from models.duplicates import candidates
from models.errors import DataUnusable
from models.eval.dataset import LabelledPicture, LabelledSet
from models.fingerprint import Fingerprint, colours_of, fingerprint, likenesses, shared_corners

#: One scene: this many common corner points, or thumbnails and colours this much alike. Looked at by eye on
#: our pictures: at 9 to 12 corners one pair in ten is not one scene, which only makes scenes larger.
CORNERS_SAME_SCENE: Final = 9
LIKE_SAME_SCENE: Final = 0.85
COLOURS_SAME_SCENE: Final = 0.7
#: Besides the likeliest, a picture is compared with this many that follow by name: often the next frames.
NEIGHBOURS: Final = 4
#: The draw that keeps the classes' shares best is taken out of this many.
DRAWS: Final = 500
#: A scene with more than this share of what is held out of its source stays in training, for variety.
LARGEST: Final = 0.35
#: So many pictures have a beginning of their names in common if it is a source.
OF_A_SOURCE: Final = 10


def scenes(prints: Sequence[Fingerprint]) -> tuple[tuple[int, ...], ...]:
    """Groups of positions in `prints` that show one scene; every position is in exactly one group.

    The prints are of one source, in the order of their names.
    """
    parent = list(range(len(prints)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    _, like = likenesses(prints, prints)
    colours = colours_of(prints) @ colours_of(prints).T
    by_look = {(min(pair), max(pair)) for pair in candidates(prints, prints)}
    by_name = {(k, k + step) for step in range(1, NEIGHBOURS + 1) for k in range(len(prints) - step)}
    for a, b in sorted(by_look | by_name):
        if root(a) == root(b):
            continue
        alike = like[a, b] >= LIKE_SAME_SCENE and colours[a, b] >= COLOURS_SAME_SCENE
        if alike or shared_corners(prints[a], prints[b]) >= CORNERS_SAME_SCENE:
            parent[root(a)] = root(b)
    groups: dict[int, list[int]] = defaultdict(list)
    for k in range(len(prints)):
        groups[root(k)].append(k)
    return tuple(sorted(tuple(group) for group in groups.values()))


def choose(
    pictures: Sequence[LabelledPicture], groups: Sequence[tuple[int, ...]], *, share: float, seed: int
) -> tuple[str, ...]:
    """Stems of the held-out pictures: of each source about `share`, whole groups, every class in it.

    Of many draws the one is taken in which each class's boxes come nearest to `share`; only labels decide,
    no model's result.
    """
    random = np.random.default_rng(seed)
    sources: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    source_of = sources_of(pictures)
    for group in groups:
        sources[source_of[group[0]]].append(group)
    boxes = [Counter(picture.class_names) for picture in pictures]
    total = sum(boxes, Counter())
    best: tuple[float, list[int]] = (np.inf, [])
    for _ in range(DRAWS):
        taken = [k for name in sorted(sources) for k in _draw(sources[name], share, random)]
        held = sum((boxes[k] for k in taken), Counter())
        # An absent class weighs more than any difference of shares can.
        miss = sum(abs(held[c] / total[c] - share) + 10 * (held[c] == 0) for c in total)
        best = min(best, (miss, taken), key=lambda one: one[0])
    return tuple(sorted(pictures[k].path.stem for k in best[1]))


def hold_out(
    data: LabelledSet, *, share: float, seed: int, progress: Callable[[int, int], None] | None = None
) -> tuple[tuple[str, ...], int]:
    """The stems to hold out of a set, and in how many scenes they are; `progress` is told (read, in all)."""
    by: dict[str, list[int]] = defaultdict(list)
    for k, source in enumerate(sources_of(data.pictures)):
        by[source].append(k)
    groups: list[tuple[int, ...]] = []
    done = 0
    for places in by.values():
        prints = []
        for k in places:
            prints.append(fingerprint(data.pictures[k].path))
            done += 1
            if progress is not None:
                progress(done, len(data.pictures))
        groups += [tuple(places[k] for k in group) for group in scenes(prints)]
    stems = choose(data.pictures, groups, share=share, seed=seed)
    taken = frozenset(stems)
    return stems, sum(data.pictures[group[0]].path.stem in taken for group in groups)


def boxes_in(data: LabelledSet, stems: Iterable[str]) -> dict[str, str]:
    """{class: "held out of all" labelled boxes}."""
    held = Counter(name for picture in only(data, stems).pictures for name in picture.class_names)
    total = Counter(name for picture in data.pictures for name in picture.class_names)
    return {name: f"{held[name]} of {total[name]}" for name in data.classes}


def sources_of(pictures: Sequence[LabelledPicture]) -> tuple[str, ...]:
    """Each one's source: by our table, else by the name up to the first underscore, where enough share it.

    Names that say nothing (0001.jpg, IMG-7.jpg) are one source: as one each, every picture would be held out.
    """
    named = [picture.source or picture.path.stem.partition("_")[0] for picture in pictures]
    sizes = Counter(named)
    return tuple(
        name if picture.source or sizes[name] >= OF_A_SOURCE else ""
        for name, picture in zip(named, pictures, strict=True)
    )


def only(data: LabelledSet, stems: Iterable[str]) -> LabelledSet:
    """The pictures whose names (without ending) are in `stems`."""
    kept = frozenset(stems)
    return LabelledSet(classes=data.classes, pictures=tuple(p for p in data.pictures if p.path.stem in kept))


def narrowed(data: LabelledSet, listed: Path | None) -> LabelledSet:
    """The pictures that a list names, all of them if there is no list.

    Raises:
        DataUnusable: the list is none, or names pictures that this split doesn't have.
    """
    if listed is None:
        return data
    stems = read_held_out(listed)
    missing = set(stems) - {picture.path.stem for picture in data.pictures}
    if missing:
        raise DataUnusable(
            listed, f"names {len(missing)} pictures that this split doesn't have, such as {min(missing)!r}"
        )
    return only(data, stems)


def without(pictures: Iterable[LabelledPicture], stems: Iterable[str]) -> tuple[LabelledPicture, ...]:
    """The pictures that are not held out: what training may see."""
    left_out = frozenset(stems)
    return tuple(p for p in pictures if p.path.stem not in left_out)


def read_held_out(path: Path) -> tuple[str, ...]:
    """Stems in a list of held-out pictures.

    Raises:
        DataUnusable: it is no such list.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise DataUnusable(path, f"can't be read: {exc}") from exc
    stems = raw.get("pictures") if isinstance(raw, dict) else None
    if not isinstance(stems, list) or not stems or not all(isinstance(s, str) for s in stems):
        raise DataUnusable(
            path, "`pictures` must list names without ending (hcawatch models hold-out writes it)"
        )
    return tuple(stems)


def held_out_text(stems: Sequence[str], made_by: Mapping[str, Any]) -> str:
    """The file's text: how it was made, then the names."""
    head = (
        "# Our own test split: whole scenes of the training pictures, by name. Training leaves them out, tuning\n"
        "# does not look at them. Figures on them are fair only for weights that were trained without them.\n"
    )
    return head + yaml.safe_dump(
        {**made_by, "pictures": list(stems)}, sort_keys=False, allow_unicode=True, width=100
    )


def _draw(groups: Sequence[tuple[int, ...]], share: float, random: np.random.Generator) -> list[int]:
    wanted = share * sum(len(group) for group in groups)
    small = [group for group in groups if len(group) <= max(1.0, LARGEST * wanted)]
    taken: list[int] = []
    for k in random.permutation(len(small)):
        if len(taken) + len(small[k]) <= wanted + 1:
            taken += small[k]
    return taken
