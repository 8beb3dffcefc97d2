"""Static files, compressed by gzip alone: brotli's best takes half a minute of a first start for a few percent."""

from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedStaticFilesStorage

AS_THEY_ARE = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")


class StaticFiles(CompressedStaticFilesStorage):
    def create_compressor(self, **options: Any) -> Compressor:
        return Compressor(**{**options, "extensions": AS_THEY_ARE, "use_brotli": False})
