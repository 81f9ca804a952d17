#!/bin/bash
set -eu
[ $# = 2 ] && [ "$1" = dnsmasq-test-file ] || { echo "unknown command: pihole-FTL $*" >&2; exit 1; }
exec dnsmasq --test --conf-file="$2"
