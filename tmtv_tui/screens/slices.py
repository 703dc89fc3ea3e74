"""Slices of a case: planes through the one cursor, read by a worker, drawn when they are there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.origin import Status
from tmtv_tui.review.cursor import Cursor, Index
from tmtv_tui.review.images import Kind
from tmtv_tui.review.planes import Plane, body_of, planes_of
from tmtv_tui.review.scene import CT_WINDOWS, InSlice, Look, Scene, lesions_in, voxels_of
from tmtv_tui.review.words import position
from tmtv_tui.screens.images import READING, ImageScreen
from tmtv_tui.screens.pictures import ROOM, WINDOWS
from tmtv_tui.widgets.lesions import LesionTable
from tmtv_tui.widgets.mip import CHOSEN, COLOURS, MipView
from tmtv_tui.widgets.slices import SliceView

Laid = Literal["three", "axial", "coronal", "sagittal"]
Shown = Literal["pet", "beside", "fused", "ct"]
Hidden = partial(Binding, show=False)
LAYOUTS: tuple[Laid, ...] = ("three", "axial", "coronal", "sagittal")
WITH_CT: tuple[Shown, ...] = ("pet", "beside", "fused", "ct")
TOLD = {"pet": "PET", "beside": "PET | CT", "fused": "PET on CT", "ct": "CT"}
ZOOMS = (0, 1, 2, 4, 8)
THREE_LINES = 30  # below so many, one plane only


def slice_panes() -> Iterator[Widget]:
    """Where slices are shown: one plane (with its CT beside it) above two others, and words."""
    one, ct = SliceView("axial", id="slice"), SliceView("axial", id="ct")
    two, three = SliceView("coronal", id="second"), SliceView("sagittal", id="third")
    yield Vertical(
        Horizontal(one, ct, id="upper"),
        Horizontal(two, three, id="lower"),
        Static(id="where", markup=False),
        id="slices",
    )


class SliceScreen(ImageScreen):
    """``slices``: whether they are shown; ``laid``: which; ``shown``: PET, CT, or both."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Hidden("less_than_sign", "scroll(-1)", "slice before", key_display="<", id="slice_back"),
        Hidden("greater_than_sign", "scroll(1)", "next slice", key_display=">", id="slice_on"),
        Hidden("left_curly_bracket,pageup", "scroll(-10)", "ten slices back", id="slices_back"),
        Hidden("right_curly_bracket,pagedown", "scroll(10)", "ten slices on", id="slices_on"),
        Hidden("left", "walk(-1, 0)", "cursor to the left in a slice", id="cursor_left"),
        Hidden("right", "walk(1, 0)", "cursor to the right", id="cursor_right"),
        Hidden("up", "walk(0, -1)", "cursor up", id="cursor_up"),
        Hidden("down", "walk(0, 1)", "cursor down", id="cursor_down"),
        Hidden("C", "ct", "CT beside, PET on it, CT alone", key_display="C", id="ct"),
        Hidden("W", "ct_window", "CT: soft tissue, lung, bone", key_display="W", id="ct_window"),
        Hidden("d", "measure", "distance from here; to here", id="distance"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.laid: Laid = "three"
        self.shown: Shown = "pet"
        self.ct_window = 0
        self.near = 1
        self.ruler: tuple[Cursor, ...] = ()
        self._planes: dict[str, Plane] = {}
        self._body: tuple[Index, Index] = ((0, 0, 0), (0, 0, 0))
        self._lesions: Lesions | None = None
        self._found: dict[SliceView, tuple[object, InSlice]] = {}
        self._voxels: dict[int, npt.NDArray[np.int64]] = {}

    def lay_views(self) -> None:
        """Projections, or slices with the front projection where there is room for both."""
        super().lay_views()
        self.query_one("#slices").display = self.slices
        self.set_class(self.slices, "slicing")
        if not self.slices:
            return
        self.query_one("#front").display = self.size.width >= ROOM
        self.query_one("#side").display = False
        three = self.laid == "three" and self.size.height >= THREE_LINES
        for name in ("#slice", "#ct"):
            self.query_one(name, SliceView).plane = "axial" if self.laid == "three" else self.laid
        self.query_one("#lower").display = three
        self.query_one("#ct").display = self.shown == "beside"

    def point_at(self, cursor: Cursor) -> None:
        """Put the one cursor of all views on another voxel."""
        super().point_at(cursor)
        for view in (v for v in self.query(MipView) if v.display):
            view.point(cursor if self.slices or cursor.lesion is None else None)
        self.draw_slices()

    def action_slice(self) -> None:
        """Slices, or back to the projections alone."""
        self.slices = not self.slices
        self.lay_views()
        self.footer()
        (self.query_one("#slice") if self.slices else self.query_one(LesionTable)).focus()
        if self.opened is not None and self.slices and not self._asked_for:
            self._asked_for = True
            self.load_images()
        if self.cursor is None and self.opened is not None:  # no lesion is in the list, or open
            self.cursor = Cursor.amid(self.opened.reading.lesions.grid)
        if self.cursor is not None:
            self.point_at(self.cursor)
        self.call_after_refresh(self.draw_slices)

    def action_views(self) -> None:
        """Of slices: three planes, axial, coronal, sagittal; else front, side, both."""
        if not self.slices:
            super().action_views()
            return
        self.laid = LAYOUTS[(LAYOUTS.index(self.laid) + 1) % len(LAYOUTS)]
        self.lay_views()
        self.call_after_refresh(self.draw_slices)

    def action_outlines(self) -> None:
        """The marks of the lesions that are not chosen, on or off."""
        super().action_outlines()
        self.draw_slices()

    def action_zoom(self, step: int) -> None:
        """Nearer to the cursor, or out to the whole field."""
        if not self.slices:
            super().action_zoom(step)
            return
        at = ZOOMS.index(self.near) + (1 if step > 0 else -1)
        self.near = ZOOMS[min(len(ZOOMS) - 1, max(0, at))]
        self.draw_slices()

    def action_window(self, step: int) -> None:
        """Another window level of the PET."""
        super().action_window(step)
        self.draw_slices()

    def action_ct_window(self) -> None:
        """The CT's next window: soft tissue, lung, bone."""
        self.ct_window = (self.ct_window + 1) % len(CT_WINDOWS)
        self.draw_slices()

    def action_ct(self) -> None:
        """PET alone, CT beside it, PET on the CT, CT alone."""
        if not self.slices or self.images is None:
            return
        if "ct" not in self.images.kinds:
            self.ask_ct()
            return
        self.shown = WITH_CT[(WITH_CT.index(self.shown) + 1) % len(WITH_CT)]
        if self.shown == "fused" and self.query_one("#slice", SliceView).signs:
            self.shown = "ct"  # without colours there is nothing to fuse
        self.lay_views()
        self.call_after_refresh(self.draw_slices)

    def ct_there(self) -> None:
        """Beside the PET, unless the reader went on to something else."""
        self.action_ct()

    def action_walk(self, right: int, down: int) -> None:
        """Move the cursor within the plane."""
        plane = self._plane(self.query_one("#slice", SliceView).plane)
        if self.slices and plane is not None and self.cursor is not None:
            for (axis, way), by in ((plane.right, right), (plane.down, down)):
                if by:
                    self.point_at(self.cursor.step(axis, way * by))

    def action_scroll(self, by: int, name: str = "") -> None:
        """Through the slices: axial to the feet, coronal to the back, sagittal to the left."""
        plane = self._plane(name or self.query_one("#slice", SliceView).plane)
        if self.slices and plane is not None and self.cursor is not None:
            axis, way = plane.across
            self.point_at(self.cursor.step(axis, way * by))

    def action_measure(self) -> None:
        """A distance from here; once more: to here; once more: none."""
        if self.slices and self.cursor is not None:
            self.ruler = () if len(self.ruler) == 2 else (*self.ruler, self.cursor)
            self.draw_slices()

    def on_slice_view_pointed(self, message: SliceView.Pointed) -> None:
        """A click puts the cursor there."""
        if self.cursor is not None:
            self.point_at(Cursor(self.cursor.grid, message.index))

    def on_slice_view_scrolled(self, message: SliceView.Scrolled) -> None:
        """The wheel scrolls the plane that it is over."""
        self.action_scroll(message.by, message.plane)

    def draw_slices(self) -> None:
        """Every plane that is shown, once its slice is in memory; until then what was there."""
        o = self.opened
        if o is None or not self.slices or self.cursor is None:
            return
        if self.images is None:
            self._tell(self._wrong or READING)
            self.query_one("#where", Static).update(Content(""), layout=False)
            return
        self._know(o.reading.lesions)
        kinds: list[Kind] = ["pet"] if self.shown == "pet" else ["pet", "ct"]
        views = [v for v in self.query(SliceView) if v.display and self._shows(v)]
        wanted = []
        for view in views:
            axis = self._planes[view.plane].across[0]
            wanted += [(kind, axis, self.cursor.index[axis]) for kind in kinds]
        if "ct" in self.images.kinds:  # for its value under the cursor
            axis = self._planes[self.query_one("#slice", SliceView).plane].across[0]
            wanted.append(("ct", axis, self.cursor.index[axis]))
        missing = tuple(w for w in dict.fromkeys(wanted) if self.images.held(*w) is None)
        if missing:
            if not self._reading:
                self._reading = True
                self.read_slices(missing)
            return
        for view in views:
            self._draw(view)
        self._say_where()

    def _shows(self, view: SliceView) -> bool:
        return all(node.display for node in view.ancestors_with_self if isinstance(node, Widget))

    def _plane(self, name: str) -> Plane | None:
        if self.opened is not None:
            self._know(self.opened.reading.lesions)
        return self._planes.get(name)

    def _know(self, lesions: Lesions) -> None:
        """What follows from the lesions alone, once."""
        if lesions is not self._lesions and self.opened is not None:
            self._lesions = lesions
            self._voxels = voxels_of(lesions)
            self._planes = planes_of(lesions.grid)
            self._body = body_of(self.opened.mip, lesions)

    def _draw(self, view: SliceView) -> None:
        o, images, cursor = self.opened, self.images, self.cursor
        if o is None or images is None or cursor is None:
            return
        plane = self._planes[view.plane]
        axis, _ = plane.across
        at = cursor.index[axis]
        pet = images.held("pet", axis, at)
        if pet is None:
            return
        if images.why and np.isnan(pet).any():
            view.say(f"{images.why}. Kept are axial slices through the lesions' maxima.")
            return
        how: Literal["pet", "fused", "ct"] = "pet"
        if view.id == "ct" or self.shown == "ct":
            how = "ct"
        elif self.shown == "fused":
            how = "fused"
        chosen = self.query_one(LesionTable).current()
        status = o.reading.status
        others = [n for n, s in status.items() if s is not Status.REJECTED] if self.marking else []
        last = [n for n in (chosen,) if n in self._voxels]
        numbers = [n for n in others if n in self._voxels and n != chosen] + last
        view.show(
            Scene(
                plane=plane,
                at=at,
                pet=pet,
                ct=images.held("ct", axis, at) if how != "pet" else None,
                look=Look(how, WINDOWS[self.white], self.ct_window, self.near),
                body=self._body,
                cursor=cursor,
                lesions=self._in_slice(view, plane, at, tuple(numbers)),
                colours={n: CHOSEN if n == chosen else COLOURS[status[n]] for n in numbers},
                signs={n: status[n].glyph for n in numbers},
                chosen=chosen,
                start=self.ruler[0] if self.ruler else None,
            )
        )

    def _in_slice(
        self, view: SliceView, plane: Plane, at: int, numbers: tuple[int, ...]
    ) -> InSlice:
        """The lesions in a slice; the same object as long as they are the same."""
        key = (self._lesions, plane.name, at, numbers)
        known, found = self._found.get(view, (None, {}))
        if known != key:
            found = lesions_in(plane, at, self._voxels, numbers)
            self._found[view] = key, found
        return found

    def _say_where(self) -> None:
        """Slice, place and values under the cursor; windows and the distance."""
        images, cursor = self.images, self.cursor
        if images is None or cursor is None:
            return
        view = self.query_one("#slice", SliceView)
        plane = self._planes[view.plane]
        at = cursor.index[plane.across[0]]
        words = [f"{view.plane} {at + 1}/{plane.shape[plane.across[0]]}"]
        words.append(position(np.array(cursor.mm)))
        words += [told for kind in images.kinds if (told := self._value(kind, plane, at))]
        more = []
        if self.ruler:
            end = self.ruler[1] if len(self.ruler) == 2 else cursor
            more.append(f"distance {self.ruler[0].far_mm(end):.1f} mm")
        more.append(TOLD[self.shown])
        if self.shown != "ct":
            more.append(f"SUV 0–{WINDOWS[self.white]:g}")
        if self.shown != "pet":
            more.append(CT_WINDOWS[self.ct_window][0])
        lines = ("  ".join(words), "  ".join(more))
        self.query_one("#where", Static).update(Content("\n".join(lines)), layout=False)

    def _value(self, kind: Kind, plane: Plane, at: int) -> str:
        cut = self.images.held(kind, plane.across[0], at) if self.images is not None else None
        if cut is None or self.cursor is None:
            return ""
        within = tuple(n for k, n in enumerate(self.cursor.index) if k != plane.across[0])
        value = float(cut[within])
        if np.isnan(value):
            return ""
        if kind == "ct":
            return f"HU {value:.0f}"
        about = "≈" if self.images is not None and self.images.why else ""
        return f"SUV {about}{value:.2f}"
