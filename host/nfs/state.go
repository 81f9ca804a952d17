package nfs

import (
	"net/netip"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// State returns what the machine should be. It is right when Validate finds nothing.
func (c Config) State() (s host.State) {
	if len(c.Exports) > 0 {
		s = append(s, c.server()...)
	}
	if len(c.Shares) > 0 {
		s = append(s, host.Package{Name: "nfs-common"})
	}
	for _, share := range c.Shares {
		s = append(s, share.mount())
	}
	return s
}

// server exports what is to be shared.
func (c Config) server() host.State {
	enabled := true
	var paths []string
	for _, e := range c.Exports {
		paths = append(paths, e.Path)
	}
	return host.State{
		host.DropIn{Unit: "nfs-server.service", Name: "lab-exports",
			Content: "# Nothing is exported from the disk under a mount point.\n[Unit]\nRequiresMountsFor=" +
				strings.Join(paths, " ") + "\n"},
		host.Package{Name: "nfs-kernel-server"},
		host.Unit{Name: "nfs-server.service", Enabled: &enabled, State: host.Started},
		host.Directory{Path: "/etc/exports.d"},
		exports{list: c.Exports},
	}
}

// mount returns the mount of the share.
func (s Share) mount() host.Mount {
	server := s.Server
	if a, err := netip.ParseAddr(server); err == nil && a.Is6() {
		server = "[" + server + "]"
	}
	// a hard mount would hang backups, and a shutdown, while the server is down
	options := []string{"nofail", "_netdev", "soft", "timeo=100", "retrans=3", "x-systemd.automount"}
	if s.ReadOnly {
		options = append(options, "ro")
	}
	return host.Mount{Order: host.Order{After: []string{"package:nfs-common"}}, Path: s.At, Source: server + ":" + s.Path,
		FSType: "nfs4", Options: append(options, s.Options...), Immutable: true}
}
