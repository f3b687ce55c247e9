"""One row per kind of fault: what is changed in base.yaml, and which fault that makes, and where.

An edit is (old, new); `#!` in the new text marks the line on which the fault must be found.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Case:
    """One edit of base.yaml and the fault that it makes."""

    code: str
    key: str
    old: str
    new: str
    #: where `#!` can't stand
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.code}-{self.key}"


def edit(code: str, key: str, old: str, new: str, line: int | None = None) -> Case:
    """A row."""
    return Case(code=code, key=key, old=old, new=new, line=line)


GROUND = """    ground_points:
      - {pixel: [312, 540], lonlat: [121.604500, 29.902250]}
      - {pixel: [1580, 552], lonlat: [121.604560, 29.901900]}
      - {pixel: [240, 900], lonlat: [121.604290, 29.902060]}
      - {pixel: [1700, 930], lonlat: [121.604310, 29.901960]}
      - {pixel: [960, 700], lonlat: [121.604390, 29.902020]}
"""
CENTRELINE = "    centreline: [[121.60, 29.90], [121.65, 29.92]]\n"
POLYGON = "[[400, 500], [900, 500], [900, 1000], [400, 1000]]"
SOURCE = "source: rtsp://10.20.1.11:554/stream1"
MEMBERS = """    members:
      - {user: zhang-wei, name: Zhang, role: patrol}
      - {user: li-na, name: Li, role: officer}
"""


def rule(code: str, key: str, text: str, n: int = 0) -> Case:
    """A row that gives the base's camera a setting of a rule."""
    new = f"    rules:\n      - {text}\n    looks_per_s: 5\n"
    return edit(code, f"cameras[0].rules[{n}]{key}", "    looks_per_s: 5\n", new)


def channel(code: str, key: str, text: str, n: int = 0) -> Case:
    """A row that gives the base channels."""
    return edit(code, f"channels[{n}]{key}", "risk: {", f"channels:\n{text}\nrisk: {{")


SMS = "  - {id: sms, kind: sms, url: 'https://sms.example.org', request: {body: {m: '{to} {text}'}}}"


def gb(code: str, key: str, line: str) -> Case:
    """A row that gives the base a place by GB/T 28181."""
    networks = "" if line.startswith("networks") else "  networks: [10.0.0.0/8]\n"
    text = f"gb28181:\n  gb_id: 34020000002000000001\n{networks}  {line}\n"
    return edit(code, f"gb28181.{key}", "risk: {", f"{text}risk: {{")


def supervision(code: str, key: str, rules: str) -> Case:
    """A row about supervision rules."""
    return edit(code, f"supervision.{key}", "risk: {", f"supervision: {{rules: [{rules}]}} #!\nrisk: {{")


CASES: tuple[Case, ...] = (
    # ---- YAML
    edit("yaml_syntax", "", "edges:\n", "edges: [\n", line=23),
    edit("tab_indent", "", "    grade: III\n", "\tgrade: III #!\n"),
    edit("duplicate_key", "hcas[0].grade", "    grade: III\n", "    grade: III\n    grade: II #!\n"),
    edit("alias", "", "    name: Market\n", "    name: &m Market #!\n"),
    edit("too_deep", "", "    name: Market\n", f"    name: {'[' * 20}{']' * 20} #!\n"),
    edit("several_documents", "", "edges:\n", "--- #!\nedges:\n"),
    edit("yaml_tag", "hcas[1].name", "name: Market\n", "name: !!python/object:os.system Market #!\n"),
    edit("key_not_text", "hcas[1]", "    name: Market\n", "    name: Market\n    [a, b]: c #!\n"),
    # ---- shape
    edit("unknown_key", "hcas[1].zzz", "    name: Market\n", "    name: Market\n    zzz: 1 #!\n"),
    edit("unknown_key_near", "hcas[1].from", "    from_m: 1000\n", "    from_m: 1000\n    from: 1 #!\n"),
    edit("unknown_key_near", "camera", "teams:\n", "camera: [] #!\nteams:\n"),
    edit("secret_in_file", "centre.mqtt.password", "  mqtt: {host: 127.0.0.1, port: 1883}\n",
         "  mqtt:\n    host: 127.0.0.1\n    password: hunter2 #!\n"),
    edit("missing_key", "hcas[0].grade", "  - id: hca-01\n", "  - id: hca-01 #!\n"),
    edit("missing_key", "teams", "teams:\n", "", line=1),
    edit("wrong_type", "hcas[0].from_m", "from_m: 100\n", "from_m: hundred #!\n"),
    edit("wrong_type", "cameras[0].loop", "    looks_per_s: 5\n", "    loop: 3 #!\n"),
    edit("wrong_type", "cameras", "cameras:\n", "cameras: none #!\nx:\n"),
    edit("wrong_type", "permits[0].valid_to", "valid_to: 2036-12-31 19:00", "valid_to: next year #!"),
    edit("wrong_choice", "pipelines[0].regime", "regime: transmission", "regime: long #!"),
    edit("wrong_choice_near", "teams[0].members[0].role", "role: patrol", "role: patroll"),
    edit("empty_list", "edges", "edges:\n  - id: edge-1\n    name: Box\n    networks: [10.20.0.0/16]\n",
         "edges: [] #!\n"),
    edit("empty_list", "edges[0].networks", "networks: [10.20.0.0/16]", "networks: [] #!"),
    edit("list_length", "cameras[0].position", "position: [121.6042, 29.9020]", "position: [121.6042] #!"),
    edit("empty_text", "hcas[0].name", "name: School", "name: '' #!"),
    edit("out_of_range", "cameras[0].looks_per_s", "looks_per_s: 5", "looks_per_s: 500 #!"),
    edit("out_of_range", "pipelines[0].diameter_mm", "diameter_mm: 813", "diameter_mm: -813 #!"),
    edit("bad_id", "edges[0].id", "  - id: edge-1\n", "  - id: Edge/1 #!\n"),
    edit("version_unsupported", "version", "version: 1\n", "version: 2 #!\n"),
    edit("hca_grade_confused", "hcas[0].grade", "grade: III", "grade: IV #!"),
    edit("hca_grade_confused", "hcas[0].grade", "grade: III", "grade: 3 #!"),
    # ---- names
    edit("duplicate_id", "hcas[1].id", "  - id: hca-02\n", "  - id: hca-01 #!\n"),
    edit("duplicate_id", "cameras[0].zones[1].id", "    looks_per_s: 5\n",
         f"      - id: valve #!\n        kind: marker\n        polygon_px: {POLYGON}\n"),
    edit("unknown_pipeline", "hcas[0].pipeline", "pipeline: gas-1\n    name: School",
         "pipeline: gas-9 #!\n    name: School"),
    edit("unknown_pipeline", "permits[0].pipeline", "violation: works_50m\n    pipeline: gas-1",
         "violation: works_50m\n    pipeline: gas-9 #!"),
    edit("unknown_site", "cameras[0].site", "site: hca-01", "site: hca-77 #!"),
    edit("unknown_site", "teams[0].sites[1]", "sites: [hca-01, hca-02]",
         "sites:\n      - hca-01\n      - hca-77 #!\n      - hca-02"),
    edit("unknown_edge", "cameras[0].edge", "edge: edge-1", "edge: edge-9 #!"),
    edit("timezone_unknown", "city.timezone", "{name: Example, timezone: Asia/Shanghai}",
         "\n  name: Example\n  timezone: Asia/Ningbo #!"),
    # ---- places
    edit("lonlat_swapped", "cameras[0].position", "position: [121.6042, 29.9020]",
         "position: [29.9020, 121.6042] #!"),
    edit("lonlat_swapped", "pipelines[0].centreline[1]", CENTRELINE,
         "    centreline:\n      - [121.60, 29.90]\n      - [29.92, 121.65] #!\n"),
    edit("lonlat_range", "cameras[0].position", "position: [121.6042, 29.9020]", "position: [221.6, 29.9] #!"),
    edit("centreline_short", "pipelines[0].centreline", CENTRELINE, "    centreline: [[121.60, 29.90]] #!\n"),
    edit("centreline_zero", "pipelines[0].centreline", CENTRELINE,
         "    centreline: [[121.60, 29.90], [121.60, 29.90]] #!\n"),
    edit("vertex_repeated", "pipelines[0].centreline[2]", CENTRELINE,
         "    centreline:\n      - [121.60, 29.90]\n      - [121.65, 29.92]\n      - [121.65, 29.92] #!\n"),
    edit("centreline_jump", "pipelines[0].centreline[2]", CENTRELINE,
         "    centreline:\n      - [121.60, 29.90]\n      - [121.65, 29.92]\n      - [131.65, 29.92] #!\n"),
    edit("hca_reversed", "hcas[0].to_m", "to_m: 900", "to_m: 50 #!"),
    edit("hca_beyond_end", "hcas[1].to_m", "to_m: 2000", "to_m: 9000 #!"),
    edit("hca_before_start", "hcas[0].from_m", "from_m: 100\n", "from_m: -100 #!\n"),
    edit("hca_beyond_end", "permits[0].to_m", "to_m: 420", "to_m: 9000 #!"),
    edit("hca_overlap", "hcas[1].from_m", "from_m: 1000\n", "from_m: 800 #!\n"),
    edit("pipeline_without_hca", "pipelines[1]", "hcas:\n",
         "  - id: oil-1 #!\n    name: Oil\n    centreline: [[121.60, 29.80], [121.65, 29.82]]\nhcas:\n"),
    # ---- pictures
    edit("frame_size_missing", "cameras[0].ground_points", "    frame_size_px: [1920, 1080]\n    ground_points:\n",
         "    ground_points: #!\n"),
    edit("ground_points_few", "cameras[0].ground_points", GROUND,
         "    ground_points: #!\n" + "\n".join(GROUND.splitlines()[1:4]) + "\n"),
    edit("ground_points_collinear", "cameras[0].ground_points", GROUND,
         "    ground_points: #!\n" + "".join(
             f"      - {{pixel: [{x}, {x // 2 + 100}], lonlat: [{121.6043 + i * 1e-4:.4f}, {29.902 + i % 2 * 1e-4:.4f}]}}\n"
             for i, x in enumerate((100, 500, 900, 1300)))),
    edit("ground_points_collinear", "cameras[0].ground_points", GROUND,
         "    ground_points: #!\n" + "".join(
             f"      - {{pixel: [{x}, {500 + i % 2 * 300}], lonlat: [{121.6043 + i * 1e-4:.4f}, 29.9020]}}\n"
             for i, x in enumerate((100, 500, 900, 1300)))),
    edit("ground_point_repeated", "cameras[0].ground_points[4]", "{pixel: [960, 700],", "{pixel: [312, 540],  "),
    edit("ground_point_outside_frame", "cameras[0].ground_points[4].pixel", "[960, 700]", "[1960, 700]"),
    edit("lens_folds", "cameras[0].lens", GROUND, "    lens: {k1: -0.35, f_px: 900} #!\n" + GROUND),
    edit("mast_and_points", "cameras[0].mast", GROUND,
         "    mast: {height_m: 8, pan_deg: 90, tilt_deg: 15, hfov_deg: 60} #!\n" + GROUND),
    edit("mast_without_position", "cameras[0].mast", "    position: [121.6042, 29.9020]\n    frame_size_px: [1920, 1080]\n" + GROUND,
         "    frame_size_px: [1920, 1080]\n    mast: {height_m: 8, pan_deg: 90, tilt_deg: 15, hfov_deg: 60} #!\n"),
    edit("mast_sees_no_ground", "cameras[0].mast", GROUND,
         "    mast: {height_m: 8, pan_deg: 90, tilt_deg: 0, hfov_deg: 5} #!\n"),
    edit("ground_point_far", "cameras[0].ground_points[4].lonlat", "[121.604390, 29.902020]", "[121.624390, 29.902020]"),
    edit("camera_far", "cameras[0].position", "position: [121.6042, 29.9020]", "position: [121.7042, 29.9020] #!"),
    edit("camera_far_from_points", "cameras[0].position", "position: [121.6042, 29.9020]",
         "position: [121.6202, 29.9020] #!"),
    edit("camera_blind", "cameras[0]", "    frame_size_px: [1920, 1080]\n" + GROUND
         + f"    zones:\n      - id: valve\n        kind: valve\n        polygon_px: {POLYGON}\n", "", line=27),
    edit("polygon_short", "cameras[0].zones[0].polygon_px", POLYGON, "[[400, 500], [900, 500]] #!"),
    edit("polygon_crossing", "cameras[0].zones[0].polygon_px", POLYGON,
         "[[400, 500], [900, 1000], [900, 500], [400, 1000]] #!"),
    edit("polygon_flat", "cameras[0].zones[0].polygon_px", POLYGON, "[[400, 500], [500, 500], [600, 500]] #!"),
    edit("polygon_outside_frame", "cameras[0].zones[0].polygon_px[1]", "[900, 500], ", "[9000, 500], "),
    # ---- rules and hours
    rule("rule_unknown", ".rule", "rule: dig-9m #!\n        reason: r"),
    rule("rule_without_reason", ".reason", "rule: dig-5m\n        reason: ' ' #!"),
    rule("rule_class_unknown", ".by_class[0].object_class",
         "rule: dig-5m\n        reason: r\n        by_class:\n          - object_class: person #!"),
    rule("rule_class_twice", ".by_class[1].object_class",
         "rule: dig-5m\n        reason: r\n        by_class:\n          - object_class: loader\n          - object_class: loader #!"),
    rule("enter_below_min_score", ".by_class[0].night.enter_score",
         "rule: dig-5m\n        reason: r\n        by_class:\n          - object_class: loader\n            night: {enter_score: 0.2, leave_score: 0.1} #!"),
    rule("rule_must_stay_on", ".on", "rule: dig-5m\n        reason: r\n        on: false #!"),
    rule("rule_must_stay_on", ".within", "rule: dig-5m\n        reason: r\n        within: night #!"),
    rule("rule_would_silence", ".enter_score", "rule: dig-5m\n        reason: r\n        enter_score: 0.9 #!"),
    rule("rule_would_silence", ".night.dwell_s", "rule: dig-5m\n        reason: r\n        night:\n          dwell_s: 60 #!"),
    rule("rule_number_low", ".leave_score", "rule: works-50m\n        reason: r\n        leave_score: 0.05 #!"),
    rule("rule_leave_above_enter", ".leave_score", "rule: dig-5m\n        reason: r\n        leave_score: 0.55 #!"),
    rule("rule_leave_above_enter", ".night.enter_score",
         "rule: dig-5m\n        reason: r\n        leave_score: 0.4\n        night:\n          enter_score: 0.35 #!"),
    rule("schedule_unknown", ".outside", "rule: works-50m\n        reason: r\n        outside: market #!"),
    rule("duplicate_id", ".rule", "rule: works-50m\n        reason: r\n      - rule: works-50m #!\n        reason: r", n=1),
    edit("schedule_unknown", "cameras[0].zones[0].within", f"kind: valve\n        polygon_px: {POLYGON}",
         f"kind: marker\n        polygon_px: {POLYGON}\n        within: market #!"),
    edit("hours_never", "cameras[0].zones[0].outside", f"kind: valve\n        polygon_px: {POLYGON}",
         f"kind: marker\n        polygon_px: {POLYGON}\n        within: night\n        outside: night #!"),
    edit("zone_must_stay_on", "cameras[0].zones[0].outside", f"polygon_px: {POLYGON}",
         f"polygon_px: {POLYGON}\n        outside: night #!"),
    rule("enter_below_min_score", ".enter_score",
         "rule: works-50m\n        reason: r\n        enter_score: 0.35 #!"),
    edit("out_of_range", "cameras[0].min_score", "    looks_per_s: 5\n", "    min_score: 0.9 #!\n"),
    edit("out_of_range", "cameras[0].looks_per_s", "looks_per_s: 5", "looks_per_s: 0.05 #!"),
    edit("edge_reserved", "edges[0].id", "  - id: edge-1\n", "  - id: centre #!\n"),
    edit("hours_empty", "schedules[0].hours[0].end", "teams:\n",
         "schedules:\n  - id: s\n    hours:\n      - begin: 22:00\n        end: 22:00 #!\nteams:\n"),
    edit("schedule_reserved", "schedules[0].id", "teams:\n",
         "schedules:\n  - id: night #!\n    hours: [{begin: 22:00, end: 06:00}]\nteams:\n"),
    edit("bad_clock", "schedules[0].hours[0].begin", "teams:\n",
         "schedules:\n  - id: s\n    hours:\n      - begin: half past seven #!\n        end: 08:00\nteams:\n"),
    # ---- sources
    edit("source_scheme", "cameras[0].source", SOURCE, "source: rtmp://10.20.1.11/live #!"),
    edit("source_incomplete", "cameras[0].source", SOURCE, "source: rtsp:///stream1 #!"),
    edit("source_incomplete", "cameras[0].source", SOURCE, "source: webcam:front #!"),
    edit("source_incomplete", "cameras[0].source", SOURCE, "source: 'stills:' #!"),
    edit("source_missing", "cameras[0].source", SOURCE, "source: clips/nowhere.mp4 #!"),
    edit("credential_in_url", "cameras[0].source", SOURCE, "source: rtsp://admin:hunter2@10.20.1.11/stream1 #!"),
    edit("credential_in_url", "cameras[0].source", SOURCE,
         "source: 'rtsp://10.20.1.11:554/user=admin&password=hunter2&channel=1' #!"),
    edit("camera_outside_networks", "cameras[0].source", SOURCE, "source: rtsp://192.168.1.11:554/stream1 #!"),
    edit("network_invalid", "edges[0].networks[0]", "[10.20.0.0/16]", "[10.20.1.1/16] #!"),
    edit("network_everything", "edges[0].networks[0]", "[10.20.0.0/16]", "[0.0.0.0/0] #!"),
    edit("edge_without_cameras", "edges[1]", "cameras:\n", "  - {id: edge-2, name: Spare} #!\ncameras:\n"),
    # ---- the centre
    edit("env_not_set", "centre.database.url_env", "{url_env: TEST_DATABASE_URL}", "{url_env: NOT_SET_ANYWHERE} #!"),
    edit("database_url", "centre.database.url_env", "{url_env: TEST_DATABASE_URL}", "{url_env: TEST_NO_URL} #!"),
    edit("secret_none", "centre.database", "{url_env: TEST_DATABASE_URL}", "{} #!"),
    edit("secret_twice", "centre.database.url_file", "{url_env: TEST_DATABASE_URL}",
         "{url_env: TEST_DATABASE_URL, url_file: base.yaml} #!"),
    edit("secret_file_unreadable", "centre.database.url_file", "{url_env: TEST_DATABASE_URL}",
         "{url_file: nowhere.secret} #!"),
    edit("secret_file_open", "centre.database.url_file", "{url_env: TEST_DATABASE_URL}", "{url_file: open.secret} #!"),
    edit("mqtt_plain", "centre.mqtt", "host: 127.0.0.1, port: 1883", "host: broker.example, port: 1883"),
    edit("levels_unordered", "risk.level_from", "{version: site-1, night: 10}",
         "{version: site-1, level_from: {I: 10}} #!"),
    # ---- teams, permits, law
    edit("team_empty", "teams[0].members", MEMBERS, "    members: [] #!\n"),
    edit("user_twice", "teams[0].members[1].user", "{user: li-na, name: Li", "{user: zhang-wei, name: Li"),
    edit("user_reserved", "teams[0].members[1].user", "user: li-na", "user: admin"),
    edit("site_uncovered", "hcas[1]", "sites: [hca-01, hca-02]", "sites: [hca-01]", line=16),
    edit("team_reserved", "teams[0].id", "id: team-a", "id: room #!"),
    edit("no_member", "teams[0].lead", "    sites: [hca-01, hca-02]", "    sites: [hca-01, hca-02]\n    lead: li-nna #!"),
    edit("no_member", "teams[0].shifts[0].members[0]", "    sites: [hca-01, hca-02]",
         "    sites: [hca-01, hca-02]\n    shifts:\n      - {id: all, begin: 00:00, end: 24:00, members: [x]} #!"),
    edit("shifts_leave_hours", "teams[0].shifts", "    sites: [hca-01, hca-02]",
         "    sites: [hca-01, hca-02]\n    shifts: #!\n      - {id: day, begin: 07:00, end: 19:00}"),
    edit("holiday_backwards", "holidays[0].last", "risk: {", "holidays:\n  - {first: 2026-10-07, last: 2026-10-01} #!\nrisk: {"),
    edit("chain_person", "response.chains[0].steps[0].who", "risk: {",
         "response:\n  chains:\n    - steps: [{who: person}] #!\nrisk: {"),
    edit("chain_unknown_person", "response.chains[0].steps[0].person", "risk: {",
         "response:\n  chains:\n    - steps: [{who: person, person: nobody}] #!\nrisk: {"),
    edit("channel_unknown", "response.chains[0].steps[0].through[0]", "risk: {",
         "response:\n  chains:\n    - steps: [{who: operator, through: [fax]}] #!\nrisk: {"),
    # ---- channels and contacts
    channel("channel_key_missing", "", "  - {id: hook, kind: webhook} #!"),
    channel("channel_key_foreign", ".host", "  - {id: sms, kind: sms, url: 'https://a.example', host: a, request: {body: {m: a}}} #!"),
    channel("channel_key_foreign", ".url", "  - {id: w, kind: wecom, url_env: TEST_NO_URL, url: 'https://a.example/?key=1'} #!"),
    channel("channel_mqtt", ".id", "  - {id: broker, kind: mqtt} #!"),
    channel("channel_unknown", ".fallback", SMS + "\n  - {id: e, kind: email, host: h, sender: a@b, fallback: sns} #!", n=1),
    channel("channel_fallback_circle", ".fallback",
            "  - {id: c, kind: cap, sender: s, url: 'https://a.example', fallback: e} #!\n"
            "  - {id: e, kind: email, host: h, sender: a@b, fallback: c}"),
    channel("channel_fallback_mqtt", ".fallback", "  - {id: e, kind: email, host: h, sender: a@b, fallback: mqtt} #!"),
    channel("channel_push_twice", ".kind", "  - {id: p, kind: webpush, sender: 'mailto:a@b'}\n  - {id: q, kind: webpush, sender: 'mailto:a@b'} #!", n=1),
    channel("channel_push_sender", ".sender", "  - {id: p, kind: webpush, sender: us@example.org} #!"),
    channel("channel_url", ".url", "  - {id: c, kind: cap, sender: s, url: 'http://10.1.2.3/cap'} #!"),
    channel("channel_url", ".url", "  - {id: c, kind: cap, sender: s, url: 'https://me:hunter2@a.example/cap'} #!"),
    channel("network_everything", ".networks[0]", "  - {id: c, kind: cap, sender: s, url: 'https://a.example', networks: [0.0.0.0/0]} #!"),
    channel("env_not_set", ".replies_env", SMS.replace("kind: sms", "kind: sms, replies_env: NOT_SET_ANYWHERE") + " #!"),
    channel("channel_key_foreign", ".replies_env", "  - {id: e, kind: email, host: h, sender: a@b, replies_env: TEST_NO_URL} #!"),
    channel("env_not_set", ".secret_env", "  - {id: e, kind: email, host: h, sender: a@b, secret_env: NOT_SET_ANYWHERE} #!"),
    channel("request_unknown_fact", ".request.body.m", SMS.replace("{text}", "{words}") + " #!"),
    channel("contact_bad", ".to[0]", SMS.replace("kind: sms", "kind: sms, to: [somebody]") + " #!"),
    edit("channel_unknown", "teams[0].members[1].contacts.fax", "name: Li, role: officer}", "name: Li, role: officer, contacts: {fax: '1'}} #!"),
    edit("contact_bad", "contacts[0].addresses.e", "risk: {",
         "channels:\n  - {id: e, kind: email, host: h, sender: a@b}\ncontacts:\n  - {id: c, name: C, addresses: {e: nobody}} #!\nrisk: {"),
    edit("contact_without_address", "contacts[0].addresses.w", "risk: {",
         "channels:\n  - {id: w, kind: wecom, url_env: TEST_NO_URL}\ncontacts:\n  - {id: c, name: C, addresses: {w: x}} #!\nrisk: {"),
    # ---- supervision
    supervision("supervision_no_condition", "rules[0].then", "{id: r, name: R, then: remote}"),
    supervision("supervision_sooner_for_repeats", "rules[0].then", "{id: r, name: R, then: sooner, clean_months: 3}"),
    supervision("supervision_fewer_for_clean", "rules[0].then", "{id: r, name: R, then: bundled, repeats: 3}"),
    supervision("supervision_nobody_credited", "rules[0].credited",
                "{id: r, name: R, then: remote, clean_months: 3, credited: true}"),
    supervision("duplicate_id", "rules[1].id",
                "{id: r, name: R, then: sooner, repeats: 2}, {id: r, name: R, then: sooner, repeats: 3}"),
    edit("unknown_pipeline", "supervision.credited.pipelines[0]", "risk: {",
         "supervision: {credited: {pipelines: [gas-9]}} #!\nrisk: {"),
    edit("permit_reversed", "permits[0].valid_to", "valid_to: 2036-12-31 19:00", "valid_to: 2026-10-01 #!"),
    edit("permit_over", "permits[0].valid_to", "valid_to: 2036-12-31 19:00", "valid_to: 2026-11-02 #!"),
    edit("permit_violation_unknown", "hcas[0].checks[0].violations[0]", "    grade: III\n",
         "    grade: III\n    checks: [{id: pit, name: Pit, violations: [works_60m]}] #!\n"),
    edit("duplicate_id", "hcas[0].checks[1].id", "    grade: III\n",
         "    grade: III\n    checks: [{id: pit, name: Pit}, {id: pit, name: Lid}] #!\n"),
    edit("device_violation_unknown", "devices[0].alarms[0].violation", "version: 1",
         "version: 1\ndevices:\n  - camera: gate\n    alarms:\n      - topic: RuleEngine/X\n        violation: digging #!"),
    edit("unknown_camera", "devices[0].camera", "version: 1",
         "version: 1\ndevices:\n  - camera: c-1 #!\n    alarms:\n      - {topic: RuleEngine/X, violation: on_pipe}"),
    edit("device_twice", "devices[0].alarms[1].topic", "version: 1",
         "version: 1\ndevices:\n  - camera: gate\n    alarms:\n      - {topic: RuleEngine/X, violation: on_pipe}\n"
         "      - topic: tns1:RuleEngine/X #!\n        violation: on_pipe"),
    # ---- GB/T 28181
    edit("gb_id_invalid", "cameras[0].gb_id", "    edge: edge-1\n", "    edge: edge-1\n    gb_id: '3402000000131000007' #!\n"),
    edit("gb_id_type", "cameras[0].gb_id", "    edge: edge-1\n", "    edge: edge-1\n    gb_id: 34020000002000000001 #!\n"),
    gb("duplicate_id", "devices[0].gb_id", "devices: [{gb_id: '34020000002000000001', password_env: TEST_DATABASE_URL, channels: [{gb_id: '34020000001310000001', camera: gate}]}] #!"),
    gb("gb_id_invalid", "devices[0].gb_id", "devices: [{gb_id: 'x', password_env: TEST_DATABASE_URL, channels: [{gb_id: '34020000001310000001', camera: gate}]}] #!"),
    gb("secret_none", "devices[0]", "devices: [{gb_id: '34020000001180000001', channels: [{gb_id: '34020000001310000001', camera: gate}]}] #!"),
    gb("env_not_set", "devices[0].password_env", "devices: [{gb_id: '34020000001180000001', password_env: NOT_THERE, channels: [{gb_id: '34020000001310000001', camera: gate}]}] #!"),
    gb("unknown_camera", "devices[0].channels[0].camera", "devices: [{gb_id: '34020000001180000001', password_env: TEST_DATABASE_URL, channels: [{gb_id: '34020000001310000001', camera: shed}]}] #!"),
    gb("gb_brings_nothing", "devices[0].gb_id", "devices: [{gb_id: '34020000001180000001', password_env: TEST_DATABASE_URL}] #!"),
    gb("network_everything", "networks[1]", "networks: [10.0.0.0/8, 0.0.0.0/0] #!"),
    gb("network_invalid", "networks[1]", "networks: [10.0.0.0/8, ten] #!"),
    gb("gb_listen", "listen", "listen: everywhere #!"),
    gb("timezone_unknown", "timezone", "timezone: Mars/Olympus #!"),
    gb("secret_in_file", "password", "password: hunter2 #!"),
    edit("gb_camera_without_id", "gb28181.devices[0].cameras[1]", "version: 1", "version: 1\ngb28181:\n  gb_id: '34020000002000000001'\n  networks: [10.0.0.0/8]\n"
         "  devices:\n    - {gb_id: '34020000001180000001', password_env: TEST_DATABASE_URL, cameras: [gate, gate]} #!"),
    edit("gb_networks_none", "gb28181", "version: 1", "version: 1\ngb28181: #!\n  gb_id: '34020000002000000001'\n"
         "  devices: [{gb_id: '34020000001320000007', password_env: TEST_DATABASE_URL, cameras: [gate]}]"),
    edit("gb_topic", "devices[0].alarms[0].topic", "version: 1",
         "version: 1\ndevices:\n  - camera: gate\n    alarms:\n      - {topic: gb28181/five, violation: on_pipe} #!"),
    channel("gb_no_own_id", ".kind", "  - {id: up, kind: gb28181, host: up.example.org, gb_id: '34000000002000000001', secret_env: TEST_DATABASE_URL, networks: [10.0.0.0/8]} #!"),
    channel("gb_id_type", ".gb_id", "  - {id: up, kind: gb28181, host: up.example.org, user: '34020000002000000001', gb_id: '34000000001310000001', secret_env: TEST_DATABASE_URL, networks: [10.0.0.0/8]} #!"),
    channel("channel_key_missing", "", "  - {id: up, kind: gb28181, user: '34020000002000000001', gb_id: '34000000002000000001', secret_env: TEST_DATABASE_URL, networks: [10.0.0.0/8]} #!"),
    edit("permit_violation_unknown", "permits[0].violation", "violation: works_50m", "violation: works_60m #!"),
    edit("permit_not_in_law", "permits[0].violation", "violation: works_50m", "violation: excavation_5m #!"),
    edit("articles_do_not_apply", "cameras[0].site", "regime: transmission", "regime: urban_gas", line=29),
)  # fmt: skip

WARNINGS = frozenset({
    "lens_folds", "vertex_repeated", "centreline_jump", "pipeline_without_hca", "camera_far", "camera_blind",
    "edge_without_cameras", "secret_file_open", "mqtt_plain", "permit_over", "permit_not_in_law",
    "articles_do_not_apply", "enter_below_min_score", "shifts_leave_hours",
    "supervision_nobody_credited", "gb_brings_nothing",
})  # fmt: skip

#: faults of the file itself, tested one by one
OF_THE_FILE = frozenset(
    {"file_missing", "file_unreadable", "file_too_large", "not_utf8", "empty_file", "not_a_table"}
)
#: a net for errors of pydantic that have no row of their own
NET = frozenset({"invalid"})
