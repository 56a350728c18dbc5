#!/bin/sh
# Nothing is enabled or started by an installation: the settings come first. An upgrade
# restarts what runs.
set -e
install -d -o replhub -g replhub -m 0750 /var/lib/replhub
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
# An upgrade: dpkg says "configure <old version>", rpm how many versions there are then.
if [ "$1" = configure ] && [ -n "$2" ] || [ "$1" = 2 ]; then
	systemctl try-restart replhub.service 'replhub-capture@*.service' 'replhub-apply@*.service' 'replhub-push@*.service'
fi
