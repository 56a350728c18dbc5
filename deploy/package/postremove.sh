#!/bin/sh
# A removal keeps the settings, /var/lib/replhub and the user. Only dpkg's purge removes
# them; rpm has no purge.
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload
[ "$1" = purge ] || exit 0
rm -rf /etc/replhub /var/lib/replhub
# With the user goes its group.
! getent passwd replhub >/dev/null || userdel replhub
! getent group replhub >/dev/null || groupdel replhub
