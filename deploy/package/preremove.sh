#!/bin/sh
# A removal ends what runs; an upgrade does not.
set -e
[ "$1" = remove ] || [ "$1" = 0 ] || exit 0
[ -d /run/systemd/system ] || exit 0
systemctl stop replhub.service 'replhub-capture@*.service' 'replhub-apply@*.service' 'replhub-push@*.service'
systemctl disable replhub.service
