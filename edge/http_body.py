"""An HTTP camera's answer as a file: motion JPEG, or a video container.

No redirects, the checked address only, every read limited; Digest or Basic as the camera asks. What the bytes
mean is left to `edge.sources`.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx
import msgspec

from edge.errors import SourceUnreachable
from edge.networks import checked_url
from monitor.domain.assets import Camera


class HttpBody:
    """An HTTP camera's body as a file: no redirects, the checked address only, every read limited."""

    def __init__(
        self,
        camera: Camera,
        networks: tuple[str, ...],
        credentials: Mapping[str, str],
        *,
        open_timeout_s: float,
        read_timeout_s: float,
    ) -> None:
        """Prepare. Raises SourceBlocked or SourceUnreachable."""
        bare = msgspec.structs.replace(camera, credential=None)
        self._url = checked_url(bare, networks, credentials)
        self._host = urlsplit(camera.source).hostname or ""
        self._netloc = urlsplit(camera.source).netloc.rpartition("@")[2]
        if camera.credential is not None:  # raises if it is missing
            checked_url(camera, networks, credentials)
        credential = credentials.get(camera.credential or "", "")
        self._user, _, self._password = credential.partition(":")
        self._camera = camera
        self._client = httpx.Client(
            timeout=httpx.Timeout(read_timeout_s, connect=open_timeout_s), trust_env=False
        )
        self.container_format: str | None = None
        self._left = b""

    def __enter__(self) -> HttpBody:
        try:
            request = self._client.build_request(
                "GET", self._url, headers={"Host": self._netloc}, extensions={"sni_hostname": self._host}
            )
            self._response = self._client.send(request, stream=True, follow_redirects=False)
            if self._response.status_code == 401 and self._user:
                self._answer_challenge(request)
            if self._response.status_code != 200:
                raise SourceUnreachable(
                    self._camera.camera_id, f"the camera answers {self._response.status_code}"
                )
        except BaseException:
            self._client.close()
            raise
        if self._response.headers.get("content-type", "").startswith("multipart/"):
            self.container_format = "mpjpeg"
        self._chunks = self._response.iter_raw()
        return self

    def _answer_challenge(self, request: httpx.Request) -> None:
        """Ask again, as the camera wants to be asked: the password itself only if it takes nothing better."""
        asked = self._response.headers.get_list("www-authenticate")
        digest = any(one.lower().startswith("digest ") for one in asked)
        kind = httpx.DigestAuth if digest else httpx.BasicAuth
        flow = kind(self._user, self._password).auth_flow(request)
        again = next(flow)
        if digest:
            again = flow.send(self._response)
        self._response.close()  # unread: it may have no end
        self._response = self._client.send(again, stream=True, follow_redirects=False)

    def __exit__(self, *_: object) -> None:
        self._response.close()
        self._client.close()

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; empty at the end."""
        if not self._left:
            self._left = next(self._chunks, b"")
        taken, self._left = self._left[:size], self._left[size:]
        return taken
