from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import PlainValidator, WithJsonSchema

from dlrun.components.sources import Source, SourceError, Table, resolve
from dlrun.language.component import checked
from dlrun.language.fields import Sizes2d
from dlrun.language.paths import FilePath
from dlrun.language.suggestions import shorten


def _read_channels(value: object) -> object:
    if value not in (1, 3) or isinstance(value, bool | float):
        raise ValueError(f"channels are 1, grey, or 3, red, green and blue; received {shorten(value)}")
    return value


class Images(Source):
    """Images of a folder that has a folder for each class, or of a csv with the path of an image in each row.

    Of a folder, the fields are `image` and `label`, the name of the class's folder; without `target`, that is `label`.
    Folders `train`, `validation` and `test` above the classes are the splits. Of a csv, the fields are its columns, and
    `column` names the one with the paths, which start from the folder of the csv.

    An image is png, jpeg, webp, bmp, or the first frame of a gif. EXIF turns it upright. A transparent pixel shows
    white behind it. Its numbers are whole, from 0 to 255; of grey images of 16 bits, from 0 to 65535. The images are
    decoded once, into the cache.

    Shape: (channels, height, width)
    Reference: Clark, Pillow (PIL Fork) Documentation.
    Example: images: {path: shapes, size: 16}
    """

    synonyms = ("image_folder", "image_dataset_from_directory")

    path: FilePath
    """The folder, or the csv; a relative path starts from the folder of the file that has it."""
    size: Sizes2d | None = None
    """What each image is resized to: (height, width), or one number for both. Without it, all must have one size."""
    resize: Literal["stretch", "fit", "crop"] = "stretch"
    """How: `stretch` changes the proportions; `fit` puts the whole image in the middle, and 0 around it; `crop` takes
    the largest part in the middle that has the new proportions. Bilinear; pixels of a smaller image are means of what
    they cover."""
    channels: Annotated[
        int | None, PlainValidator(checked(_read_channels)), WithJsonSchema({"type": "integer", "enum": [1, 3]})
    ] = None
    """1: grey; 3: red, green, blue. Without it, all images must be grey, or all must have colours."""
    column: str | None = None
    """The column of a csv that has the paths of the images; `image` unless given."""
    outside: bool = False
    """Whether images may lie outside of the folder, by `..`, an absolute path or a link."""

    def open(self, folder: Path, whole: bool = True) -> Table:
        from dlrun.components.sources._image_folder import IMAGE, FolderImages
        from dlrun.components.sources._image_list import ListedImages
        from dlrun.components.sources._images import AT, ImageSettings
        from dlrun.components.sources.csv import Csv

        path = resolve(self.path, folder, AT, ("folder", "file"))
        size = self.size if isinstance(self.size, tuple) else None
        settings = ImageSettings(size, self.resize, self.channels, self.outside)
        if path.is_dir():
            if self.column is not None:
                hint = "remove it; a csv has columns"
                raise SourceError(
                    f"{self.path} is a folder, which has no columns", ("source", "images", "column"), hint
                )
            return FolderImages(path, settings, whole)
        rows = Csv.read({"path": str(path)}).open(path.parent, whole)
        return ListedImages(rows, path.parent, self.column or IMAGE, settings, whole)

    def origin(self) -> tuple[str, str]:
        return Path(self.path).name or self.path, self.path
