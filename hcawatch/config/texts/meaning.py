"""Faults of meaning: names that must fit together, sources, networks, secrets, teams and permits."""

from hcawatch.config.texts.base import FaultText as T
from monitor.domain.rule_texts import RULE_FAULTS

MEANING: dict[str, T] = {
    # ---- names
    "duplicate_id": T(
        "the id '{id}' is used twice (first on line {first})", "Give each its own id.",
        "编号“{id}”重复（首次在第 {first} 行）", "请为每项使用不同的编号。"),
    "unknown_pipeline": T(
        "no pipeline is called '{name}'", "Use one of: {known}.", "没有名为“{name}”的管道", "请使用：{known}。"),
    "unknown_site": T(
        "no HCA is called '{name}'", "Use one of: {known}.", "没有名为“{name}”的高后果区", "请使用：{known}。"),
    "unknown_edge": T(
        "no edge is called '{name}'", "Use one of: {known}.", "没有名为“{name}”的边缘节点", "请使用：{known}。"),
    "timezone_unknown": T(
        "the time zone '{name}' is not known", "Use a name of the IANA list, such as Asia/Shanghai.",
        "未知时区“{name}”", "请使用 IANA 时区名，例如 Asia/Shanghai。"),
    "hca_grade_confused": T(
        "'{found}' is no HCA grade; grades are I, II, III and III is the worst (risk levels run the other way)",
        "Write I, II or III as GB 32167 assigns it.",
        "“{found}”不是高后果区等级；等级为 I、II、III，III 级最高（与风险等级方向相反）",
        "请按 GB 32167 的评定写 I、II 或 III。"),
    # ---- rules and hours: the rulebook's own words
    **{code: T(*texts) for code, texts in RULE_FAULTS.items()},
    "enter_below_min_score": T(
        "enter_score {enter} of '{rule}' has no effect: boxes below the camera's min_score, {min_score}, are not tracked",
        "Raise enter_score, or lower the camera's min_score.",
        "规则“{rule}”的 enter_score {enter} 不起作用：低于摄像机 min_score（{min_score}）的目标不被跟踪",
        "请提高 enter_score，或降低摄像机的 min_score。", "warning"),
    "hours_empty": T(
        "the hours begin and end at {at}", "Correct one of the two; all day is 00:00 to 24:00.",
        "时段的开始和结束均为 {at}", "请更正其一；全天为 00:00 至 24:00。"),
    "edge_reserved": T(
        "no edge can be called '{id}': the centre itself speaks under that name", "Give the edge another id.",
        "边缘节点不能命名为“{id}”：中心自身使用该名称", "请为边缘节点换一个编号。"),
    "schedule_reserved": T(
        "'{id}' is the name of the sun's own hours", "Give the schedule another id; rules and zones take `day` and `night` as they are.",
        "“{id}”是按太阳划分的时段名称", "请为时段换一个编号；规则和区域可直接使用 `day` 与 `night`。"),
    "bad_clock": T(
        "'{found}' is no time of day", "Write HH:MM, from 00:00 to 24:00.", "“{found}”不是时刻", "请写 HH:MM，00:00 至 24:00。"),
    # ---- cameras' sources
    "source_scheme": T(
        "cameras aren't read over '{scheme}'", "Use rtsp://, rtsps://, http://, https://, a file, a folder, stills:FOLDER or webcam:0.",
        "不支持通过“{scheme}”读取摄像机", "请使用 rtsp://、rtsps://、http://、https://、文件、文件夹、stills:文件夹 或 webcam:0。"),
    "source_incomplete": T(
        "the source names no host, number or folder", "Write it out, such as rtsp://10.20.1.11:554/stream1, webcam:0 or stills:uploads/gate.",
        "来源缺少主机、编号或文件夹", "请写完整，例如 rtsp://10.20.1.11:554/stream1、webcam:0 或 stills:uploads/gate。"),
    "source_missing": T(
        "there is no file or folder {file}", "Paths are relative to this YAML file; correct it or put the file there.",
        "文件或文件夹 {file} 不存在", "路径相对于本 YAML 文件；请更正路径或放入该文件。"),
    "credential_in_url": T(
        "the source carries a user name or password", "Take it out of the address, name a `credential:` and put it into the edge's secrets file.",
        "来源地址中含有用户名或密码", "请从地址中删除，填写 `credential:` 名称，并把它放进边缘节点的机密文件。"),
    "camera_outside_networks": T(
        "{host} is outside the networks of edge '{edge}' ({networks})", "Correct the address, or list its network under that edge.",
        "{host} 不在边缘节点“{edge}”的网络内（{networks}）", "请更正地址，或在该边缘节点下列出其网络。"),
    "network_invalid": T(
        "'{found}' is not a network: {reason}", "Write an address with a prefix length, such as 10.20.0.0/16.",
        "“{found}”不是网络：{reason}", "请写带前缀长度的地址，例如 10.20.0.0/16。"),
    "network_everything": T(
        "the network {found} is the whole internet", "List only the networks in which this edge's cameras stand.",
        "网络 {found} 等于整个互联网", "请只列出该边缘节点的摄像机所在网络。"),
    "edge_without_cameras": T(
        "no camera belongs to edge '{edge}'", "Name it in a camera's `edge:`, or remove it.",
        "没有摄像机属于边缘节点“{edge}”", "请在某摄像机的 `edge:` 中引用，或删除它。", "warning"),
    # ---- secrets and the centre
    "env_not_set": T(
        "the environment variable {name} is not set", "Set it for the process: export {name}=…",
        "环境变量 {name} 未设置", "请为进程设置：export {name}=…"),
    "secret_file_unreadable": T(
        "the secret's file {file} can't be read: {reason}", "Create it, readable by the service's user only (chmod 600).",
        "无法读取机密文件 {file}：{reason}", "请创建该文件，并只允许服务用户读取（chmod 600）。"),
    "secret_file_open": T(
        "everybody on this machine can read {file}", "chmod 600 {file}",
        "本机所有用户都能读取 {file}", "chmod 600 {file}", "warning"),
    "secret_twice": T(
        "both {one} and {other} are given", "Keep one of the two.", "同时给出了 {one} 和 {other}", "请只保留其一。"),
    "secret_none": T(
        "neither {one} nor {other} is given", "Give one of the two.", "{one} 和 {other} 均未给出", "请给出其一。"),
    "database_url": T(
        "what {name} holds is not a PostgreSQL address", "It must begin with postgresql://",
        "{name} 的内容不是 PostgreSQL 地址", "必须以 postgresql:// 开头。"),
    "mqtt_plain": T(
        "the broker at {host} is reached without TLS", "Set `tls: true`: events, positions and dispatches travel over it.",
        "与 {host} 的消息代理之间没有 TLS", "请设置 `tls: true`：事件、位置和派单都经过它。", "warning"),
    "levels_unordered": T(
        "level {worse} would begin below level {milder}", "Points must fall from I to II to III.",
        "{worse} 级的起点低于 {milder} 级", "分值必须从 I 到 II 到 III 递减。"),
    # ---- teams
    "team_empty": T(
        "team '{team}' has no members, so nobody can be sent", "Give at least one member with user, name and role.",
        "班组“{team}”没有成员，无人可派", "请至少填写一名成员（user、name、role）。"),
    "user_twice": T(
        "the user '{user}' is in two places (first on line {first})", "A person belongs to one team; choose one.",
        "用户“{user}”出现两次（首次在第 {first} 行）", "一人只能属于一个班组；请选择其一。"),
    "user_reserved": T(
        "the user '{user}' is a person of the control room", "Choose another login for this member.",
        "用户“{user}”是监控中心的人员", "请为该成员选择其他登录名。",
    ),
    "site_uncovered": T(
        "no team covers the HCA '{site}', so nobody could be sent there", "Add it to a team's `sites:`, or leave one team's `sites:` out (covers all).",
        "没有班组负责高后果区“{site}”，无人可派", "请把它加入某班组的 `sites:`，或让某班组省略 `sites:`（负责全部）。"),
    "team_reserved": T(
        "no team can be called '{id}': gateways know the control room by that name", "Give the team another id.",
        "班组不能命名为“{id}”：网关以该名称识别监控中心", "请为班组换一个编号。"),
    "no_member": T(
        "'{user}' is no member of the team '{team}'", "Use one of: {known}.",
        "“{user}”不是班组“{team}”的成员", "请使用：{known}。"),
    "shifts_leave_hours": T(
        "the shifts of '{team}' leave hours of the week without anybody, and nobody is on call",
        "Fill the hours, or name who is called then in `on_call:`.",
        "班组“{team}”的排班每周有无人时段，且无备勤人员", "请补足排班，或在 `on_call:` 中填写届时的备勤人员。", "warning"),
    "holiday_backwards": T(
        "the holiday ends ({last}) before it begins ({first})", "Exchange the two days.",
        "节假日的结束日（{last}）早于开始日（{first}）", "请交换两个日期。"),
    "chain_person": T(
        "`person` and `who: person` belong together", "Name the person with `who: person`, and nowhere else.",
        "`person` 与 `who: person` 须同时使用", "请仅在 `who: person` 时填写 `person`。"),
    "chain_unknown_person": T(
        "nobody is called '{name}'", "Use a member's user or a contact's id: {known}.",
        "没有名为“{name}”的人员", "请使用成员的 user 或联系人的编号：{known}。"),
    # ---- supervision
    "supervision_no_condition": T(
        "the supervision rule '{rule}' asks nothing of the record, so it would hold everywhere",
        "Give `clean_months:`, `repeats:` or `credited: true`.",
        "监管规则“{rule}”没有任何条件，将对所有点位生效", "请填写 `clean_months:`、`repeats:` 或 `credited: true`。"),
    "supervision_sooner_for_repeats": T(
        "the supervision rule '{rule}' sends sooner, but not because of repeated violations",
        "Give `repeats:` and no `clean_months:`.",
        "监管规则“{rule}”要求直接派遣，却不以屡次违规为条件", "请填写 `repeats:`，并去掉 `clean_months:`。"),
    "supervision_fewer_for_clean": T(
        "the supervision rule '{rule}' sends less, but does not ask for a clean record",
        "Give `clean_months:` and no `repeats:`.",
        "监管规则“{rule}”减少派遣，却未要求无违规记录", "请填写 `clean_months:`，并去掉 `repeats:`。"),
    "supervision_nobody_credited": T(
        "the supervision rule '{rule}' asks for a credited operator or company, and nobody is",
        "List them under `supervision.credited:`.",
        "监管规则“{rule}”要求诚信企业，但未列出任何企业", "请在 `supervision.credited:` 中列出。", "warning"),
    # ---- channels and contacts
    "channel_key_missing": T(
        "a channel of kind '{kind}' needs '{name}'", "Add it; docs/channels.md has ten lines on each kind.",
        "类型为“{kind}”的渠道需要“{name}”", "请添加；docs/channels.md 对每种渠道各有十行说明。"),
    "channel_key_foreign": T(
        "a channel of kind '{kind}' has no use for '{name}'", "Remove it; this kind takes: {known}.",
        "类型为“{kind}”的渠道用不到“{name}”", "请删除；此类渠道可用：{known}。"),
    "channel_mqtt": T(
        "the channel 'mqtt' is the broker itself, and no other channel is of that kind",
        "Use `id: mqtt` with `kind: mqtt`, to give the broker a fallback; else another id and kind.",
        "渠道“mqtt”即消息代理本身，其他渠道不能使用此类型", "为消息代理设置备用渠道请写 `id: mqtt` 与 `kind: mqtt`；否则请换编号和类型。"),
    "channel_unknown": T(
        "no channel is called '{name}'", "Use one of: {known}, or add it under `channels:`.",
        "没有名为“{name}”的渠道", "请使用：{known}，或在 `channels:` 中添加。"),
    "channel_fallback_circle": T(
        "the fallbacks lead back to '{name}'", "End the chain with a channel that has none.",
        "备用渠道又回到“{name}”", "请让链条以没有备用渠道的渠道结束。"),
    "channel_fallback_mqtt": T(
        "the broker can't take over from another channel",
        "Name another channel, or none: every dispatch goes over MQTT beside its channels anyway.",
        "消息代理不能作为其他渠道的备用渠道", "请填写其他渠道或不填：每条派单本来就会同时经 MQTT 发布。"),
    "channel_push_twice": T(
        "there is a channel of kind 'webpush' already", "Remove one: a browser is notified by one key only.",
        "已有类型为“webpush”的渠道", "请删除一个：浏览器只认一把推送密钥。"),
    "channel_push_sender": T(
        "push services want to know who runs this system, and '{found}' does not say it",
        "Write mailto:name@example.org, or https://… of a page about it.",
        "推送服务要求说明系统的运营者，而“{found}”未说明", "请填写 mailto:name@example.org 或介绍页面的 https://… 地址。"),
    "channel_url": T(
        "a channel can't post to '{found}'",
        "Use https://…; http:// only with `networks:` of your own, and never a user or password in it.",
        "渠道无法向“{found}”发送", "请使用 https://…；http:// 仅限在 `networks:` 中列出的自有网络，且地址中不得含用户名或密码。"),
    "request_unknown_fact": T(
        "a message has no '{name}' to fill in", "Use {known}; double a brace that is to stay one.",
        "消息中没有可填入的“{name}”", "请使用 {known}；需要保留的花括号请写两个。"),
    "contact_bad": T(
        "'{found}' is no address for a channel of kind '{kind}'", "Write {expected}.",
        "“{found}”不是“{kind}”类渠道的地址", "请写{expected_zh}。"),
    "contact_without_address": T(
        "the channel '{name}' ({kind}) reaches a group or a system, not single persons", "Remove the address here; the channel has its own.",
        "渠道“{name}”（{kind}）面向群组或系统，没有个人地址", "请删除此处的地址；该渠道有自己的地址。"),
    # ---- permits and law
    "permit_reversed": T(
        "the permit ends before it begins", "Exchange valid_from and valid_to, or correct the dates.",
        "许可的结束早于开始", "请对调 valid_from 与 valid_to，或更正日期。"),
    "unknown_camera": T(
        "no camera is called '{name}'", "Write one of: {known}.", "没有名为“{name}”的摄像机", "请填写其中之一：{known}。"),
    "device_twice": T(
        "'{name}' stands here already (line {first})", "One entry per camera, and one per topic: put them together.",
        "“{name}”已在第 {first} 行出现", "每台摄像机、每个主题只写一项，请合并。"),
    "device_violation_unknown": T(
        "no violation is called '{name}'", "Write one of: {known}.", "没有名为“{name}”的违规类型", "请填写其中之一：{known}。"),
    # ---- GB/T 28181
    "gb_id_invalid": T(
        "'{found}' is no id of GB/T 28181: {reason}", "Copy the 20 digits from the device's or the platform's settings, in quotes.",
        "“{found}”不是国标编号：{reason}", "请从设备或平台设置中复制 20 位数字，并加引号。"),
    "gb_id_type": T(
        "digits 11 to 13 of {found} say type {type}; here it is {first} to {last}", "Check which id this is: cameras have types such as 131 and 132, platforms 200.",
        "{found} 的第 11 至 13 位类型为 {type}；此处应为 {first} 至 {last}", "请核对编号：摄像机类型如 131、132，平台为 200。"),
    "gb_no_own_id": T(
        "a channel of kind gb28181 needs an id of ours", "Add a section `gb28181:` with our gb_id, or name one as the channel's `user`.",
        "gb28181 渠道需要本方编号", "请添加含本方 gb_id 的 `gb28181:` 段，或在渠道的 `user` 中填写。"),
    "gb_listen": T(
        "'{found}' is no IPv4 address to listen at", "Write an address of this machine, such as 10.30.0.2, or leave it out.",
        "“{found}”不是可监听的 IPv4 地址", "请填写本机地址，例如 10.30.0.2，或省略。"),
    "gb_networks_none": T(
        "devices of GB/T 28181 need `networks`", "List where they are, such as 10.30.0.0/16: who is elsewhere gets no answer.",
        "国标设备需要填写 `networks`", "请列出设备所在网络，例如 10.30.0.0/16：其他来源不予应答。"),
    "gb_camera_without_id": T(
        "none of the alarms of this device can be known as of '{name}'", "Give the camera its `gb_id` under `cameras:`, or name the id that its alarms carry under `channels:`.",
        "无法识别该设备的哪些报警属于“{name}”", "请在 `cameras:` 中填写该摄像机的 `gb_id`，或在 `channels:` 中填写其报警所带编号。"),
    "gb_brings_nothing": T(
        "device {id} brings no camera, so each of its alarms is a dead letter", "List its `cameras:` or `channels:`.",
        "设备 {id} 未关联摄像机，其报警都将成为死信", "请填写 `cameras:` 或 `channels:`。", "warning"),
    "gb_topic": T(
        "'{found}' is no alarm of GB/T 28181", "Write gb28181/AlarmMethod, and /AlarmType, /EventType where they count, in digits: gb28181/5/6.",
        "“{found}”不是国标报警", "请写 gb28181/AlarmMethod，必要时加 /AlarmType、/EventType，均为数字：gb28181/5/6。"),
    "permit_violation_unknown": T(
        "no violation is called '{name}'", "Use one of: {known}.", "没有名为“{name}”的违规项", "请使用：{known}。"),
    "permit_not_in_law": T(
        "the law knows no permit for '{name}' (Art {article}); the permit will be shown but never lowers a level",
        "Check which violation the approval names; approvals exist for: {known}.",
        "法律对“{name}”（第{article}条）没有许可；该许可只会显示，不会降低等级",
        "请核对批准文件对应的违规项；有许可的为：{known}。", "warning"),
    "permit_over": T(
        "the permit ended on {date}", "Remove it, or enter its extension.",
        "该许可已于 {date} 到期", "请删除，或填写延期。", "warning"),
    "articles_do_not_apply": T(
        "pipeline '{pipeline}' is {regime}, so the Pipeline Protection Law's articles do not apply to what camera '{camera}' sees",
        "Set `regime: transmission` if it is one; else expect events without legal articles.",
        "管道“{pipeline}”类别为 {regime}，摄像机“{camera}”所见不适用《石油天然气管道保护法》条款",
        "若为输送管道请设置 `regime: transmission`；否则事件将不带法律条款。", "warning"),
}  # fmt: skip
