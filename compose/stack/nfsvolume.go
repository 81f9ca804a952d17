package stack

import (
	"cmp"
	"net/netip"
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// NFSVolume is a volume of Docker whose data is a share of another machine.
type NFSVolume struct {
	Server netip.Addr `yaml:"server,required"` // by its address: a name might not resolve after a power cut
	Path   string     `yaml:"path,required"`   // the exported directory

	// Options are those of mount.nfs. Empty means version 4.2, and errors instead of waiting for
	// ever when the server is away.
	Options string `yaml:"options"`
}

func (v NFSVolume) validate() (ps lab.Problems) {
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
