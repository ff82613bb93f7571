#!/usr/bin/env bash
# Builds the sandbox image: with `docker build` where a hub answers, else from Debian packages alone.
#   docker/sandbox/build.sh [--from-debian] [--fresh] [image]
# An image that is made of these sources is left as it is; --fresh makes it anew, with Debian's updates of today.
# The engine is DOCKER_HOST, as for the docker command. From Debian it takes root and debootstrap; the root file system is
# kept in CI_CACHE_DIR, when that is set, and taken from there the next time.
set -euo pipefail
cd "$(dirname "$0")"

from_debian=false
fresh=false
while [ $# -gt 0 ]; do
  case "$1" in
    --from-debian) from_debian=true ;;
    --fresh) fresh=true ;;
    *) break ;;
  esac
  shift
done
image="${1:-turnkeeper-sandbox}"
base="$(sed -n 's/^FROM //p' Dockerfile)"
suite=bookworm
mirror="${DEBIAN_MIRROR:-http://deb.debian.org/debian}"

say() { printf 'sandbox image: %s\n' "$*"; }
fail() {
  say "$@" >&2
  exit 1
}
digest() { cat "$@" | sha256sum | cut -c 1-16; }

main() {
  docker version >/dev/null 2>&1 || fail "no Docker engine answers at ${DOCKER_HOST:-the default socket}"
  content="$(digest Dockerfile packages install.sh supervisor.py)"
  if ! $fresh && [ "$(label "$image" org.turnkeeper.sandbox.content)" = "$content" ]; then
    say "$image is up to date ($content)"
  elif ! $from_debian && hub_answers; then
    build_from_hub
    say "$image is built ($content)"
  else
    build_from_debian
    say "$image is built from Debian packages ($content)"
  fi
}

label() { docker image inspect --format "{{index .Config.Labels \"$2\"}}" "$1" 2>/dev/null || true; }

hub_answers() {
  docker image inspect "$base" >/dev/null 2>&1 && return
  say "asking the hub for $base"
  timeout 60 docker pull --quiet "$base" 2>/dev/null || { say 'no hub answers' && false; }
}

build_from_hub() {
  local build=(docker build --build-arg "CONTENT=$content" --tag "$image")
  if $fresh; then
    # The base is one of a certain day.
    sed 's/^RUN /RUN apt-get update -qq \&\& apt-get upgrade -y -qq \&\& /' Dockerfile | "${build[@]}" --no-cache --file - .
  else
    "${build[@]}" .
  fi
}

# The same content and configuration as the Dockerfile's, as layers over an imported Debian root.
build_from_debian() {
  local root_image container
  root_image="turnkeeper-sandbox-debian:$(digest packages install.sh)"
  if $fresh || ! docker image inspect "$root_image" >/dev/null 2>&1; then import_root "$root_image"; fi
  container="$(docker create "$root_image" true)"
  on_exit "docker rm --force $container"
  docker cp supervisor.py "$container:/opt/turnkeeper/supervisor.py" >/dev/null
  local config
  mapfile -t config < <(config_of_dockerfile)
  docker commit "${config[@]}" "$container" "$image" >/dev/null
}

config_of_dockerfile() {
  sed -n -E -e "s/\\$\{CONTENT\}/$content/" -e 's/^(LABEL|USER|ENTRYPOINT) .*/--change=&/p' Dockerfile
}

import_root() {
  local work tarball
  work="$(mktemp -d)"
  on_exit "rm -rf $work"
  tarball="${CI_CACHE_DIR:-$work}/${1/:/-}.tar.gz"
  if $fresh || ! (cd "${tarball%/*}" && sha256sum --check --status "$tarball.sha256" 2>/dev/null); then
    make_root "$work/root"
    say "packing $tarball"
    tar --create --numeric-owner --one-file-system --directory "$work/root" . | gzip -1 >"$work/packed"
    mv "$work/packed" "$tarball"
    sha256sum "$tarball" >"$tarball.sha256"
  fi
  say "importing $tarball"
  docker import "$tarball" "$1" >/dev/null
}

make_root() {
  [ "$(id -u)" = 0 ] || fail 'a build from Debian packages needs root'
  command -v debootstrap >/dev/null || fail 'debootstrap is missing: apt-get install -y debootstrap'
  say "bootstrapping Debian $suite from $mirror"
  debootstrap --variant=minbase "$suite" "$1" "$mirror" >"$1.log" 2>&1 || { tail "$1.log" >&2 && false; }
  {
    echo "deb $mirror $suite main"
    echo "deb $mirror $suite-updates main"
    echo "deb $mirror-security $suite-security main"
  } >"$1/etc/apt/sources.list"
  DEBIAN_FRONTEND=noninteractive chroot "$1" sh -c 'apt-get update -qq && apt-get upgrade -y -qq' >"$1.log" 2>&1 ||
    { tail "$1.log" >&2 && false; }
  mkdir -p "$1/opt/turnkeeper"
  cp packages install.sh "$1/opt/turnkeeper/"
  say 'installing packages'
  chroot "$1" sh /opt/turnkeeper/install.sh >"$1.log" 2>&1 || { tail "$1.log" >&2 && false; }
}

cleanup=()
on_exit() { cleanup+=("$1"); }
trap 'for command in "${cleanup[@]}"; do $command >/dev/null; done' EXIT

main
