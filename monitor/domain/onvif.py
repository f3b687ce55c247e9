"""ONVIF's event topics for what is wrong with a camera, where there is one.

For whoever reads a camera's own events or hands ours to a video management system. Topics of the ONVIF
Imaging and Device IO service specifications; the last part of an imaging topic names who found it out.
"""

from types import MappingProxyType

from monitor.domain.events import CameraState

#: what the state is called there; no entry: ONVIF has no topic for it
TOPICS = MappingProxyType({
    CameraState.MOVED: "tns1:VideoSource/GlobalSceneChange/ImagingService",
    CameraState.OBSCURED: "tns1:VideoSource/GlobalSceneChange/ImagingService",
    CameraState.BLURRED: "tns1:VideoSource/ImageTooBlurry/ImagingService",
    CameraState.DARK: "tns1:VideoSource/ImageTooDark/ImagingService",
    CameraState.OVEREXPOSED: "tns1:VideoSource/ImageTooBright/ImagingService",
    CameraState.STALLED: "tns1:VideoSource/SignalLoss",
    CameraState.UNREACHABLE: "tns1:VideoSource/SignalLoss",
})  # fmt: skip
