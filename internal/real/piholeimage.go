package real

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// ImportPiHoleStandIn makes an image that stands in for Pi-hole's known to the
// machine's Docker Engine under the names, such as
// "pihole/pihole:2025.08.0". Pi-hole's FTL, a dnsmasq with more to it, is in
// no package: this is Debian's dnsmasq, told what FTLCONF_dns_upstreams, _hosts,
// _cnameRecords, _revServers and FTLCONF_misc_dnsmasq_lines say, and dig. It
// has no web server, no API and no lists, and never ran beside the real one.
func (m *Machine) ImportPiHoleStandIn(tb testing.TB, names ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Minute)
	defer cancel()
	tar, err := piholeImage(ctx)
	if err == nil {
		err = m.importImage(ctx, tar, []string{`ENTRYPOINT ["/usr/local/bin/start.sh"]`, "VOLUME /etc/pihole"}, names)
	}
	if err != nil {
		tb.Fatalf("import the stand-in for pihole: %v", err)
	}
}

const piholeEntrypoint = `#!/bin/bash
set -eu
each() { # VALUE COMMAND...: for each part between semicolons
	local IFS=';' part
	for part in $1; do [ -z "$part" ] || "${@:2}" "$part"; done
}
reverse() { # ACTIVE,NETWORK,SERVER,DOMAIN
	local IFS=,
	set -- $1
	[ "$1" = true ] || return 0
	echo "rev-server=$2,$3"
	[ -z "${4:-}" ] || echo "server=/$4/$3"
}
[ -s "/run/secrets/$WEBPASSWORD_FILE" ] || { echo "no password in /run/secrets/$WEBPASSWORD_FILE"; exit 1; }
mkdir -p /etc/pihole
{ echo '127.0.0.1 pi.hole'; each "${FTLCONF_dns_hosts:-}" printf '%s\n'; } >/etc/pihole/hosts
{
	printf '%s\n' no-resolv no-hosts local-service addn-hosts=/etc/pihole/hosts
	each "${FTLCONF_dns_upstreams:-}" printf 'server=%s\n'
	each "${FTLCONF_dns_cnameRecords:-}" printf 'cname=%s\n'
	each "${FTLCONF_dns_revServers:-}" reverse
	each "${FTLCONF_misc_dnsmasq_lines:-}" printf '%s\n'
} >/etc/pihole/dnsmasq.conf
dnsmasq --test --conf-file=/etc/pihole/dnsmasq.conf
exec dnsmasq --keep-in-foreground --log-facility=- --user=root --conf-file=/etc/pihole/dnsmasq.conf
`

// piholeImage is a tar file of a Debian root file system with dnsmasq and dig.
func piholeImage(ctx context.Context) (string, error) {
	base, err := image(ctx) // its name stands for Debian's sources
	if err != nil {
		return "", err
	}
	const packages = "bash,bind9-dnsutils,dnsmasq-base"
	dir, err := cached(ctx, "docker-pihole", dockerKey(base, packages+"\x00"+piholeEntrypoint), func(dir string) error {
		root := filepath.Join(dir, "root")
		args := append(mmdebstrapArgs(ctx, packages), "bookworm", root)
		if err := run(ctx, "mmdebstrap", append(args, hostSources()...)...); err != nil {
			return err
		}
		start := filepath.Join(root, "usr/local/bin/start.sh")
		if err := errors.Join(os.MkdirAll(filepath.Dir(start), 0o755), writeFile(start, piholeEntrypoint, 0o755)); err != nil {
			return fmt.Errorf("entry point: %w", err)
		}
		return pack(ctx, root, filepath.Join(dir, "pihole.tar"))
	})
	return filepath.Join(dir, "pihole.tar"), err
}
