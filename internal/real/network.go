package real

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// makeNetwork creates the bridge, and lets the machines reach other networks
// through this machine.
func (s setState) makeNetwork(ctx context.Context) error {
	for _, c := range [][]string{
		{"link", "add", s.bridge(), "type", "bridge"},
		{"addr", "add", s.gateway() + "/24", "dev", s.bridge()},
		{"link", "set", s.bridge(), "up"},
	} {
		if err := run(ctx, "ip", c...); err != nil {
			return err
		}
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1\n"), 0o644); err != nil {
		return err
	}
	if findBinary("iptables") == "" {
		return nil // the machines can reach only each other and this machine
	}
	for _, r := range s.forwarding() {
		if err := iptables(ctx, "-I", r); err != nil {
			return err
		}
	}
	return nil
}

// iptables runs a command such as -I with a rule that begins with -t, the table and
// the chain.
func iptables(ctx context.Context, command string, rule []string) error {
	args := append([]string{"-w", "60", rule[0], rule[1], command}, rule[2:]...)
	return run(ctx, "iptables", args...)
}

// nameservers returns a resolv.conf with the name servers of this machine that
// machines on a bridge can reach too.
func nameservers() string {
	var out strings.Builder
	for _, file := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) == 2 && f[0] == "nameserver" && !strings.HasPrefix(f[1], "127.") && f[1] != "::1" {
				fmt.Fprintf(&out, "nameserver %s\n", f[1])
			}
		}
		if out.Len() > 0 {
			break
		}
	}
	return out.String()
}

// removeLink removes a network interface of this machine if it exists.
func removeLink(ctx context.Context, name string) error {
	path := "/sys/class/net/" + name
	if !exists(path) {
		return nil
	}
	if err := run(ctx, "ip", "link", "del", name); err != nil && exists(path) {
		return err // otherwise it was removed with its namespace meanwhile
	}
	return nil
}
