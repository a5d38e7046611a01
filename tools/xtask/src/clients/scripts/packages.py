"""Makes one small package of each kind for the origin's registries: `packages.py FOLDER`.

`demo.whl` (Python), `demo.tgz` (npm) and `demo.crate` (Cargo), each called leasehold-demo 1.0.0."""

import io
import pathlib
import sys
import tarfile
import zipfile

folder = pathlib.Path(sys.argv[1])
INFO = "leasehold_demo-1.0.0.dist-info"
METADATA = "Metadata-Version: 2.1\nName: leasehold-demo\nVersion: 1.0.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: leasehold\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
MANIFEST = '[package]\nname = "leasehold-demo"\nversion = "1.0.0"\nedition = "2021"\n'

with zipfile.ZipFile(folder / "demo.whl", "w") as wheel:
    wheel.writestr("leasehold_demo.py", "")
    wheel.writestr(f"{INFO}/METADATA", METADATA)
    wheel.writestr(f"{INFO}/WHEEL", WHEEL)
    files = ["leasehold_demo.py", f"{INFO}/METADATA", f"{INFO}/WHEEL", f"{INFO}/RECORD"]
    wheel.writestr(f"{INFO}/RECORD", "".join(f"{file},,\n" for file in files))


def pack(name, files):
    with tarfile.open(folder / name, "w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))


pack("demo.tgz", {"package/package.json": '{"name": "leasehold-demo", "version": "1.0.0"}'})
pack("demo.crate", {"leasehold-demo-1.0.0/Cargo.toml": MANIFEST, "leasehold-demo-1.0.0/src/lib.rs": ""})
