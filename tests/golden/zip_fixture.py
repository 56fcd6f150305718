"""Writes tests/golden/weights/python.zip with Python's zipfile: entries stored, deflated and empty, one with its sizes behind the data
(as when written to a pipe), one with zip64 fields, and a comment behind the directory. With an argument: checks FILE, an archive of ours, and
lists each entry's name, size, CRC and where its data begins.

Python 3.11.
"""
import os
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
PATTERN = bytes(i * i // 7 % 256 for i in range(3000))


class Pipe:
    """What zipfile takes for a pipe: it then writes data descriptors."""

    def __init__(self, file):
        self.file = file

    def write(self, data):
        return self.file.write(data)

    def flush(self):
        self.file.flush()


def entry(z, name, data, method, zip64=False):
    info = zipfile.ZipInfo(name)
    info.compress_type = method
    with z.open(info, "w", force_zip64=zip64) as f:
        f.write(data)


def write():
    with open(os.path.join(HERE, "weights", "python.zip"), "wb") as f:
        with zipfile.ZipFile(Pipe(f), "w") as z:
            entry(z, "stored", PATTERN, zipfile.ZIP_STORED)
            entry(z, "deflated", PATTERN, zipfile.ZIP_DEFLATED)
            entry(z, "zeros", bytes(100000), zipfile.ZIP_DEFLATED)
            entry(z, "folder/empty", b"", zipfile.ZIP_STORED)
            entry(z, "folder/empty deflated", b"", zipfile.ZIP_DEFLATED)
            entry(z, "zip64", PATTERN[:99], zipfile.ZIP_DEFLATED, zip64=True)
            entry(z, "née", b"name in UTF-8", zipfile.ZIP_STORED)
            entry(z, "bzip2", PATTERN, zipfile.ZIP_BZIP2)
            z.comment = b"a comment, PK\5\6 and all"


def read(path):
    with zipfile.ZipFile(path) as z:
        assert z.testzip() is None
        for i in z.infolist():
            z.fp.seek(i.header_offset + 26)
            head = z.fp.read(4)
            begin = i.header_offset + 30 + int.from_bytes(head[:2], "little") + int.from_bytes(head[2:], "little")
            print(i.filename, i.file_size, "%08x" % i.CRC, begin, begin % 64)


read(sys.argv[1]) if len(sys.argv) > 1 else write()
