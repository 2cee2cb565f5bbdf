#!/bin/bash
# Makes a stand-in for the trainer's base image, python:3.11-slim, where no registry can be reached: this machine's own
# shell and shared libraries, and the Python of `make setup-training` with all that is installed in it. x86_64 only.
#
# usage: build_training_base.sh <python of the environment> <tag>
# The image is NOT the real one: pip finds in it all that the trainer needs, in builds for the CPU.
set -euo pipefail
PYTHON=${1:?python of the environment}
TAG=${2:?tag}
R=$(mktemp -d "${TMPDIR:-/tmp}/training-base.XXXX")
trap 'rm -rf "$R"' EXIT
mkdir -p "$R"/{tmp,proc,sys,dev,etc,root,usr/{bin,lib/x86_64-linux-gnu,lib64,local/bin}}
chmod 1777 "$R/tmp"
for name in bin lib lib64; do ln -s "usr/$name" "$R/$name"; done

# 1. The interpreter at its own place, without its tests.
PREFIX=$("$PYTHON" -c 'import sys; print(sys.base_prefix)')
BASE=$("$PYTHON" -c 'import sys; print(sys._base_executable)')
PACKAGES=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
SITE=$("$BASE" -I -c 'import site; print(site.getsitepackages()[0])')
mkdir -p "$R$PREFIX/lib" "$R$PREFIX/bin"
cp -L "$BASE" "$R$PREFIX/bin/python3.11"
tar -C "$PREFIX/lib" -cf - --exclude=python3.11/test --exclude=__pycache__ --exclude='python3.11/config-3.11*' \
  --exclude=python3.11/EXTERNALLY-MANAGED --exclude='python3.11/site-packages' python3.11 | tar -C "$R$PREFIX/lib" -xf -
if [ -e "$PREFIX/lib/libpython3.11.so.1.0" ]; then cp -L "$PREFIX/lib/libpython3.11.so.1.0" "$R/usr/lib/x86_64-linux-gnu/"; fi
for name in python3 python; do ln -sf "$PREFIX/bin/python3.11" "$R/usr/local/bin/$name"; done
printf '#!/bin/sh\nexec python -m pip "$@"\n' > "$R/usr/local/bin/pip"
chmod +x "$R/usr/local/bin/pip"

# 2. A shell, what Dockerfiles call, and the shared libraries of all of it and of the packages.
for tool in sh chmod id env; do cp -L "$(type -P $tool)" "$R/usr/bin/$tool"; done
{
  { ldd "$R"/usr/bin/* "$R$PREFIX/bin/python3.11" "$R$PREFIX"/lib/python3.11/lib-dynload/*.so 2> /dev/null || true; } \
    | awk '$2 == "=>" && $3 ~ /^\// {print $3}'
  for name in libstdc++.so.6 libgcc_s.so.1 libatomic.so.1 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libutil.so.1 \
      libmvec.so.1 libnss_files.so.2; do
    /sbin/ldconfig -p | awk -v name=$name '$1 == name && /x86-64/ && !done {print $NF; done = 1}'
  done
} | sort -u | while read -r file; do cp -Ln "$file" "$R/usr/lib/x86_64-linux-gnu/"; done
cp -L /lib64/ld-linux-x86-64.so.2 "$R/usr/lib64/"
printf 'root:x:0:0:root:/root:/bin/sh\n' > "$R/etc/passwd"

# 3. All in one stream: the packages have more than a gigabyte, and are not copied twice.
tar --owner=0 --group=0 --numeric-owner -cf - -C "$R" . --exclude=__pycache__ \
    --transform "s,^$(basename "$PACKAGES"),.$SITE," -C "$(dirname "$PACKAGES")" "$(basename "$PACKAGES")" \
  | docker import -c 'LABEL storycast=stand-in-base' -c 'ENV LANG=C.UTF-8' \
      -c "ENV PATH=/usr/local/bin:/usr/bin:/bin" - "$TAG" > /dev/null
