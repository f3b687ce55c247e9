"""Faults of places: positions, centrelines, ranges of chainage, ground points and zones in the picture."""

from hcawatch.config.texts.base import FaultText as T

PLACES: dict[str, T] = {
    "lonlat_swapped": T(
        "longitude and latitude are swapped: [{lon}, {lat}]", "Write [longitude, latitude], here [{lat}, {lon}].",
        "经纬度颠倒：[{lon}, {lat}]", "请按 [经度, 纬度] 书写，此处为 [{lat}, {lon}]。"),
    "lonlat_range": T(
        "[{lon}, {lat}] is no place on Earth", "Longitude lies within ±180, latitude within ±90 degrees.",
        "[{lon}, {lat}] 不是地球上的位置", "经度应在 ±180 度内，纬度应在 ±90 度内。"),
    "centreline_short": T(
        "a centreline needs at least 2 vertices, found {found}", "Give its vertices in order of chainage as [longitude, latitude].",
        "中心线至少需要 2 个顶点，现有 {found} 个", "请按里程顺序填写各顶点 [经度, 纬度]。"),
    "centreline_zero": T(
        "the centreline has no length: all its vertices are the same place", "Give its real vertices.",
        "中心线长度为零：所有顶点是同一位置", "请填写真实顶点。"),
    "vertex_repeated": T(
        "this vertex repeats the one before it", "Remove it.", "该顶点与前一个重复", "请删除。", "warning"),
    "centreline_jump": T(
        "the centreline jumps {length} km to this vertex", "Check the vertex for a typing error.",
        "中心线到此顶点跳跃 {length} km", "请检查该顶点是否输入有误。", "warning"),
    "hca_reversed": T(
        "the HCA ends at {to} m, before it begins at {from} m", "Exchange from_m and to_m.",
        "高后果区终点 {to} m 不大于起点 {from} m", "请对调 from_m 与 to_m。"),
    "hca_beyond_end": T(
        "{at} m is beyond the end of pipeline '{pipeline}' ({end} m)", "Chainages of this pipeline run from {begin} to {end} m.",
        "{at} m 超出管道“{pipeline}”终点（{end} m）", "该管道里程范围为 {begin} 至 {end} m。"),
    "hca_before_start": T(
        "{at} m is before the start of pipeline '{pipeline}' ({begin} m)", "Chainages of this pipeline run from {begin} to {end} m.",
        "{at} m 在管道“{pipeline}”起点（{begin} m）之前", "该管道里程范围为 {begin} 至 {end} m。"),
    "hca_overlap": T(
        "the HCA overlaps '{other}' (line {first}) by {length} m on the same pipeline", "A metre belongs to one HCA; move the border.",
        "高后果区与“{other}”（第 {first} 行）在同一管道上重叠 {length} m", "每一米只属于一个高后果区；请调整边界。"),
    "pipeline_without_hca": T(
        "pipeline '{pipeline}' has no HCA", "Add one under `hcas:`, or remove the pipeline.",
        "管道“{pipeline}”没有高后果区", "请在 `hcas:` 中添加，或删除该管道。", "warning"),
    # ---- what a camera sees
    "frame_size_missing": T(
        "pixels are given, but the size of the picture they refer to isn't", "Add `frame_size_px: [1920, 1080]` (width, height) to the camera.",
        "给出了像素坐标，但没有给出画面尺寸", "请为摄像机添加 `frame_size_px: [1920, 1080]`（宽、高）。"),
    "ground_points_few": T(
        "{found} ground points are too few", "Survey at least 4, spread over the picture; 6 or more are better.",
        "{found} 个地面控制点太少", "请测量至少 4 个并分布在画面各处；6 个以上更好。"),
    "ground_points_collinear": T(
        "the ground points lie on one line {where}, so nothing beside it can be placed", "Add points well to the side of that line.",
        "地面控制点{where_zh}位于一条直线上，无法定位线外目标", "请在该直线侧方增加控制点。"),
    "ground_point_repeated": T(
        "this ground point repeats the {what} of point {other}", "Give it its own pixel and position, or remove it.",
        "该控制点与第 {other} 个点的{what_zh}重复", "请填写其自己的像素和位置，或删除。"),
    "ground_point_outside_frame": T(
        "the pixel [{x}, {y}] is outside the picture of {width} x {height}", "Pixels are of the full frame; correct it or frame_size_px.",
        "像素 [{x}, {y}] 在 {width} x {height} 画面之外", "像素坐标以完整画面为准；请更正像素或 frame_size_px。"),
    "lens_folds": T(
        "with this lens the corners of the picture can't be traced back to a direction, so nothing there gets a position",
        "Check k1, k2 and f_px: f_px is in pixels of frame_size_px, and wide lenses need their k2.",
        "按此镜头参数，画面角落无法对应到任何方向，该处目标没有地面定位",
        "请检查 k1、k2 和 f_px：f_px 以 frame_size_px 的像素为单位，广角镜头需要填写 k2。", "warning"),
    "mast_and_points": T(
        "a mast and ground points both say where the picture's ground is", "Keep one: ground points are the more exact.",
        "mast 和 ground_points 都在说明画面地面的位置", "请只保留一种：地面控制点更精确。"),
    "mast_without_position": T(
        "a mast without the camera's position is nowhere", "Add `position: [longitude, latitude]` to the camera.",
        "只有 mast 而没有摄像机位置，无法定位", "请为摄像机添加 `position: [经度, 纬度]`。"),
    "mast_sees_no_ground": T(
        "a camera that looks to there shows no ground whose distance its errors leave certain", "Check tilt_deg (below the horizon), roll_deg and hfov_deg.",
        "按此朝向，画面中没有距离可确定的地面", "请检查 tilt_deg（水平线以下的俯角）、roll_deg 和 hfov_deg。"),
    "ground_point_far": T(
        "the ground point is {distance} m from the camera", "Within 1000 m a position can be trusted; correct the point or the camera's position.",
        "控制点距摄像机 {distance} m", "1000 m 以内的定位才可信；请更正控制点或摄像机位置。"),
    "camera_far_from_points": T(
        "the camera stands {distance} m from the nearest of its ground points",
        "Within 1000 m a position can be trusted; correct the camera's position or the points.",
        "摄像机距最近的控制点 {distance} m", "1000 m 以内的定位才可信；请更正摄像机位置或控制点。",
    ),
    "camera_far": T(
        "the camera stands {distance} m from the HCA '{site}'", "Correct its position or its site.",
        "摄像机距高后果区“{site}” {distance} m", "请更正其位置或 site。", "warning"),
    "camera_blind": T(
        "the camera has neither ground points nor zones, so no violation can be decided from its picture",
        "Give at least 4 ground_points or a mast (for distances), or a zone drawn in the picture.",
        "摄像机既没有地面控制点也没有区域，无法据其画面判定违规",
        "请填写至少 4 个 ground_points 或 mast（用于距离），或在画面中绘制区域。", "warning"),
    "polygon_short": T(
        "a zone needs at least 3 corners, found {found}", "Give its corners in order as [x, y] pixels.",
        "区域至少需要 3 个顶点，现有 {found} 个", "请按顺序填写顶点像素 [x, y]。"),
    "polygon_crossing": T(
        "the zone's border crosses or touches itself", "Give the corners in order around the zone, each once.",
        "区域边界自相交或自接触", "请沿边界依次填写各顶点，每个一次。"),
    "polygon_flat": T(
        "the zone has no area: its corners lie on one line", "Give corners around an area.",
        "区域面积为零：顶点位于一条直线上", "请填写围成面积的顶点。"),
    "polygon_outside_frame": T(
        "the corner [{x}, {y}] is outside the picture of {width} x {height}", "Pixels are of the full frame; correct it or frame_size_px.",
        "顶点 [{x}, {y}] 在 {width} x {height} 画面之外", "像素坐标以完整画面为准；请更正顶点或 frame_size_px。"),
}  # fmt: skip
