#!/bin/sh
# Makes the user before the files of its group are unpacked.
set -e
getent group replhub >/dev/null || groupadd --system replhub
getent passwd replhub >/dev/null || useradd --system --gid replhub --home-dir /var/lib/replhub \
	--no-create-home --shell /usr/sbin/nologin --comment "replhub" replhub
