"""Faults of reading: the file, its YAML, and keys and values of the wrong shape."""

from hcawatch.config.texts.base import FaultText as T

READING: dict[str, T] = {
    # ---- the file
    "file_missing": T(
        "there is no file {file}", "Check the path, or start from `hcawatch config example > hcawatch.yaml`.",
        "文件 {file} 不存在", "请检查路径，或先运行 `hcawatch config example > hcawatch.yaml`。"),
    "file_unreadable": T(
        "the file can't be read: {reason}", "Name a YAML file that this user may read.",
        "无法读取文件：{reason}", "请指定当前用户有权读取的 YAML 文件。"),
    "file_too_large": T(
        "the file has {bytes} bytes, more than {most}", "Split off what isn't configuration; cities need some kilobytes.",
        "文件有 {bytes} 字节，超过 {most}", "请移除与配置无关的内容；一座城市只需几十 KB。"),
    "not_utf8": T(
        "the file isn't UTF-8 (byte {offset})", "Save it as UTF-8 in the editor.",
        "文件不是 UTF-8 编码（第 {offset} 字节）", "请在编辑器中另存为 UTF-8。"),
    # ---- YAML
    "yaml_syntax": T(
        "this isn't YAML: {reason}", "Look at this line and the one above it: a missing colon, quote, bracket or indent.",
        "不是合法的 YAML：{reason}", "请检查本行和上一行：是否缺少冒号、引号、括号或缩进。"),
    "tab_indent": T(
        "the line is indented with a tab", "Indent with spaces; YAML allows no tabs there.",
        "本行使用制表符缩进", "请改用空格缩进；YAML 不允许在此使用制表符。"),
    "duplicate_key": T(
        "the key '{name}' stands twice here (first on line {first})", "Remove one of the two, or merge them.",
        "键“{name}”在此重复（首次在第 {first} 行）", "请删除其中之一，或合并两者。"),
    "alias": T(
        "anchors and aliases (& and *) aren't taken", "Write the value out where the alias stands.",
        "不接受锚点和别名（& 与 *）", "请在别名处直接写出该值。"),
    "too_deep": T(
        "values are nested more than {most} levels deep", "Compare with `hcawatch config example`.",
        "嵌套超过 {most} 层", "请与 `hcawatch config example` 对照。"),
    "several_documents": T(
        "a second document begins here (---)", "Keep one document per file.",
        "此处开始了第二个文档（---）", "每个文件只能有一个文档。"),
    "yaml_tag": T(
        "the tag {tag} isn't taken", "Remove the tag; write plain text, numbers, lists and tables.",
        "不接受标签 {tag}", "请删除该标签，只写文本、数字、列表和表。"),
    "key_not_text": T(
        "a key here is empty, a list or a table", "Keys are plain names; see `hcawatch config example`.",
        "此处的键为空，或是列表或表", "键必须是普通名称；参见 `hcawatch config example`。"),
    "empty_file": T(
        "the file holds nothing", "Start from `hcawatch config example`.",
        "文件没有内容", "请从 `hcawatch config example` 开始。"),
    "not_a_table": T(
        "the file must be a table of sections, but is {found}", "Begin with `version: 1`; see `hcawatch config example`.",
        "文件应为由各节组成的表，实际是{found}", "请以 `version: 1` 开头；参见 `hcawatch config example`。"),
    # ---- shape
    "unknown_key": T(
        "the key '{name}' is not known here", "Remove it, or use one of: {known}.",
        "此处没有名为“{name}”的键", "请删除，或使用：{known}。"),
    "unknown_key_near": T(
        "the key '{name}' is not known here: did you mean '{near}'?", "Write '{near}', or remove the key.",
        "此处没有名为“{name}”的键：是否指“{near}”？", "请改为“{near}”，或删除该键。"),
    "secret_in_file": T(
        "'{name}' would put a secret into this file",
        "Secrets come from the environment or from files: use a credential name, *_env or *_file.",
        "“{name}”会把机密写进本文件", "机密只能来自环境变量或文件：请使用凭据名、*_env 或 *_file。"),
    "missing_key": T(
        "the key '{name}' is missing", "Add '{name}:' here; `hcawatch config example` shows it with a comment.",
        "缺少键“{name}”", "请在此添加“{name}:”；`hcawatch config example` 中有带注释的示例。"),
    "wrong_type": T(
        "expected {expected}, found {found}", "Write {expected}.",
        "应为{expected_zh}，实际为 {found}", "请写成{expected_zh}。"),
    "wrong_choice": T(
        "'{found}' is not one of the choices", "Use one of: {choices}.",
        "“{found}”不在可选值之中", "请使用：{choices}。"),
    "wrong_choice_near": T(
        "'{found}' is not one of the choices: did you mean '{near}'?", "Use one of: {choices}.",
        "“{found}”不在可选值之中：是否指“{near}”？", "请使用：{choices}。"),
    "empty_list": T(
        "the list is empty", "Give at least one entry.",
        "列表为空", "请至少填写一项。"),
    "list_length": T(
        "the list has {found} entries instead of {expected}", "Give exactly {expected}.",
        "列表有 {found} 项，应为 {expected} 项", "请恰好填写 {expected} 项。"),
    "empty_text": T(
        "the text is empty", "Write something that people will recognise.",
        "文本为空", "请填写便于辨认的文字。"),
    "out_of_range": T(
        "{found} is out of range", "The value must be {limit}.",
        "{found} 超出范围", "取值必须满足 {limit}。"),
    "bad_id": T(
        "'{found}' can't be an id",
        "Use 1 to 63 lower-case letters, digits, '-' or '_', beginning with a letter or digit: it becomes part of topics.",
        "“{found}”不能作为编号", "请用 1 至 63 个小写字母、数字、“-”或“_”，以字母或数字开头：编号会成为主题的一部分。"),
    "version_unsupported": T(
        "version {found} of the file's format isn't supported", "Write `version: {supported}`, or install a newer hcawatch.",
        "不支持格式版本 {found}", "请写 `version: {supported}`，或安装更新的 hcawatch。"),
    "invalid": T(
        "the value is not valid: {reason}", "Compare with `hcawatch config example` and `hcawatch config schema`.",
        "取值无效：{reason}", "请与 `hcawatch config example` 和 `hcawatch config schema` 对照。"),
}  # fmt: skip
