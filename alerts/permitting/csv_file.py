"""Reads permits from a CSV as a spreadsheet writes it: UTF-8 or GB 18030, comma, semicolon or tab. Pure.

A faulty file brings nothing at all: every fault is told with its line and column, so that it is mended once.
"""

import csv
import io
from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from alerts.permitting.fields import FIELDS, REQUIRED, read_permit
from alerts.reading import FieldFault
from alerts.values import Permit
from monitor.domain.assets import City

MOST_ROWS: Final = 20_000
#: heads as a Chinese spreadsheet has them
HEADS: Final = {
    "许可编号": "number", "单位": "company", "管道": "pipeline", "起点": "from", "终点": "to", "开始时间": "valid_from",
    "结束时间": "valid_to", "作业类型": "works", "每日时段": "hours", "最小偏距": "from_offset_m", "最大偏距": "to_offset_m",
    "活动": "activities", "机械": "machines", "机械说明": "machines_note", "电话": "phone", "邮箱": "email",
    "持有人": "holder", "文件哈希": "file_sha256",
}  # fmt: skip


class _Lines(Protocol):
    """What csv.reader returns."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


class CsvFault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, and where: lines and columns count from 1, as a spreadsheet does."""

    line: int
    column: int
    fault: FieldFault


class CsvPermits(msgspec.Struct, frozen=True, kw_only=True):
    """The permits of a file with their lines, or its faults."""

    rows: tuple[tuple[int, Permit], ...] = ()
    faults: tuple[CsvFault, ...] = ()


def read_csv(data: bytes, city: City) -> CsvPermits:
    """All permits of the file, or all its faults."""
    text = _decoded(data)
    if text is None:
        return _faulty(1, 1, "", "csv_encoding")
    first_line = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return _read(reader, city)
    except csv.Error as exc:
        return _faulty(max(1, reader.line_num), 1, "", "csv_broken", what=str(exc))


def _read(reader: "_Lines", city: City) -> CsvPermits:
    heads = [HEADS.get(head.strip(), head.strip().lower()) for head in next(reader, [])]
    faults = [_fault(1, n, head, "field_unknown", known=", ".join(FIELDS))
              for n, head in enumerate(heads, 1) if head not in FIELDS]  # fmt: skip
    faults += [_fault(1, len(heads) + 1, name, "column_missing") for name in FIELDS
               if name in REQUIRED and name not in heads]  # fmt: skip
    if faults:
        return CsvPermits(faults=tuple(faults))
    rows: list[tuple[int, Permit]] = []
    lines: dict[str, int] = {}
    line = reader.line_num + 1
    for cells in reader:
        at, line = line, reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(heads):
            faults.append(_fault(at, len(heads) + 1, "", "csv_too_many_cells", most=str(len(heads))))
            continue
        permit, wrong = read_permit(dict(zip(heads, cells, strict=False)), city)
        faults += [
            CsvFault(line=at, column=heads.index(f.field) + 1 if f.field in heads else 1, fault=f)
            for f in wrong
        ]
        if permit is None:
            continue
        if permit.permit_number in lines:
            faults.append(
                _fault(
                    at,
                    heads.index("number") + 1,
                    "number",
                    "csv_twice",
                    first=str(lines[permit.permit_number]),
                )
            )
        lines[permit.permit_number] = at
        rows.append((at, permit))
        if len(rows) > MOST_ROWS:
            return _faulty(at, 1, "", "csv_too_long", most=str(MOST_ROWS))
    return CsvPermits(faults=tuple(faults)) if faults else CsvPermits(rows=tuple(rows))


def _decoded(data: bytes) -> str | None:
    # Excel writes UTF-8 with a mark, or, in China, GB 18030
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _fault(line: int, column: int, field: str, key: str, **facts: str) -> CsvFault:
    return CsvFault(line=line, column=column, fault=FieldFault(field=field, key=key, facts=facts))


def _faulty(line: int, column: int, field: str, key: str, **facts: str) -> CsvPermits:
    return CsvPermits(faults=(_fault(line, column, field, key, **facts),))
