#!/bin/bash
set -eu
if [ $# != 2 ] || [ "$1" != dnsmasq-test-file ]; then
	echo "unknown command: pihole-FTL $*" >&2
	exit 1
fi
exec dnsmasq --test --conf-file="$2"
