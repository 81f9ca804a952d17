package stack

import (
	"cmp"
	"net/netip"
	"path"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
)

// NFSVolume is a volume of Docker whose data is a share of another machine.
type NFSVolume struct {
	Server  netip.Addr // by its address: a name might not resolve after a power cut
	Path    string     // the exported folder
	Options string     // of mount.nfs; empty means those of the lab: version 4.2, and errors in place of waiting for ever when the server is away
}

func (v NFSVolume) check() (ps lab.Problems) {
	if !v.Server.IsValid() {
		ps.Add("server", "is empty")
	}
	if !path.IsAbs(v.Path) || strings.ContainsAny(v.Path, " ,\n") {
		ps = append(ps, lab.Problem{Path: "path", Text: v.Path, Message: "is not an absolute path without spaces"})
	}
	return ps
}

// model returns the volume as a compose.yaml has it.
func (v NFSVolume) model() object {
	return object{"driver": "local", "driver_opts": object{
		"type": "nfs", "device": ":" + v.Path,
		"o": "addr=" + v.Server.String() + "," + cmp.Or(v.Options, "nfsvers=4.2,soft,timeo=100,retrans=3"),
	}}
}

// BackupVolume is a volume on NFS for backups, as other stacks use it: external, by the name NAME_backups. A service that ends at once proves, when the
// stack is made, that the share can be written to.
type BackupVolume struct {
	Name    string       // of the project; empty means backups
	Image   string       // any with a shell: "busybox:1.36"
	Lock    compose.Lock // pins the image
	Share   NFSVolume
	Timeout time.Duration // see [compose.Stack]
}

// Stack returns the stack.
func (b BackupVolume) Stack() (compose.Stack, error) {
	if ps := b.Share.check().Under("share"); len(ps) > 0 {
		return compose.Stack{}, ps
	}
	s, err := load(nameOr(b.Name, "backups"), object{
		"services": object{"check": object{"image": b.Image, "network_mode": "none", "volumes": []string{"backups:/backups"},
			"command": []string{"sh", "-c", "f=/backups/.lab-$$$$ && echo ok >$$f && sync && rm $$f"}}},
		"volumes": object{"backups": b.Share.model()},
	}, nil, nil, b.Lock)
	s.Timeout = b.Timeout
	return s, err
}
