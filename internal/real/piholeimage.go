package real

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// ImportPiHoleStandIn imports an image that replaces Pi-hole's into the machine's
// Docker Engine under the names, such as "pihole/pihole:2025.08.0". Pi-hole's FTL,
// an extended dnsmasq, is in no package. This is Debian's dnsmasq, configured by
// FTLCONF_dns_upstreams, _hosts, _cnameRecords, _revServers and
// FTLCONF_misc_dnsmasq_lines, and dig; as pihole-FTL, it tests a file. It has no web
// server, API or lists, and was never compared with the real one.
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

// piholeEntrypoint is the first process of the image.
//
//go:embed images/pihole.bash
var piholeEntrypoint string

// piholeFTL is the program that tests a file in the image.
//
//go:embed images/pihole-ftl.bash
var piholeFTL string

// piholeImage returns a tar file of a Debian root file system with dnsmasq and dig.
func piholeImage(ctx context.Context) (string, error) {
	base, err := image(ctx) // its name depends on Debian's sources
	if err != nil {
		return "", err
	}
	const packages = "bash,bind9-dnsutils,dnsmasq-base"
	dir, err := cached(ctx, "docker-pihole", dockerKey(base, packages+"\x00"+piholeEntrypoint+piholeFTL), func(dir string) error {
		root := filepath.Join(dir, "root")
		args := append(mmdebstrapArgs(ctx, packages), "bookworm", root)
		if err := run(ctx, "mmdebstrap", append(args, hostSources()...)...); err != nil {
			return err
		}
		start := filepath.Join(root, "usr/local/bin/start.sh")
		if err := errors.Join(os.MkdirAll(filepath.Dir(start), 0o755),
			writeFile(start, piholeEntrypoint, 0o755),
			writeFile(filepath.Join(root, "usr/bin/pihole-FTL"), piholeFTL, 0o755)); err != nil {
			return fmt.Errorf("entry point: %w", err)
		}
		return pack(ctx, root, filepath.Join(dir, "pihole.tar"))
	})
	return filepath.Join(dir, "pihole.tar"), err
}
