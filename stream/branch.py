"""The branch of a rebuild: a version of it is committed aside, while the next segment is already replayed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from store import ModelStore
from store.rebuilds import Rebuild
from store.types import NewVersion, Version
from stream.aside import Aside
from stream.segment import OpenSegment


class Branch:
    """Grows version by version, each the child of the one before; `tip` and `rebuild` are as they were last saved."""

    def __init__(self, store: ModelStore, aside: Aside, rebuild: Rebuild) -> None:
        self._store = store
        self._aside = aside
        self.rebuild = rebuild
        self.tip = store.version(rebuild.tip)
        self._saving: Future[tuple[Version, Rebuild]] | None = None
        self._following: OpenSegment | None = None

    def segment(self, topics: Sequence[str]) -> OpenSegment:
        """Begin the segment after the last version, which may still be on its way: `land` before its number matters."""
        following, self._following = self._following, None
        return following or OpenSegment.after(topics, self.land())

    def save(self, new: NewVersion, segment: OpenSegment | None = None) -> None:
        """Begin to save the version that was made of a segment, or of none. The one before it has landed."""
        assert self._saving is None, "land what is on its way first"
        rebuild = self.rebuild
        self._following = None if segment is None else OpenSegment.meanwhile(segment)
        self._saving = self._aside.begin(lambda: self._store.rebuild_save(rebuild, new))

    def land(self, segment: OpenSegment | None = None) -> Version:
        """Wait for the last version, tell the segment that follows it, and return it. Raises as `rebuild_save`."""
        if self._saving is not None:
            saving, self._saving = self._saving, None
            self.tip, self.rebuild = saving.result()
            if segment is not None:
                segment.saved(self.tip)
        return self.tip
