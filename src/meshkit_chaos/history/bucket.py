"""A shelf in an S3-compatible bucket, by obstore (extra ``s3``). Credentials, region and endpoint come from ``AWS_*``
variables.

Files are put with "only if it is not there", which the server decides: of two writers one is told that it came second. Refuses,
as HistoryProblem, an address that is none, and whatever the server refuses.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from meshkit_chaos.errors import HistoryProblem, UsageError
from meshkit_chaos.history.shelf import is_name, refuse_large

if TYPE_CHECKING:
    from obstore.store import RetryConfig, S3Store

SCHEME: Final = "s3://"
_RETRIES: Final[RetryConfig] = {"max_retries": 5, "retry_timeout": timedelta(seconds=60)}


class BucketStore:
    """``s3://bucket/prefix``. The prefix may be empty."""

    def __init__(self, url: str) -> None:
        bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
        if not bucket:
            raise UsageError(f"{url} names no bucket", hint="such as s3://my-bucket/chaos")
        self._url = url.rstrip("/")
        self._store = _open(bucket, prefix.strip("/"))

    @property
    def where(self) -> str:
        return self._url

    def names(self) -> frozenset[str]:
        import obstore  # noqa: PLC0415  # an extra, needed only here

        with self._told("listed"):
            return frozenset(item["path"] for page in obstore.list(self._store) for item in page if is_name(item["path"]))

    def read(self, name: str) -> bytes:
        import obstore  # noqa: PLC0415  # an extra, needed only here

        with self._told(f"read ({name})"):
            answer = obstore.get(self._store, name)
            refuse_large(answer.meta["size"], f"{self._url}/{name}")
            return bytes(answer.bytes())

    def add(self, files: Mapping[str, bytes]) -> int:
        return sum(self._add(name, data) for name, data in sorted(files.items()))

    def _add(self, name: str, data: bytes) -> bool:
        import obstore  # noqa: PLC0415  # an extra, needed only here
        from obstore.exceptions import AlreadyExistsError  # noqa: PLC0415  # as above

        with self._told(f"written ({name})"):
            try:
                obstore.put(self._store, name, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    def remove(self, name: str) -> None:
        import obstore  # noqa: PLC0415  # an extra, needed only here

        with self._told(f"removed ({name})"):
            obstore.delete(self._store, name)

    @contextlib.contextmanager
    def _told(self, done: str) -> Iterator[None]:
        from obstore.exceptions import BaseError  # noqa: PLC0415  # an extra, needed only here

        try:
            yield
        except (BaseError, FileNotFoundError, PermissionError) as error:
            cause = " ".join(str(error).split())[:300]
            raise HistoryProblem(
                f"{self._url} cannot be {done}: {cause}",
                hint="check AWS_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and that the bucket is there",
            ) from error


def _open(bucket: str, prefix: str) -> S3Store:
    try:
        from obstore.store import S3Store  # noqa: PLC0415  # an extra, needed only here
    except ImportError as error:
        raise HistoryProblem(
            "a history in a bucket needs obstore, which is not installed",
            hint="install it with the extra: pip install 'meshkit-chaos[s3]'",
        ) from error
    return S3Store(bucket, prefix=prefix or None, retry_config=_RETRIES)
