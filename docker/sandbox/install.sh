#!/bin/sh
# Makes a plain Debian root the sandbox's: packages in, what only builders need out. Runs inside of it, as root.
set -eu
here="$(dirname "$0")"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

cat >/etc/dpkg/dpkg.cfg.d/slim <<'SLIM'
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
SLIM
apt-get update -qq
# shellcheck disable=SC2046 # a word a package
apt-get install -y -qq --no-install-recommends $(cat "$here/packages")
apt-get clean

# Compilers and headers come along as dependencies of dependencies; nothing that runs here uses them.
dpkg-query -W -f '${Package}\n' |
  grep -E -e '-dev$|^(lib)?(gcc|g\+\+|cpp|binutils|boost|asan|tsan|lsan|ubsan|itm|cc1|gprofng|ctf)[0-9.-]|^(gcc|g\+\+|cpp|binutils)$' \
    -e '^(python3-pythran|python3-lib2to3|rpcsvc-proto|libjs-.*|linux-libc-dev)$' |
  grep -v -e '^gcc-[0-9]*-base$' -e '^libgcc-s1$' |
  xargs dpkg --purge --force-depends >/dev/null 2>&1

python="$(python3 -c 'import sys; print(f"/usr/lib/python3/dist-packages")')"
find "$python" -type d -name tests -prune -exec rm -rf {} +
rm -rf /usr/share/doc/* /usr/share/info/* /usr/share/locale/* /usr/share/man/* /var/lib/apt/lists/* \
  /var/cache/* /var/log/* /usr/share/matplotlib/sample_data

# The font index takes seconds to make; a run gets a copy.
MPLCONFIGDIR=/opt/turnkeeper/matplotlib python3 -c 'import matplotlib.font_manager'

# One small file system holds all that code can write: /sandbox.
groupadd --gid 10001 sandbox
useradd --uid 10001 --gid 10001 --no-create-home --home-dir /sandbox/home --shell /usr/sbin/nologin sandbox
find / -xdev -perm /6000 -type f -exec chmod a-s {} +
mkdir -p /sandbox
ln -s /sandbox/work /work
rm -rf /tmp /var/tmp
ln -s /sandbox/tmp /tmp
ln -s /sandbox/tmp /var/tmp
