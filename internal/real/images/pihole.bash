#!/bin/bash
set -eu
each() { # VALUE COMMAND...: for each part between semicolons
	local IFS=';' part
	for part in $1; do [ -z "$part" ] || "${@:2}" "$part"; done
}
reverse() { # ACTIVE,NETWORK,SERVER,DOMAIN
	local IFS=,
	# shellcheck disable=SC2086 # split at commas
	set -- $1
	[ "$1" = true ] || return 0
	echo "rev-server=$2,$3"
	[ -z "${4:-}" ] || echo "server=/$4/$3"
}
[ -s "/run/secrets/$WEBPASSWORD_FILE" ] || { echo "no password in /run/secrets/$WEBPASSWORD_FILE"; exit 1; }
mkdir -p /etc/pihole/hosts
{ echo '127.0.0.1 pi.hole'; each "${FTLCONF_dns_hosts:-}" printf '%s\n'; } >/etc/pihole/hosts/custom.list
{
	printf '%s\n' no-resolv local-service bogus-priv localise-queries hostsdir=/etc/pihole/hosts
	each "${FTLCONF_dns_upstreams:-}" printf 'server=%s\n'
	each "${FTLCONF_dns_cnameRecords:-}" printf 'cname=%s\n'
	each "${FTLCONF_dns_revServers:-}" reverse
	each "${FTLCONF_misc_dnsmasq_lines:-}" printf '%s\n'
} >/etc/pihole/dnsmasq.conf
dnsmasq --test --conf-file=/etc/pihole/dnsmasq.conf
exec dnsmasq --keep-in-foreground --log-facility=- --user=root --conf-file=/etc/pihole/dnsmasq.conf
