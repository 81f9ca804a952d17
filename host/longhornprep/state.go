package longhornprep

import (
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// State returns what the machine should be. It is right when Validate of both finds nothing.
func (c Config) State(m Machine) host.State {
	enabled := true
	name := initiator{name: m.initiator(), taken: m.Taken}
	s := host.State{
		host.Package{Name: "open-iscsi"},
		host.KernelModule{Name: "iscsi_tcp"},
		name,
		host.Unit{Name: "iscsid.service", Enabled: &enabled, State: host.Started, RestartOn: []string{name.ID()}},
	}
	if c.NFS {
		s = append(s, host.Package{Name: "nfs-common"})
	}
	if c.Encryption {
		s = append(s, host.Package{Name: "cryptsetup"}, host.Package{Name: "dmsetup"}, host.KernelModule{Name: "dm_crypt"})
	}
	return append(s, c.multipath()...)
}

// blacklist tells multipathd to leave the disks of volumes alone.
const blacklist = "# The disks of Longhorn's volumes are not to be taken.\nblacklist {\n    devnode \"" + devnode + "\"\n}\n"

// devnode is the pattern of the disks.
const devnode = "^sd[a-z0-9]+"

// multipath returns what keeps multipathd from the disks of volumes.
func (c Config) multipath() host.State {
	if c.Multipath == Mask {
		unused := multipath{mask: true}
		return host.State{
			unused,
			host.Unit{Order: host.Order{After: []string{unused.ID()}}, Name: "multipathd.socket", State: host.Stopped, Masked: true},
			host.Unit{Order: host.Order{After: []string{unused.ID()}}, Name: "multipathd.service", State: host.Stopped, Masked: true},
		}
	}
	file := host.File{Path: "/etc/multipath/conf.d/longhorn.conf", Content: blacklist}
	return host.State{
		host.Directory{Path: "/etc/multipath"},
		host.Directory{Path: "/etc/multipath/conf.d"},
		file,
		multipath{after: file.ID()},
	}
}
