#!/bin/bash
# Makes a stand-in for AWS's base image public.ecr.aws/lambda/python:3.13 out of this machine's own glibc, shell,
# coreutils and CPython, where no registry can be reached. x86_64 only.
#
# usage: RIE=<file> UV=<file> RUNTIME=<requirements> build_base.sh <prefix of a CPython 3.13> <tag>...
#   RIE      the runtime interface emulator that aws-sam-cli brings (aws-lambda-rie-x86_64)
#   RUNTIME  hashed requirements with awslambdaric, AWS's own runtime client
#   CA       certificates for pip inside the image, where this machine has its own; may be empty
# The image is NOT Amazon Linux: its glibc is this machine's, there is no dnf, and no boto3.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
PREFIX=${1:?prefix of a CPython 3.13, as sys.base_prefix prints it}
shift
R=$(mktemp -d "${TMPDIR:-/tmp}/lambda-base.XXXX")
trap 'rm -rf "$R"' EXIT
SITE=$R/var/lang/lib/python3.13/site-packages
mkdir -p "$R"/{var/{lang/{bin,lib},runtime,task,rapid},opt,tmp,etc/ssl/certs,usr/{bin,lib/x86_64-linux-gnu,lib64,local/bin},proc,sys,dev,root,run}
chmod 1777 "$R/tmp"
for name in bin lib lib64; do ln -s "usr/$name" "$R/$name"; done
ln -s usr/bin "$R/sbin"

# 1. The interpreter, without its tests, IDLE, Tk, static archive and whatever the host added to site-packages.
SHARED=()
if [ -e "$PREFIX/lib/libpython3.13.so.1.0" ]; then SHARED=(lib/libpython3.13.so.1.0); fi
tar -C "$PREFIX" -cf - --exclude='lib/python3.13/test' --exclude='lib/python3.13/idlelib' \
  --exclude='lib/python3.13/tkinter' --exclude='lib/python3.13/turtledemo' \
  --exclude='lib/python3.13/config-3.13*/*.a' --exclude='__pycache__' --exclude='lib/python3.13/site-packages/*' \
  --exclude='lib/python3.13/EXTERNALLY-MANAGED' --exclude='_tkinter*.so' --exclude='_test*.so' \
  --exclude='_ctypes_test*' bin/python3.13 "${SHARED[@]}" lib/python3.13 | tar -C "$R/var/lang" -xf -
ln -s python3.13 "$R/var/lang/bin/python3"
ln -s python3.13 "$R/var/lang/bin/python"

# 2. Shell and tools: Dockerfiles and SAM's own additions need them.
for tool in bash sh ls cat cp mv rm mkdir rmdir ln chmod chown touch pwd env echo true false head tail sleep id uname \
    date dirname basename readlink sed grep find sort tr cut wc tar gzip mktemp test expr printf; do
  if path=$(type -P "$tool"); then cp -L "$path" "$R/usr/bin/$tool"; fi
done

# 3. The shared libraries that all those need, and those that wheels link.
libraries() { { ldd "$@" 2>/dev/null || true; } | awk '$2 == "=>" && $3 ~ /^\// {print $3}'; }
{
  libraries "$R"/usr/bin/*
  LD_LIBRARY_PATH=$R/var/lang/lib libraries "$R/var/lang/bin/python3.13" "$R"/var/lang/lib/python3.13/lib-dynload/*.so
  for name in libstdc++.so.6 libgcc_s.so.1 libgomp.so.1 libatomic.so.1 libnss_dns.so.2 libnss_files.so.2 \
      libresolv.so.2 libmvec.so.1 libdl.so.2 libpthread.so.0 librt.so.1 libutil.so.1; do
    /sbin/ldconfig -p | awk -v name=$name '$1 == name && /x86-64/ && !done {print $NF; done = 1}'
  done
} | { grep -v "^$R" || true; } | sort -u | while read -r file; do
  if [ -f "$file" ]; then cp -L "$file" "$R/usr/lib/x86_64-linux-gnu/"; fi
done
cp -L /lib64/ld-linux-x86-64.so.2 "$R/usr/lib64/"
printf 'root:x:0:0:root:/root:/bin/sh\nsbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n' > "$R/etc/passwd"
printf 'root:x:0:\nsbx_user1051:x:990:\n' > "$R/etc/group"
printf 'hosts: files dns\n' > "$R/etc/nsswitch.conf"
printf 'NAME="Stand-in for the Lambda base (not Amazon Linux)"\nID=lambda-stand-in\n' > "$R/etc/os-release"

# 4. pip, as this CPython bundles it, and the runtime client. Amazon Linux 2023 has glibc 2.34: make pip refuse
#    wheels that would not load there.
"$PREFIX/bin/python3.13" - "$PREFIX" "$SITE" <<'PYTHON'
import pathlib, sys, zipfile
wheel = next(pathlib.Path(sys.argv[1]).glob("lib/python3.13/ensurepip/_bundled/pip-*.whl"))
zipfile.ZipFile(wheel).extractall(sys.argv[2])
PYTHON
"$UV" pip install --quiet --python "$PREFIX/bin/python3.13" --require-hashes --target "$SITE" -r "$RUNTIME"
printf '#!/bin/sh\nexec /var/lang/bin/python3.13 -m pip "$@"\n' > "$R/var/lang/bin/pip"
chmod +x "$R/var/lang/bin/pip"
printf 'def manylinux_compatible(major, minor, arch):\n    return (major, minor) <= (2, 34)\n' > "$SITE/_manylinux.py"

# 5. The runtime interface emulator and the entry point.
install -m 755 "$RIE" "$R/usr/local/bin/aws-lambda-rie"
install -m 755 "$HERE/lambda-entrypoint.sh" "$R/lambda-entrypoint.sh"
install -m 755 "$HERE/bootstrap" "$R/var/runtime/bootstrap"

# 6. The machine's certificates, for pip alone.
PIP=()
if [ -n "${CA:-}" ]; then
  cp -L "$CA" "$R/etc/ssl/certs/ca-certificates.crt"
  PIP=(-c 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt')
fi

tar --owner=0 --group=0 --numeric-owner -C "$R" -cf - . | docker import "${PIP[@]}" -c 'LABEL storycast=stand-in-base' \
  -c 'ENV LANG=en_US.UTF-8' -c 'ENV TZ=:/etc/localtime' \
  -c 'ENV PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin' \
  -c 'ENV LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib' \
  -c 'ENV LAMBDA_TASK_ROOT=/var/task' -c 'ENV LAMBDA_RUNTIME_DIR=/var/runtime' \
  -c 'WORKDIR /var/task' -c 'ENTRYPOINT ["/lambda-entrypoint.sh"]' - "$1"
for tag in "${@:2}"; do docker tag "$1" "$tag"; done
