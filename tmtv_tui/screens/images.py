"""PET and CT of a case for its screen: opened and read by workers, whatever is wrong said."""

from __future__ import annotations

from textual import work
from textual.message import Message

from tmtv_engine.case.guard import guarded
from tmtv_engine.errors import CaseError, TmtvError
from tmtv_engine.image.volume import Volume
from tmtv_engine.text import clean
from tmtv_tui.messages import PointPicked
from tmtv_tui.review.cursor import Cursor, Index
from tmtv_tui.review.images import Images, Kind
from tmtv_tui.review.picture import ray
from tmtv_tui.screens.pictures import PictureScreen
from tmtv_tui.widgets.slices import SliceView

READING = "reading the image …"
NONE = "No image is kept in this case, and its DICOM cannot be read"
NO_CT = "No CT is kept in this case"
READING_CT = "reading the CT …"


class ImagesRead(Message):
    """The images of a case can be looked at; else ``error`` says why not."""

    def __init__(self, images: Images | None, error: str = "") -> None:
        super().__init__()
        self.images, self.error = images, error


class CtRead(Message):
    """The CT that the case does not keep was read anew; else ``error`` says why not."""

    def __init__(self, ct: Volume | None, error: str = "") -> None:
        super().__init__()
        self.ct, self.error = ct, error


class SlicesRead(Message):
    """What was asked for is in memory, or ``error`` says why not."""

    def __init__(self, error: str = "") -> None:
        super().__init__()
        self.error = error


class SpotFound(Message):
    """The hottest voxel behind a point of a projection."""

    def __init__(self, index: Index) -> None:
        super().__init__()
        self.index = index


class ImageScreen(PictureScreen):
    """``images``: None until they are read, or where they cannot be."""

    def __init__(self) -> None:
        super().__init__()
        self.images: Images | None = None
        self._asked_for = False
        self._reading = False
        self._wrong = ""
        self._ct: Volume | None = None
        self._reading_ct = False

    def draw_slices(self) -> None:
        """Draw what is in memory."""
        raise NotImplementedError

    @work(thread=True, group="images")
    def load_images(self) -> None:
        """Open the case's images, or read its DICOM; else what slices it keeps."""
        o = self.opened
        if o is None:
            return
        blind = self.app.blind
        base = o.session.replayer.base

        def say(text: str) -> None:
            told = NONE if blind else clean(text, 200)
            self.app.call_from_thread(self._tell, f"{READING} {'' if blind else told}")

        try:
            with guarded(o.case.path):
                images = Images.of(o.case, base, say)
        except TmtvError as error:
            why = NONE if blind else clean(error.what, 300)
            try:
                with guarded(o.case.path):
                    images = Images.kept(o.case, base.grid, why)
            except TmtvError:
                self.post_message(ImagesRead(None, why))
                return
        self.post_message(ImagesRead(images))

    def _tell(self, text: str) -> None:
        for view in self.query(SliceView):
            view.say(text)

    def on_images_read(self, message: ImagesRead) -> None:
        """Draw, now that there is something."""
        self.images, self._wrong = message.images, message.error
        if self.images is not None and self._ct is not None:
            self.images.add_ct(self._ct)
        self.draw_slices()

    def ask_ct(self) -> None:
        """Read the CT that the case does not keep, once at a time; say where there is none."""
        if self.opened is None or self.opened.case.record.ct is None:
            self.notify("there is no CT in this case", markup=False)
        elif self._reading_ct:
            self.notify(READING_CT, markup=False)
        else:
            self._reading_ct = True
            self.load_ct()

    @work(thread=True, group="ct")
    def load_ct(self) -> None:
        """Read the CT from where `source.json` says that it lies."""
        from tmtv_engine.review.ct import source_ct

        o = self.opened
        if o is None:
            return
        blind = self.app.blind

        def say(text: str) -> None:
            told = READING_CT if blind else f"{READING_CT} {clean(text, 200)}"
            self.app.call_from_thread(self.notify, told, markup=False)

        try:
            with guarded(o.case.path):
                found = source_ct(o.case, say)
        except TmtvError as error:
            told = clean(error.what, 300)
            self.post_message(CtRead(None, NO_CT if blind else f"{NO_CT}: {told}"))
            return
        self.post_message(CtRead(found))

    def on_ct_read(self, message: CtRead) -> None:
        """Show it, as was asked; `C` tries once more where it could not be read."""
        self._reading_ct = False
        if message.ct is None:
            self.notify(message.error, severity="warning", markup=False)
            return
        self._ct = message.ct
        if self.images is not None:
            self.images.add_ct(message.ct)
            self.ct_there()

    def ct_there(self) -> None:
        """There is a CT now, which a reader asked for."""
        raise NotImplementedError

    @work(thread=True, group="slices")
    def read_slices(self, wanted: tuple[tuple[Kind, int, int], ...]) -> None:
        """Read slices into memory."""
        try:
            for kind, axis, at in wanted:
                if self.images is not None:
                    self.images.read(kind, axis, at)
        except CaseError as error:
            self.post_message(SlicesRead(clean(error.what, 300)))
            return
        self.post_message(SlicesRead())

    def on_slices_read(self, message: SlicesRead) -> None:
        """Draw what was waited for; the cursor may be elsewhere by now."""
        self._reading = False
        if message.error:
            self._wrong, self.images = message.error, None
        self.draw_slices()

    def on_point_picked(self, message: PointPicked) -> None:
        """A click into a projection beside every lesion: to the hottest voxel behind it."""
        if self.opened is not None:
            self.find_spot(message.angle, message.row, message.col)

    @work(thread=True, group="spot", exclusive=True)
    def find_spot(self, angle: int, row: int, col: int) -> None:
        """The voxel that a projection shows at a pixel."""
        o = self.opened
        if o is None:
            return
        grid = o.reading.lesions.grid
        try:
            if self.images is None and o.case.image() is not None:
                self.images = Images.of(o.case, o.session.replayer.base, lambda text: None)
            found = ray(grid, o.mip, angle, row, col)
            if self.images is not None and not self.images.why and len(found):
                self.post_message(SpotFound(self.images.hottest(found)))
        except TmtvError:
            return  # slices say what is wrong with the image, when they are asked for

    def on_spot_found(self, message: SpotFound) -> None:
        """The cursor goes there."""
        if self.opened is not None:
            self.point_at(Cursor(self.opened.reading.lesions.grid, message.index))
