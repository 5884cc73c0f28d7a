from servewatch.schema import Schema
from servewatch.sketch.layout import Layout
from servewatch.sketch.window import Window
from servewatch.store.memory import MemoryStore
from servewatch.store.protocol import Sealed

LAYOUT = Layout(Schema(()), ())


def test_sealed_blocks_are_kept_up_to_a_number_of_bytes() -> None:
    window = Window.empty(LAYOUT, 0.0, 10.0)
    store = MemoryStore(kept_bytes=3 * window.counts.nbytes)
    store.lease("one", 0.0, 15.0)
    for number in range(5):
        after = number - 1 if number else None
        block = Sealed(number, window)
        assert store.seal(
            block, parts=[number], evidence=b"", after=after, holder="one"
        )

    assert [block.number for block in store.sealed(0)] == [2, 3, 4]
