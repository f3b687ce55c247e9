"""Registering a camera's ground in the console: click surveyed points in its picture, see what they are worth, save.

What the points are worth is `monitor.domain.ground.survey`'s answer, the edge's own arithmetic; here it becomes
sentences. Trying changes nothing; saving writes the next numbered configuration. The room and the auditor look.
"""

import functools
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import UploadFile

from monitor.domain.assets import Camera, GroundPoint, LonLat
from monitor.domain.events import CameraState, sha256_hex
from monitor.domain.geometry import Centreline, format_chainage
from monitor.domain.ground.homography import LEAST_POINTS
from monitor.domain.ground.places import PlaceFault, Typed, read_place
from monitor.domain.ground.survey import Trial, try_survey
from monitor.domain.roles import Right, Sight, may, sight
from monitor.store.pool import Conn
from monitor.web import survey_picture, trail
from monitor.web.access import Guard
from monitor.web.copies import NoCopyError
from monitor.web.deps import Web, web_of
from monitor.web.errors import Conflict, NotFound, Unusable
from monitor.web.people import Principal
from monitor.web.rendering import reader_texts, render
from monitor.web.showing import plain
from monitor.web.sql import QUERIES
from monitor.web.surveying import MovedOn, Refused, Registered, Survey
from monitor.web.texts import Texts

router = APIRouter()
Looker = Annotated[Principal, Depends(Guard(Right.SEE_CONSOLE))]
Surveyor = Annotated[Principal, Depends(Guard(Right.REGISTER_CAMERA))]

MOST_POINTS = 60
#: decimals of a degree: a centimetre
_DIGITS = 7
Words = Annotated[str, Field(max_length=100)]
Number = Annotated[float, Field(ge=-100_000, le=100_000, allow_inf_nan=False)]


class PointBody(BaseModel):
    """A point as it stands in the form: its pixel, and its place as it was typed."""

    model_config = ConfigDict(extra="ignore")

    x: Number
    y: Number
    lonlat: Words = ""
    chainage: Words = ""
    offset: Words = ""
    side: Literal["left", "right"] = "right"


class SurveyBody(BaseModel):
    """All of the form."""

    model_config = ConfigDict(extra="ignore")

    #: of the picture that the pixels refer to
    width: int = Field(ge=16, le=20_000)
    height: int = Field(ge=16, le=20_000)
    sigma_m: float = Field(gt=0, le=100, allow_inf_nan=False)
    points: list[PointBody] = Field(max_length=MOST_POINTS)


class SaveBody(SurveyBody):
    """The same, to be kept."""

    reason: str = Field(min_length=3, max_length=500)
    #: number of the configuration that the person saw
    seen: int = Field(ge=0)


class Known:
    """One camera with what a survey of it needs."""

    def __init__(self, web: Web, camera_id: str) -> None:
        # Chainages mean the newest configuration's centreline: by it the saved survey will be read.
        city, surveys = web.deps.city, web.deps.surveys
        found = None if surveys is None else surveys.current(camera_id)
        if found is None:
            camera = next((camera for camera in city.cameras if camera.camera_id == camera_id), None)
            if camera is None:
                raise NotFound("no_camera")
            pipeline = city.pipeline(city.hca(camera.site_id).pipeline_id)
            found = Registered(number=0, camera=camera, pipeline=pipeline)
        self.number, self.camera, self.pipeline = found.number, found.camera, found.pipeline
        self.centreline = Centreline.of(self.pipeline.centreline, self.pipeline.origin_chainage_m)


# ---------------------------------------------------------------- looking


@router.get("/cameras/{camera_id}/survey")
def survey_page(request: Request, camera_id: str, me: Looker) -> Response:
    """The picture with the bands in it, the points, and what they are worth."""
    web, t = web_of(request), reader_texts(request)
    known = Known(web, camera_id)
    with web.deps.pool.connection() as conn:
        picture = survey_picture.newest(conn, web.deps.data_dir, camera_id)
        state = _state(conn, camera_id)
    return render(
        request, "survey.html",
        camera=known.camera, pipeline=known.pipeline, number=known.number, picture=picture,
        moved=state == CameraState.MOVED, may_save=may(me.role, Right.REGISTER_CAMERA) and web.deps.surveys is not None,
        initial=_form(known, None if picture is None else picture.size_px, t),
    )  # fmt: skip


@router.get("/api/v1/cameras/{camera_id}/survey")
def one_survey(request: Request, camera_id: str, me: Looker) -> dict[str, Any]:
    """The survey in force, and what it is worth."""
    return _form(Known(web_of(request), camera_id), None, reader_texts(request))


@router.get("/api/v1/cameras/{camera_id}/survey/picture")
def picture_file(
    request: Request,
    camera_id: str,
    me: Looker,
    of: Annotated[str, Query(pattern=r"^([0-9a-f]{64}|uploaded)$")],
) -> Response:
    """The clean snapshot, or the picture that somebody brought. Each view is an entry in the audit log.

    Who sees no originals (`monitor.domain.roles`) gets it with faces and plates hidden, at its own size: points
    of the ground are clicked as well in it. A picture that was brought has no boxes; who may bring one sees it.
    """
    web = web_of(request)
    deps = web.deps
    with deps.pool.connection() as conn:
        path = survey_picture.path_if_known(conn, deps.data_dir, camera_id, of)
    if path is None:
        raise NotFound("no_evidence")
    uploaded = of == survey_picture.UPLOADED
    subject = f"camera:{camera_id}" if uploaded else of
    clear = sight(me.role) is Sight.CLEAR or (uploaded and may(me.role, Right.REGISTER_CAMERA))
    copy = "original" if clear else "blurred"
    # read once: the hash in the audit log is of these bytes, also if somebody brings another picture meanwhile
    shown = path.read_bytes()
    facts = {"sha256": sha256_hex(shown)} if uploaded else {}
    if not clear:  # without a connection: others need it while this waits its turn
        try:
            shown = web.copies.fleeting(shown, subject)
        except NoCopyError as exc:
            raise NotFound("no_blurred_copy") from exc
    with deps.pool.connection() as conn:
        trail.record(
            conn, trail.EVIDENCE_VIEWED, subject, me.user, deps.clock(), role=me.role, copy=copy, **facts
        )
    headers = {
        # the picture that was brought keeps its address when another takes its place
        "Cache-Control": "no-store" if uploaded else "private, max-age=300",
        "Vary": "Cookie, Authorization",
        "Evidence-Copy": copy,
    }
    return Response(shown, media_type="image/jpeg", headers=headers)


def _state(conn: Conn, camera_id: str) -> str:
    rows = conn.execute(QUERIES["camera_states"]).fetchall()
    return next((row["state"] for row in rows if row["camera_id"] == camera_id), "")


def _form(known: Known, picture_px: tuple[int, int] | None, t: Texts) -> dict[str, Any]:
    """The survey in force as the form takes it."""
    camera = known.camera
    frame = survey_picture.frame_for(camera, picture_px)
    points = [
        {"x": point.pixel[0], "y": point.pixel[1], "lonlat": _typed_lonlat(point.lonlat)} for point in camera.ground_points
    ]  # fmt: skip
    surveyed = bool(points or camera.mast)
    places: list[LonLat | PlaceFault] = [point.lonlat for point in camera.ground_points]
    return {
        "camera_id": camera.camera_id,
        "number": known.number,
        "calibration_version": camera.calibration_version,
        "frame": frame,
        "frame_fits": frame is not None and (picture_px is None or survey_picture.fits(frame, picture_px)),
        "sigma_m": camera.survey_sigma_m,
        "mast": camera.mast is not None,
        "points": points,
        "trial": _told(try_survey(camera, known.centreline), places, known, t)
        if surveyed and frame
        else None,
    }


# ---------------------------------------------------------------- trying


@router.post("/api/v1/cameras/{camera_id}/survey/trial")
def try_points(request: Request, camera_id: str, body: SurveyBody, me: Surveyor) -> dict[str, Any]:
    """What these points would be worth. Changes nothing."""
    web, t = web_of(request), reader_texts(request)
    known = Known(web, camera_id)
    places = _places(body, known)
    survey = _survey(body, places)
    answer = _told(try_survey(_with(known.camera, survey), known.centreline), places, known, t)
    if web.deps.surveys is not None and survey.points:
        answer["yaml"] = web.deps.surveys.yaml_of(survey)
    return answer


def _places(body: SurveyBody, known: Known) -> list[LonLat | PlaceFault]:
    return [
        read_place(
            Typed(lonlat=point.lonlat, chainage=point.chainage, offset_m=point.offset, side=point.side),
            known.centreline, known.camera.position,
        )
        for point in body.points
    ]  # fmt: skip


def _survey(body: SurveyBody, places: list[LonLat | PlaceFault]) -> Survey:
    """The points that have a place already."""
    return Survey(
        frame_size_px=(body.width, body.height),
        survey_sigma_m=body.sigma_m,
        points=tuple(
            GroundPoint(
                pixel=(round(point.x, 1), round(point.y, 1)), lonlat=(round(place[0], 9), round(place[1], 9))
            )
            for point, place in zip(body.points, places, strict=True)
            if not isinstance(place, PlaceFault)
        ),
    )


def _with(camera: Camera, survey: Survey) -> Camera:
    """The camera as it would be configured."""
    fields = {name: getattr(camera, name) for name in camera.__struct_fields__}
    return Camera(**{**fields, "mast": None, "frame_size_px": survey.frame_size_px, "ground_points": survey.points,
                     "survey_sigma_m": survey.survey_sigma_m})  # fmt: skip


def _told(trial: Trial, places: list[LonLat | PlaceFault], known: Known, t: Texts) -> dict[str, Any]:
    """The answer in the reader's words. Numbers of points are the form's, which counts those without a place too."""
    number_of = [n for n, place in enumerate(places) if not isinstance(place, PlaceFault)]
    guilty = {number_of[i] for i in trial.guilty}
    checks = dict(zip(number_of, trial.checks, strict=False))
    return {
        **plain(trial),
        "refused": None if trial.refused is None else {"why": trial.refused, "text": refusal_text(trial, number_of, t)},
        "guilty": sorted(guilty),
        "points": [
            {**_place_told(place, known, t), **(plain(checks[n]) if n in checks else {}), "guilty": n in guilty}
            for n, place in enumerate(places)
        ],
        "seen_m": trial.seen_m,
        "seen": [[format_chainage(a), format_chainage(b)] for a, b in trial.seen],
        "notes": [
            t(f"survey.note.{key}", points=_names(trial, number_of, t) or "?") for key in _notes(trial, known.camera)
        ],
    }  # fmt: skip


def refusal_text(trial: Trial, number_of: list[int], t: Texts) -> str:
    """Why there is no ground, what to do, and which points it is about."""
    names = _names(trial, number_of, t)
    key = f"survey.refused.{trial.refused}"
    if names and t.has(f"{key}_at"):
        return t(f"{key}_at", points=names)
    return t(key, found=len(number_of), least=LEAST_POINTS)


def _names(trial: Trial, number_of: list[int], t: Texts) -> str:
    return t("survey.and").join(str(number_of[i] + 1) for i in trial.guilty)


def _place_told(place: LonLat | PlaceFault, known: Known, t: Texts) -> dict[str, Any]:
    if isinstance(place, PlaceFault):
        return {"place": None, "fault": t(f"survey.place.{place}"), "empty": place is PlaceFault.EMPTY}
    beside = known.centreline.locate(place)
    return {
        "place": {
            "lonlat": _typed_lonlat(place), "chainage": f"{beside.chainage_m:.2f}",
            "chainage_text": format_chainage(beside.chainage_m), "offset": f"{abs(beside.offset_m):.2f}",
            "side": "right" if beside.offset_m >= 0 else "left",
        }
    }  # fmt: skip


def _typed_lonlat(place: LonLat) -> str:
    return f"{place[0]:.{_DIGITS}f}, {place[1]:.{_DIGITS}f}"


def _notes(trial: Trial, camera: Camera) -> list[str]:
    """What a person should know of a survey that is not refused."""
    if trial.refused is not None:
        return []
    if not trial.checks:
        return ["mast"]
    notes = [] if trial.checked else ["unchecked"]
    if trial.strained:
        notes.append("strained_at" if trial.guilty else "strained")
    notes += [] if trial.seen else ["line_unseen"]
    return notes + ([] if trial.from_camera else ["no_position"])


# ---------------------------------------------------------------- saving


@router.put("/api/v1/cameras/{camera_id}/survey")
def save_survey(request: Request, camera_id: str, body: SaveBody, me: Surveyor) -> dict[str, Any]:
    """Write the next configuration; 409 and 422 say in a sentence why not."""
    web, t = web_of(request), reader_texts(request)
    known = Known(web, camera_id)
    if web.deps.surveys is None:
        raise Conflict("survey_no_book")
    places = _places(body, known)
    if any(isinstance(place, PlaceFault) for place in places):
        raise Unusable("survey_places")
    survey = _survey(body, places)
    if not survey_picture.may_have_frame(known.camera, survey.frame_size_px):
        raise Unusable("survey_frame")
    if "\x00" in body.reason or len(body.reason.strip()) < 3:
        raise Unusable("survey_reason")
    trial = try_survey(_with(known.camera, survey), known.centreline)
    if trial.refused is not None:
        raise _Said(refusal_text(trial, list(range(len(places))), t))
    try:
        saved = web.deps.surveys.save(
            camera_id,
            survey,
            author=me.user,
            reason=body.reason.strip(),
            now=web.deps.clock(),
            seen=body.seen,
        )
    except MovedOn as exc:
        raise Conflict("survey_moved_on") from exc
    except Refused as exc:
        raise _Said(exc.sentence[t.language]) from exc
    return {"number": saved.number, "calibration_version": saved.calibration_version}


class _Said(Unusable):
    """A refusal whose sentence is known already."""

    def __init__(self, why: str) -> None:
        super().__init__("survey_refused", why=why)


# ---------------------------------------------------------------- a picture of one's own


@router.post("/api/v1/cameras/{camera_id}/survey/picture", status_code=201)
async def bring_picture(request: Request, camera_id: str, me: Surveyor) -> JSONResponse:
    """Take a picture of the camera's full frame; it is checked and encoded anew like a field photo."""
    web = web_of(request)
    async with request.form(max_files=1, max_fields=4) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Unusable("photo_missing")
        original = await file.read()
    await anyio.to_thread.run_sync(functools.partial(_keep_picture, web, camera_id, me, original))
    return JSONResponse({"of": survey_picture.UPLOADED}, 201)


def _keep_picture(web: Web, camera_id: str, me: Principal, original: bytes) -> None:
    known = Known(web, camera_id)
    now = web.deps.clock()
    sha256 = survey_picture.keep(web.deps.data_dir, known.camera.camera_id, original, now)
    with web.deps.pool.connection() as conn:
        trail.record(
            conn,
            trail.SURVEY_PICTURE,
            f"camera:{camera_id}",
            me.user,
            now,
            sha256=sha256,
            bytes=len(original),
        )
